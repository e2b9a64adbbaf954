"""An event loop without sockets, threads or a wall clock: when nothing is ready, time jumps.

Timers of the same instant fall due in the same turn, as they do on a busy machine; everything else
is asyncio's own loop. Who waits for what never comes is told at once instead of hanging.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

TURNS_MAX = 400_000
"""Far more than any history needs; beyond it something spins."""

T = TypeVar("T")


class NothingLeft(Exception):
    """Nothing is ready and no timer is set: what is awaited can never come."""


class Spinning(Exception):
    """The loop turns and turns, and time does not pass."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time begins at 0 and moves only when nothing else can."""

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self._clock_resolution = 1e-7
        self._now = 0.0
        self._turns = 0
        self._selector = self

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """asyncio's own without its checks, which are half of the time that it takes."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def select(self, timeout: float | None) -> list[Any]:
        """What a selector would do: wait for sockets, of which there are none."""
        self._turns += 1
        if self._turns > TURNS_MAX:
            raise Spinning(f"after {self._now:g} s")
        if timeout is None:
            raise NothingLeft(f"after {self._now:g} s")
        if timeout > 0:
            self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

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
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
