"""One reader's way through the log: what lies behind it, then what comes, without gap or repeat.

It reads the log until it has caught up with what was published, and goes live in the same step,
so that nothing falls between. While it rests, another queue of the same view stands for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from gateway.events.log import EventLog
from gateway.events.subscriber import LiveIndex, Subscriber, View
from schema.ports import GapReason, LiveEvents, StreamCheckpoint, StreamGap, StreamItem

BACKLOG_BATCH = 200
"""Entries read from the log at a time."""


class Source(Protocol):
    """What a reader has of its feed. `readers` are those that are live."""

    log: EventLog
    index: LiveIndex
    readers: int

    async def beginning(self, after: str | None) -> tuple[int, str, StreamGap | None]:
        """The position behind which a stream reads on, the cursor up to which its reader has
        everything, and the gap between, if there is one."""
        ...


class Reader:
    """See `schema.ports.EventReader`. An error ends it, as does being cancelled."""

    __slots__ = ("_after", "_batch", "_is_live", "_queue", "_ready", "_seen", "_source", "_state",
                 "_view", "_waiter")  # fmt: skip

    def __init__(self, source: Source, view: View, after: str | None) -> None:
        self._source = source
        self._view = view
        self._after = after
        self._state = "new"
        self._seen = 0
        self._ready: list[StreamItem] = []
        self._batch: Iterator[StreamItem] | None = None
        self._queue: Subscriber | None = None
        self._is_live = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> StreamItem:
        try:
            return await self._next()
        except BaseException:
            self._close()
            raise

    async def aclose(self) -> None:
        self._close()

    async def _next(self) -> StreamItem:
        if self._state == "new":
            await self._begin()
        while True:
            if self._ready:
                return self._ready.pop(0)
            if self._batch is not None:
                for item in self._batch:
                    return item
                self._batch = None
            if self._state == "over":
                raise StopAsyncIteration
            if self._queue is None:
                await self._read_on()
            elif (live := await self._live_item(self._queue)) is not None:
                return live

    async def _begin(self) -> None:
        self._seen, told, gap = await self._source.beginning(self._after)
        # No await between the look at what was published and this: nothing falls between.
        is_live = self._joined()
        self._ready.append(StreamCheckpoint(told, is_live))
        if gap is not None:
            self._ready.append(gap)
        self._state = "begun"

    def _joined(self) -> bool:
        """Whether the reader has all that was published, and so gets the rest as it comes."""
        if self._seen < self._source.index.published:
            return False
        self._went_live(Subscriber(self._source.index, self._view, self._seen, self._wake, ()))
        return True

    def _went_live(self, queue: Subscriber) -> None:
        self._queue = queue
        if not self._is_live:
            self._is_live = True
            self._source.readers += 1

    def _left(self) -> None:
        if self._queue is not None:
            self._queue.close()
            self._queue = None
        if self._is_live:
            self._is_live = False
            self._source.readers -= 1

    async def _read_on(self) -> None:
        """What the log holds behind the reader, and a checkpoint in the step that makes it live."""
        if self._joined():
            self._ready.append(StreamCheckpoint(self._view.cursor(self._seen), True))
            return
        published = self._source.index.published
        batch = await self._source.log.read(self._seen, BACKLOG_BATCH)
        if batch:
            self._batch = self._view.items(self._seen, batch)
            self._seen = batch[-1].position
        else:  # The log no longer holds what it held.
            self._ready.append(self._view.gap(self._seen, published, GapReason.UNKNOWN_CURSOR))
            self._seen = published

    async def _live_item(self, queue: Subscriber) -> StreamItem | None:
        """What comes while nothing is missing, and a checkpoint whenever the reader got nothing
        for a while: others' events do not make a stream less quiet."""
        view, beat_at = self._view, asyncio.get_running_loop().time() + queue.heartbeat_seconds
        if queue.queue:
            return view.told(queue.take())
        if queue.overflowed:
            self._state = "over"
            self._left()
            return view.gap(queue.heard, queue.heard, GapReason.SLOW_CONSUMER)
        if queue.torn:
            self._seen = queue.heard
            self._left()
        elif not await self._woken(queue, beat_at):
            return queue.checkpoint()
        return None

    async def _woken(self, queue: Subscriber, beat_at: float) -> bool:
        """Whether there is something to do before this time; if not, `heard` may be told.

        What comes in the moment in which the time is over counts as come before it.
        """
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_at(beat_at, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        return bool(queue.queue) or queue.is_over

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_quiet(self) -> bool:
        queue = self._queue
        if queue is None or queue.is_over or queue.is_ahead:
            return False
        return not (self._ready or queue.queue)

    def rest(self) -> int:
        assert self._queue is not None
        assert self.is_quiet
        self._seen = self._queue.heard
        self._queue.close()
        self._queue = None
        return self._seen

    def resume(self, live: LiveEvents, after: int) -> None:
        assert isinstance(live, Subscriber)
        self._went_live(live.split(self._view, after, self._wake))

    def _close(self) -> None:
        self._state, self._ready, self._batch = "over", [], None
        self._left()
