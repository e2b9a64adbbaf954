"""The feed: what was appended goes to whoever listens, from a cursor on, without gap or repeat.

A subscriber reads the log until it has caught up with what was published, and turns live in
the same step, so that nothing falls between backlog and live. Queues are bounded: who falls
behind is told so and ended, never skipped in silence. Rights are checked for each item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from functools import partial

from gateway.events.log import Bounds, EventLog, LogEntry, decode_position, encode_position
from schema.ports import (
    ErrorCode,
    EventFilter,
    EventPage,
    Failed,
    GapReason,
    InvoicePaymentEvent,
    StreamCheckpoint,
    StreamGap,
    StreamItem,
    Viewer,
)

QUEUE_MAX = 256
"""Entries that a subscriber may lag behind; beyond it the client is told to resume."""
BACKLOG_BATCH = 200
"""Entries read from the log at a time."""
SCAN_MAX = 10_000
"""Entries that one page may look at: a rare filter answers a short page and where to go on."""
HEARTBEAT_SECONDS = 15.0


@dataclass(slots=True, eq=False)
class Subscriber:
    """One live reader's queue, of what it wants. `overflowed` once it has lost something."""

    limit: int
    wants: Callable[[LogEntry], bool]
    queue: deque[LogEntry] = field(default_factory=deque)
    overflowed: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, entry: LogEntry) -> None:
        if not self.wants(entry):
            return
        if len(self.queue) >= self.limit:
            self.overflowed = True
        if not self.overflowed:
            self.queue.append(entry)
        self.wake.set()


class Feed:
    """See `schema.ports.EventStream`."""

    def __init__(
        self,
        log: EventLog,
        *,
        queue_max: int = QUEUE_MAX,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._log = log
        self._queue_max = queue_max
        self._heartbeat_seconds = heartbeat_seconds
        self._published = 0
        self._live: set[Subscriber] = set()

    async def start(self) -> None:
        """Take the log as it is for published: its drops were made by whoever appended."""
        self._published = max(self._published, (await self._log.bounds()).last)

    @property
    def subscriber_count(self) -> int:
        return len(self._live)

    def publish(self, entry: LogEntry) -> None:
        """Hand one appended entry to every live subscriber. Never blocks."""
        if entry.position <= self._published:
            return
        self._published = entry.position
        for subscriber in self._live:
            subscriber.offer(entry)

    def position(self) -> str:
        return self._cursor(self._published)

    def _cursor(self, position: int) -> str:
        return encode_position(self._log.epoch, position)

    async def oldest(self) -> str | None:
        bounds = await self._log.bounds()
        return None if bounds.first == 0 else self._cursor(bounds.first - 1)

    async def page(
        self, viewer: Viewer, *, first: int, after: str | None, where: EventFilter
    ) -> EventPage:
        bounds = await self._log.bounds()
        start = bounds.forgotten
        if after is not None:
            start = self._start(after, bounds)
        found: list[LogEntry] = []
        seen, more = start, True
        while more and len(found) <= first and seen - start < SCAN_MAX:
            batch = await self._log.read(seen, BACKLOG_BATCH)
            if after is not None and await self._torn(seen, batch) is not None:
                raise _forgotten()
            more = len(batch) == BACKLOG_BATCH
            for entry in batch:
                if self._wanted(entry, viewer, where):
                    found.append(entry)
                    if len(found) > first:
                        break
                seen = entry.position
        kept = found[:first]
        has_next = len(found) > first or more
        end = kept[-1].position if len(found) > first else max(seen, start)
        return EventPage(
            events=tuple(self._shown(entry, viewer) for entry in kept),
            end=self._cursor(end),
            has_next=has_next,
            has_previous=after is not None and start > bounds.forgotten,
        )

    def _start(self, after: str, bounds: Bounds) -> int:
        """The position to read from. Raises `Failed` CURSOR_GONE where history is missing."""
        epoch, position = decode_position(after)
        if epoch != self._log.epoch or position > bounds.last:
            raise Failed(
                ErrorCode.CURSOR_GONE,
                "this cursor belongs to another log: read again from the start",
            )
        if position < bounds.forgotten:
            raise _forgotten()
        return position

    def _wanted(self, entry: LogEntry, viewer: Viewer, where: EventFilter) -> bool:
        return (
            viewer.sees(entry.customer_id)
            and (not where.invoice_ids or entry.invoice_id in where.invoice_ids)
            and (not where.customer_ids or entry.customer_id in where.customer_ids)
            and (not where.types or entry.type in where.types)
        )

    def _shown(self, entry: LogEntry, viewer: Viewer) -> InvoicePaymentEvent:
        is_own = entry.tenant == viewer.tenant
        return InvoicePaymentEvent(
            cursor=self._cursor(entry.position),
            type=entry.type,
            raw_type=entry.raw_type,
            origin=entry.origin,
            occurred_at=entry.occurred_at,
            invoice_id=entry.invoice_id,
            source_event_id=entry.source_event_id,
            customer_id=entry.customer_id,
            invoice_payment_id=entry.invoice_payment_id,
            payment_intent_id=entry.payment_intent_id,
            idempotency_key=entry.idempotency_key if is_own else None,
        )

    async def subscribe(
        self, viewer: Viewer, *, after: str | None, where: EventFilter
    ) -> AsyncGenerator[StreamItem, None]:
        position, gap = await self._resume(after)
        subscriber = Subscriber(self._queue_max, partial(self._wanted, viewer=viewer, where=where))
        is_live = position >= self._published
        if is_live:
            self._live.add(subscriber)
        try:
            is_forgotten = gap is not None and gap.reason is GapReason.RETENTION
            begins = after if is_forgotten and after is not None else self._cursor(position)
            yield StreamCheckpoint(begins, is_live)
            if gap is not None:
                yield gap
            while not is_live:
                batch = await self._log.read(position, BACKLOG_BATCH)
                gap = await self._torn(position, batch)
                if gap is not None:
                    yield gap
                for entry in batch:
                    position = entry.position
                    if self._wanted(entry, viewer, where):
                        yield self._shown(entry, viewer)
                # No await between this look and the registration: nothing falls between.
                if position >= self._published or not batch:
                    is_live = True
                    self._live.add(subscriber)
                    yield StreamCheckpoint(self._cursor(position), True)
            async for item in self._live_items(subscriber, position, viewer, where):
                yield item
        finally:
            self._live.discard(subscriber)

    async def _resume(self, after: str | None) -> tuple[int, StreamGap | None]:
        """Where to begin, and the gap to be told before it, if there is one."""
        if after is None:
            return self._published, None
        epoch, position = decode_position(after)
        bounds = await self._log.bounds()
        if epoch != self._log.epoch or position > max(bounds.last, self._published):
            resumes = self._published
            return resumes, StreamGap(after, self._cursor(resumes), GapReason.UNKNOWN_CURSOR)
        if position < bounds.forgotten:
            resumes = bounds.forgotten
            return resumes, StreamGap(after, self._cursor(resumes), GapReason.RETENTION)
        return position, None

    async def _torn(self, position: int, batch: list[LogEntry]) -> StreamGap | None:
        """The gap, if retention has overtaken the reader of the batch after this position."""
        if not batch or batch[0].position == position + 1:
            return None
        if (await self._log.bounds()).forgotten <= position:
            return None
        resumes = self._cursor(batch[0].position - 1)
        return StreamGap(self._cursor(position), resumes, GapReason.RETENTION)

    async def _live_items(
        self, subscriber: Subscriber, position: int, viewer: Viewer, where: EventFilter
    ) -> AsyncGenerator[StreamItem, None]:
        heartbeat_at = self._next_heartbeat()
        while True:
            while subscriber.queue:
                entry = subscriber.queue.popleft()
                if entry.position <= position:
                    continue
                position = entry.position
                if self._wanted(entry, viewer, where):
                    yield self._shown(entry, viewer)
                    heartbeat_at = self._next_heartbeat()
            if subscriber.overflowed:
                here = self._cursor(position)
                yield StreamGap(here, here, GapReason.SLOW_CONSUMER)
                return
            if not await self._woken(subscriber, heartbeat_at):
                # Nothing waits, so all that was published meanwhile was not wanted here.
                position = max(position, self._published)
                yield StreamCheckpoint(self._cursor(position), True)
                heartbeat_at = self._next_heartbeat()

    def _next_heartbeat(self) -> float:
        """Counted from what the reader got last: others' events do not make a stream less quiet."""
        return asyncio.get_running_loop().time() + self._heartbeat_seconds

    async def _woken(self, subscriber: Subscriber, heartbeat_at: float) -> bool:
        """Whether something came before the next heartbeat is due."""
        subscriber.wake.clear()
        if subscriber.queue or subscriber.overflowed:
            return True
        try:
            async with asyncio.timeout_at(heartbeat_at):
                await subscriber.wake.wait()
        except TimeoutError:
            return False
        return True


def _forgotten() -> Failed:
    return Failed(
        ErrorCode.CURSOR_GONE,
        "the log no longer reaches back to this cursor: read again from the start",
    )
