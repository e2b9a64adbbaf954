"""A subscriber over server-sent events that comes again with its last cursor, as a browser does,
and the log as a poller pages it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from tests.crash.processes import data
from tests.crash.waiting import LOOK_SECONDS, until_true

FIELDS = """
cursor type rawType origin sourceEventId idempotencyKey invoiceId invoicePaymentId paymentIntentId
"""
STREAM = f"""
subscription ($after: EventCursor) {{ invoicePaymentEvents(after: $after) {{ __typename
  ... on StreamCheckpoint {{ cursor live }}
  ... on StreamGap {{ after resumesAt reason }}
  ... on InvoicePaymentEvent {{ {FIELDS} invoice {{ status amountPaid {{ minorUnits }} }} }} }} }}
"""
PAGE = f"""
query ($after: EventCursor) {{ invoicePaymentEvents(first: 50, after: $after) {{
  nodes {{ {FIELDS} }} pageInfo {{ endCursor hasNextPage }} }} }}
"""
PAGES_MAX = 200

Event = dict[str, Any]


async def log_events(session: ClientSession, url: str, after: str | None = None) -> list[Event]:
    """Everything that the log holds behind a cursor, oldest first."""
    events: list[Event] = []
    for _ in range(PAGES_MAX):
        page = (await data(session, url, PAGE, after=after))["invoicePaymentEvents"]
        events += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return events
    raise AssertionError(f"the log has more than {PAGES_MAX} pages")


class Watcher:
    """What one subscriber has seen over all its connections."""

    def __init__(self, session: ClientSession, url: str, after: str | None = None) -> None:
        self.first_cursor = after
        self.events: list[Event] = []
        self.problems: list[Any] = []
        self.connections = 0
        self.is_complete = False
        self._session = session
        self._url = url
        self._after = after

    @property
    def cursors(self) -> list[str]:
        return [event["cursor"] for event in self.events]

    def saw(self, **wanted: Any) -> bool:
        """Whether one event had all of this."""
        return any(wanted.items() <= event.items() for event in self.events)

    async def watch(self) -> None:
        """Come again for ever."""
        while True:
            with suppress(ClientError, ConnectionError):
                await self.watch_once()
            await asyncio.sleep(LOOK_SECONDS)

    async def watch_once(self) -> None:
        """One connection to its end."""
        payload = {"query": STREAM, "variables": {"after": self._after}}
        async with self._session.post(
            f"{self._url}/graphql",
            json=payload,
            headers={"Accept": "text/event-stream"},
            timeout=ClientTimeout(total=None),
        ) as response:
            if response.status != 200:
                return
            self.connections += 1
            async for name, text in _frames(response):
                if name == "complete":
                    self.is_complete = True
                else:
                    self._take(json.loads(text))

    def _take(self, body: dict[str, Any]) -> None:
        if "errors" in body:
            self.problems.append(body["errors"])
            return
        item = body["data"]["invoicePaymentEvents"]
        if item["__typename"] == "StreamGap":
            self.problems.append(item)
            return
        if item["__typename"] == "InvoicePaymentEvent":
            self.events.append(item)
        self._after = item["cursor"]
        self.first_cursor = self.first_cursor or item["cursor"]


async def _frames(response: ClientResponse) -> AsyncIterator[tuple[str, str]]:
    """Event name and data; what ends before its empty line was never said."""
    name = text = ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            text = line[6:]
        elif line == "" and name:
            yield name, text
            name = text = ""


@asynccontextmanager
async def watching(
    session: ClientSession, url: str, after: str | None = None
) -> AsyncIterator[Watcher]:
    """A watcher that has its first cursor."""
    watcher = Watcher(session, url, after)
    task = asyncio.create_task(watcher.watch())

    def has_begun() -> bool:
        assert watcher.problems == []
        assert not task.done(), task
        return watcher.first_cursor is not None and watcher.connections > 0

    try:
        await until_true(has_begun, "the stream's first cursor")
        yield watcher
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])
