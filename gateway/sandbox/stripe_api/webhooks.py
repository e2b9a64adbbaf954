"""The signed webhooks that are sent to those who asked for events.

Deliveries to one destination keep the order of the events, save for those that failed and come
again. Delays between retries are the only place where the sandbox waits by the wall clock.
Source: https://docs.stripe.com/webhooks (signatures, retries), 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.sandbox.stripe_api.account import (
    Account,
    EventDestination,
    StoredEvent,
    ThinEvent,
)
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.stripe_api.rendering import render
from gateway.sandbox.stripe_api.thin_events import notification

RETRY_DELAYS_SECONDS = (1.0, 5.0, 25.0)
"""Stripe retries a test account three times over hours; a sandbox must not take that long."""
TIMEOUT_SECONDS = 10.0
"""Stripe states none; others saw 10 to 30 seconds."""
DELIVERIES_KEPT_MAX = 1_000
WITHHELD_MAX = 10_000
UNDER_WAY_MAX = 10_000
"""Beyond it events are only listed: a receiver that is down must not fill memory."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: `status` None where no answer came."""

    endpoint_id: str
    event_id: str
    type: str
    attempt: int
    status: int | None


def signature(secret: str, payload: bytes, timestamp: int) -> str:
    """The value of `Stripe-Signature`: HMAC-SHA256 over the time and the raw body."""
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class WebhookSender:
    """Sends events to whoever registered for them. It sends nothing before `start`."""

    def __init__(
        self, account: Account, version: str, retry_delays_seconds: Sequence[float]
    ) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT_MAX)
        self._account = account
        self._version = version
        self._delays = tuple(retry_delays_seconds)
        self._session: ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._batch: list[StoredEvent] | None = None
        self.names_snapshot_event = True
        """Whether thin notifications do."""
        self._withheld: deque[StoredEvent] = deque(maxlen=WITHHELD_MAX)

    async def start(self) -> None:
        self._session = ClientSession(timeout=ClientTimeout(total=TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Stop what is under way; nothing is sent any more."""
        session, self._session = self._session, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if session is not None:
            await session.close()

    async def idle(self) -> None:
        """Wait until nothing is under way, retries included."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def offer(self, event: StoredEvent) -> None:
        """Send the event, with the others of its call where there is one."""
        if self._batch is None:
            self._send([event])
        else:
            self._batch.append(event)

    @contextmanager
    def batch(self, fault: Fault | None) -> Iterator[None]:
        """Hold the events of one call until its end, then send them in the fault's manner, or as
        ever; those in a form that the fault is not about are sent as ever too."""
        self._batch = []
        try:
            yield
        finally:
            events, self._batch = self._batch, None
            form, kind = (None, None) if fault is None else (fault.form, fault.kind)
            meant = [event for event in events if form in (None, event.payload)]
            others = [event for event in events if form not in (None, event.payload)]
            match kind:
                case FaultKind.WEBHOOKS_WITHHELD:
                    self._withheld.extend(event for event in meant if event.waiting)
                    self._send(others)
                case FaultKind.WEBHOOKS_DOUBLED:
                    self._send([event for event in meant for _ in range(2)], others)
                case FaultKind.WEBHOOKS_SHUFFLED:
                    self._send(meant[::-1], others)
                case FaultKind.WEBHOOKS_FIRST:
                    self._run(self._in_turn(meant, others))
                case _:
                    self._send(events)

    def release(self) -> int:
        """Send what was withheld; answers how many events that were."""
        events = list(self._withheld)
        self._withheld.clear()
        self._send(events)
        return len(events)

    def _send(self, *several: Sequence[StoredEvent]) -> None:
        for events in several:
            if self._session is not None and len(self._tasks) < UNDER_WAY_MAX:
                for work in self._deliveries_of(events):
                    self._run(work)

    async def _in_turn(self, *several: Sequence[StoredEvent]) -> None:
        """The next ones once each of the former was tried."""
        for events in several:
            await asyncio.gather(*self._deliveries_of(events))

    def _deliveries_of(self, events: Sequence[StoredEvent]) -> Iterator[Coroutine[Any, Any, None]]:
        for destination in self._account.destinations():
            wanted = [event for event in events if destination.id in event.waiting]
            if wanted:
                yield self._deliver_all(destination.id, wanted)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_all(self, endpoint_id: str, events: Sequence[StoredEvent]) -> None:
        for event in events:
            if not await self._attempt(endpoint_id, event, 1):
                self._run(self._retry(endpoint_id, event))

    async def _retry(self, endpoint_id: str, event: StoredEvent) -> None:
        for attempt, delay in enumerate(self._delays, start=2):
            await asyncio.sleep(delay)
            if await self._attempt(endpoint_id, event, attempt):
                return

    async def _attempt(self, endpoint_id: str, event: StoredEvent, attempt: int) -> bool:
        """Whether the endpoint took the event, or is not there to take it any more."""
        endpoint = self._destination(endpoint_id)
        if endpoint is None or endpoint.url is None or not endpoint.is_open:
            event.waiting.discard(endpoint_id)
            return True
        status = await self._post(endpoint, endpoint.url, event)
        self.deliveries.append(Delivery(endpoint_id, event.id, event.type, attempt, status))
        if status is None or not 200 <= status < 300:
            return False
        event.waiting.discard(endpoint_id)
        return True

    def _destination(self, destination_id: str) -> EventDestination | None:
        account = self._account
        endpoint = account.webhook_endpoints.get(destination_id)
        return endpoint or account.event_destinations.get(destination_id)

    def _payload(self, endpoint: EventDestination, event: StoredEvent) -> bytes:
        if isinstance(event, ThinEvent):
            named = self.names_snapshot_event
            return orjson.dumps(notification(event, names_snapshot_event=named))
        body = render(self._account, event)
        return orjson.dumps({**body, "api_version": endpoint.api_version or self._version})

    async def _post(self, endpoint: EventDestination, url: str, event: StoredEvent) -> int | None:
        """The receiver's status; None where it gave none."""
        if self._session is None:
            return None
        payload = self._payload(endpoint, event)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(endpoint.secret, payload, self._account.twin.now()),
        }
        try:
            async with self._session.post(
                url, data=payload, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (ClientError, TimeoutError, OSError):
            return None
