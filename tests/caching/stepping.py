"""Schedules owned by the test: an event loop that asks who goes on next when nobody can.

Tasks stop at steps. Whenever every task waits, one of them is let go, as the switches say; so a
schedule is a list of numbers, every run of it is the same, and no time passes. The second loop is
for time limits: its clock jumps to the next timer instead of waiting for it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class IdleSelector(selectors.SelectSelector):
    """Tells when the loop is about to wait; then `on_idle` may give it something to do."""

    def __init__(self, on_idle: Callable[[float | None], bool]) -> None:
        super().__init__()
        self._on_idle = on_idle

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0 or self._on_idle(timeout):
            return ready
        return super().select(timeout)


Switch = tuple[int, int]
"""After so many steps another task goes on: 1 the one that stopped before this one, and so on."""


class Schedule:
    """Whoever stopped last goes on, so that tasks run one after the other, but for the switches.

    Few switches at any places find what many everywhere would only hide.
    """

    def __init__(self, switches: Iterable[Switch]) -> None:
        self._switches: Iterator[Switch] = iter(switches)
        self._next = next(self._switches, None)
        self._steps = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._outside = 0
        self._is_over = False
        self.choices: list[int] = []
        """How many could have gone on at each step so far."""

    async def step(self) -> None:
        """Wait for one's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Let a real server work; nobody moves before it has answered."""
        self._outside += 1
        try:
            return await work
        finally:
            self._outside -= 1

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with asyncio.Runner(loop_factory=self._loop) as runner:
            try:
                return runner.run(main())
            finally:
                self._is_over = True

    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(IdleSelector(self._let_go))

    def _let_go(self, timeout: float | None) -> bool:
        self._waiting = [turn for turn in self._waiting if not turn.done()]
        if self._outside or self._is_over:
            return False
        assert self._waiting, "every task waits for something that never comes"
        self.choices.append(len(self._waiting))
        self._waiting.pop(-1 - self._turn() % len(self._waiting)).set_result(None)
        return True

    def settle(self) -> None:
        """No more switches: from here on one task after the other."""
        self._next = None

    def _turn(self) -> int:
        self._steps += 1
        if self._next is None or self._steps <= self._next[0]:
            return 0
        turn, self._next, self._steps = self._next[1], next(self._switches, None), 0
        return turn


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while anything can be done, and then jumps."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(IdleSelector(self._jump))

    def time(self) -> float:
        return self._now

    def _jump(self, timeout: float | None) -> bool:
        if timeout is None:
            return False
        self._now += timeout
        return True


def run_in_jumps(main: Coroutine[Any, Any, T]) -> T:
    """Run it on a clock that jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
