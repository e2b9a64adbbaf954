"""The feed: what was appended goes to whoever listens, from a cursor on, without gap or repeat; and
the follower, which publishes here what any of the replicas that share a log has appended.

What was not published in its order is read from the log again. Who falls behind is told so and
ended, never skipped in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gateway.events.log import (
    Bounds,
    EventLog,
    Logged,
    LogReplaced,
    decode_position,
    encode_position,
    newer_cursor,
)
from gateway.events.reader import BACKLOG_BATCH, Reader
from gateway.events.subscriber import LiveIndex, Subscriber, Told, View
from schema.ports import (
    ErrorCode,
    EventFilter,
    EventPage,
    Failed,
    GapReason,
    InvoicePaymentEvent,
    StreamGap,
    Viewer,
)

log = logging.getLogger(__name__)

QUEUE_MAX = 256
"""Entries that a subscriber may lag behind; beyond it the client is told to resume."""
SCAN_MAX = 10_000
"""Entries that one page may look at: a rare filter answers a short page and where to go on."""
HEARTBEAT_SECONDS = 15.0


async def _never() -> int | None:
    """Where there is no catch-up."""
    return None


class Feed:
    """See `schema.ports.EventStream`."""

    def __init__(
        self,
        log: EventLog,
        *,
        queue_max: int = QUEUE_MAX,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.log = log
        self.index = LiveIndex(queue_max=queue_max, heartbeat_seconds=heartbeat_seconds)
        self.readers = 0
        self.complete_until: Callable[[], Awaitable[int | None]] = _never
        """What catch-up says, where there is any: it is opened after the feed."""

    async def start(self) -> None:
        """Take the log as it is for published: its drops were made by whoever appended."""
        last = (await self.log.bounds()).last
        self.index.published = max(self.index.published, last)

    @property
    def subscriber_count(self) -> int:
        """How many readers are live."""
        return self.readers

    def publish(self, entry: Logged) -> None:
        """Hand what the log holds at one position to those who want it. Never blocks."""
        if entry.position > self.index.published:
            self.index.publish(entry)

    def position(self) -> str:
        return self._cursor(self.index.published)

    def _cursor(self, position: int) -> str:
        return encode_position(self.log.epoch, position)

    async def oldest(self) -> str | None:
        bounds = await self.log.bounds()
        return None if bounds.first == 0 else self._cursor(bounds.first - 1)

    async def last_complete(self) -> int | None:
        return await self.complete_until()

    async def page(
        self, viewer: Viewer, *, first: int, after: str | None, where: EventFilter
    ) -> EventPage:
        bounds = await self.log.bounds()
        start = bounds.forgotten if after is None else self._start(after, bounds)
        view = View(self.log.epoch, viewer, where)
        found: list[Told] = []
        events: list[InvoicePaymentEvent] = []
        seen, more = start, True
        while more and len(events) <= first and seen - start < SCAN_MAX:
            batch = await self.log.read(seen, BACKLOG_BATCH)
            if after is None and seen == start and batch:
                seen = batch[0].position - 1  # the oldest that is held by now
            found += view.items(seen, batch)
            if after is not None and any(
                isinstance(one, StreamGap) and one.reason is GapReason.RETENTION for one in found
            ):
                raise _forgotten()
            events = [item for item in found if isinstance(item, InvoicePaymentEvent)]
            more = len(batch) == BACKLOG_BATCH
            seen = batch[-1].position if batch else seen
        end = self._cursor(seen)
        if len(events) > first:
            events, more = events[:first], True
            end = events[-1].cursor
            found = found[: found.index(events[-1])]
        return EventPage(
            events=tuple(events),
            end=end,
            has_next=more,
            has_previous=after is not None and start > bounds.forgotten,
            gaps=tuple(item for item in found if isinstance(item, StreamGap)),
        )

    def _start(self, after: str, bounds: Bounds) -> int:
        """The position to read from. Raises `Failed` CURSOR_GONE where history is missing."""
        epoch, position = decode_position(after)
        if epoch != self.log.epoch or position > bounds.last:
            raise Failed(
                ErrorCode.CURSOR_GONE,
                "this cursor belongs to another log: read again from the start",
            )
        if position < bounds.forgotten:
            raise _forgotten()
        return position

    def newer(self, after: str | None, resumed: str | None) -> str | None:
        if after is None or resumed is None:
            return resumed if after is None else after
        return newer_cursor(after, resumed, self.log.epoch, end=self.index.published)

    def subscribe(self, viewer: Viewer, *, after: str | None, where: EventFilter) -> Reader:
        return Reader(self, View(self.log.epoch, viewer, where), after)

    def live(self, viewer: Viewer, where: EventFilter, wake: Callable[[], None]) -> Subscriber:
        index = self.index
        return Subscriber(index, View(self.log.epoch, viewer, where), index.published, wake, ())

    async def beginning(self, after: str | None) -> tuple[int, str, StreamGap | None]:
        """See `gateway.events.reader.Source`."""
        if after is None:
            return self.index.published, self.position(), None
        epoch, position = decode_position(after)
        bounds = await self.log.bounds()
        if epoch != self.log.epoch or position > max(bounds.last, self.index.published):
            now = self.position()
            # Of another log its reader has nothing, and must meet the gap again if it leaves before
            # it; of this one that has gone back it has everything, and may not skip what comes.
            told = now if epoch == self.log.epoch else after
            return self.index.published, told, StreamGap(after, now, GapReason.UNKNOWN_CURSOR)
        if position < bounds.forgotten:
            gap = StreamGap(after, self._cursor(bounds.forgotten), GapReason.RETENTION)
            return bounds.forgotten, after, gap
        return position, after, None


def _forgotten() -> Failed:
    return Failed(
        ErrorCode.CURSOR_GONE,
        "the log no longer reaches back to this cursor: read again from the start",
    )


@runtime_checkable
class FollowedLog(Protocol):
    """A log that others append to as well, and that says what they have appended.

    `tail_trouble` is what keeps the tail from going on now.
    """

    tail_trouble: OSError | None

    def tail(self, after: int) -> AsyncGenerator[Logged, None]:
        """What the log holds after a position, as it comes; it never ends."""
        ...


@dataclass(eq=False)
class Follower:
    """One per process, started once the feed has begun.

    It ends when the log was replaced, or by a mistake of ours. Streams of this replica hear nothing
    more then, so that it must not be called ready; only a restart begins anew.
    """

    _log: FollowedLog
    _feed: Feed
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Follow from where the feed began, until `stop`."""
        self._task = asyncio.create_task(self._follow())
        self._task.add_done_callback(_tell_how_it_ended)

    def stop(self) -> None:
        """Idempotent."""
        if self._task is not None:
            self._task.cancel()

    def check(self) -> None:
        """Raises `OSError` while what replicas append does not come."""
        if self._task is None or self._task.done():
            raise OSError("the shared event log is no longer followed: restart the gateway")
        if self._log.tail_trouble is not None:
            raise self._log.tail_trouble

    async def _follow(self) -> None:
        async for entry in self._log.tail(decode_position(self._feed.position())[1]):
            self._feed.publish(entry)


def _tell_how_it_ended(task: asyncio.Task[None]) -> None:
    trouble = None if task.cancelled() else task.exception()
    if trouble is not None:
        # That of a replaced log is expected and says all; another's place in the code is needed.
        story = None if isinstance(trouble, LogReplaced) else trouble
        log.error("the shared event log is no longer followed: %s", trouble, exc_info=story)
