"""A log and the feed over it, and short ways to write to the one and to read from the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any

from gateway.events.feed import HEARTBEAT_SECONDS, QUEUE_MAX, Feed
from gateway.events.log import ENTRIES_MAX, EventLog, LogEntry, MemoryEventLog, encode_position
from schema.ports import EventFilter, EventPage, StreamItem, Viewer
from tests.events.entries import described, entry

OPERATOR = Viewer("operator")
EVERYTHING = EventFilter()
EPOCH = "here"
HANG_SECONDS_MAX = 20.0
"""A stream that owes an item and does not give it fails the test by this time."""


@dataclass(slots=True)
class Channel:
    """Appends and publishes as the intake does, and listens as the API does."""

    log: EventLog
    feed: Feed

    @classmethod
    def opened(
        cls,
        log: EventLog | None = None,
        *,
        entries_max: int = ENTRIES_MAX,
        queue_max: int = QUEUE_MAX,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> Channel:
        log = log or MemoryEventLog(EPOCH, entries_max=entries_max)
        return cls(log, Feed(log, queue_max=queue_max, heartbeat_seconds=heartbeat_seconds))

    async def tell(self, **fields: Any) -> LogEntry:
        """Append one fact and publish it."""
        placed = await self.log.append(entry(**fields))
        assert placed is not None
        self.feed.publish(placed)
        return placed

    async def tell_many(self, count: int, **fields: Any) -> None:
        for _ in range(count):
            await self.tell(**fields)

    def cursor(self, position: int) -> str:
        return encode_position(self.log.epoch, position)

    def listening(
        self, viewer: Viewer = OPERATOR, *, after: int | str | None = None, **where: Any
    ) -> AbstractAsyncContextManager[AsyncGenerator[StreamItem, None]]:
        """A stream after a cursor or a position, closed when the test is through with it."""
        cursor = self.cursor(after) if isinstance(after, int) else after
        return aclosing(self.feed.subscribe(viewer, after=cursor, where=filtered(**where)))

    async def page(
        self,
        viewer: Viewer = OPERATOR,
        *,
        first: int = 100,
        after: int | str | None = None,
        **where: Any,
    ) -> EventPage:
        cursor = self.cursor(after) if isinstance(after, int) else after
        return await self.feed.page(viewer, first=first, after=cursor, where=filtered(**where))


def filtered(**where: Any) -> EventFilter:
    """A filter from plain collections."""
    return EventFilter(**{name: frozenset(values) for name, values in where.items()})


async def item(stream: AsyncGenerator[StreamItem, None]) -> StreamItem:
    """The next item, which must come."""
    async with asyncio.timeout(HANG_SECONDS_MAX):
        return await anext(stream)


async def items(stream: AsyncGenerator[StreamItem, None], count: int) -> list[tuple[Any, ...]]:
    """The next items, described."""
    return [described(await item(stream)) for _ in range(count)]


async def turn() -> None:
    """Let everybody else who is ready have one turn; no time passes."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_soon(passed.set_result, None)
    await passed
