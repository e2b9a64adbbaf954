"""An operation that is held wherever it waits, so that a test can act in between.

Whatever the operation starts is held too, tasks of its own included; servers and everybody else
run freely. What is done at which moment is a plain table, so every run of it is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextvars import Context, ContextVar
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Act = Callable[[], Coroutine[Any, Any, None]]

_STEPPING: ContextVar[Stepping | None] = ContextVar("_STEPPING", default=None)


class Stepping:
    """Counts the moments at which an operation really waits, and acts at some of them, in order.

    Each wait has two: before it, and when what it waited for has come but nobody has looked at it.
    An act runs to its end, outside the operation and while nothing of it moves.
    """

    def __init__(self, acts: Iterable[tuple[int, Act]] = ()) -> None:
        self.passed = 0
        self._acts = list(acts)
        self._acting = asyncio.Lock()
        self._acted: list[asyncio.Task[None]] = []

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The operation's outcome. What was due after its last moment is left to `rest`."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(_task)
        try:
            token = _STEPPING.set(self)
            task = asyncio.ensure_future(work)
            _STEPPING.reset(token)
            outcome = await task
        finally:
            loop.set_task_factory(before)
        for act in self._acted:
            act.result()
        return outcome

    async def rest(self) -> None:
        """What no moment was left for, in its order."""
        for _, act in self._acts:
            await act()

    async def pause(self) -> None:
        """One moment more. An act goes on when a time limit of the operation ends meanwhile, and
        what it raises is not the operation's to hear."""
        self.passed += 1
        async with self._acting:
            while self._acts and self._acts[0][0] < self.passed:
                _, act = self._acts.pop(0)
                acting = asyncio.get_running_loop().create_task(act(), context=Context())
                self._acted.append(acting)
                await _over(acting)


async def _over(acting: asyncio.Task[None]) -> None:
    try:
        await asyncio.wait({acting})
    except asyncio.CancelledError:
        await asyncio.wait({acting})
        raise


def _task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **given: Any
) -> asyncio.Task[T]:
    context: Context | None = given.get("context")
    stepping = _STEPPING.get() if context is None else context.get(_STEPPING)
    held = work if stepping is None else _held(work, stepping)
    return asyncio.Task(held, loop=loop, **given)


async def _held(work: Coroutine[Any, Any, T], stepping: Stepping) -> T:
    return await _stepped(work, stepping)


@coroutine
def _stepped(work: Coroutine[Any, Any, T], stepping: Stepping) -> Generator[Any, Any, T]:
    """Hand through what the work waits for, and what it is told, with a pause before each."""
    go_on: Callable[[Any], Any] = work.send
    told: Any = None
    while True:
        try:
            waited_for = go_on(told)
        except StopIteration as over:
            outcome: T = over.value
            return outcome
        try:
            yield from _through(stepping.pause())
            go_on, told = work.send, (yield waited_for)
            yield from _through(stepping.pause())
        except BaseException as thrown:  # noqa: BLE001 - a cancellation is the work's to hear.
            go_on, told = work.throw, thrown


def _through(waiting: Awaitable[None]) -> Generator[Any, Any, None]:
    return (yield from waiting.__await__())
