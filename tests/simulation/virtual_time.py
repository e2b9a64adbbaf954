"""An event loop without sockets, threads or a wall clock: when nothing is ready, time jumps.

Timers of the same instant fall due in the same turn, as they do on a busy machine; everything else
is asyncio's own loop. Who waits for what never comes is told at once instead of hanging.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVar

TURNS_MAX = 400_000
"""Far more than any history needs; beyond it something spins."""

RESOLUTION = 1e-7
"""Seconds: instants that are nearer to each other are the same."""

T = TypeVar("T")


class NothingLeft(Exception):
    """Nothing is ready and no timer is set: what is awaited can never come."""


class Spinning(Exception):
    """The loop turns and turns, and time does not pass."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time begins at 0 and moves only when nothing else can."""

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_count = 0

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """asyncio's own without its checks, which are half of the time that it takes."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """The same. Timers of the same instant fall due in the order in which they were set."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer_count += 1
        heappush(self._timers, (when, self._timer_count, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _run_once(self) -> None:
        """One turn: what is due, and then what was ready when the turn began."""
        self._turns += 1
        if self._turns > TURNS_MAX:
            raise Spinning(f"after {self._now:g} s")
        timers, ready = self._timers, self._ready
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise NothingLeft(f"after {self._now:g} s")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now + RESOLUTION:
            timer = heappop(timers)[2]
            if not timer.cancelled():
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _write_to_self(self) -> None:
        """No other thread wakes this loop."""


def run(work: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """The outcome of the work on this loop; whatever is still under way then is cancelled."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        for _ in range(3):
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
