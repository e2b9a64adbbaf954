"""Where a gateway meets the outside: every call there passes here, and here it is decided how.

A call may be late, fail before or after it was applied, hang, come too late, or be the last thing
that its process does. Decisions are drawn from the seed for each boundary by itself, so that
leaving out one fault in a plan moves as little as possible elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.simulation.history import Call, History
from tests.simulation.plan import TICK, Fault

T = TypeVar("T")

PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)
"""The gateway process that the running code belongs to; None at Stripe and at callers."""
CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)
"""The caller's try that the running code works for."""


@dataclass(eq=False, slots=True)
class Process:
    """One run of one gateway, from its start to its death."""

    name: str
    number: int
    clock_skew: Callable[[], int]
    gone: asyncio.Future[None]
    is_alive: bool = True
    frozen_until: float = 0.0
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    """In the order in which they began, so that they die in the same order each time."""

    def forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)

    def kill(self) -> None:
        """kill -9: nothing of it has any effect from here on."""
        if not self.is_alive:
            return
        self.is_alive = False
        if not self.gone.done():
            self.gone.set_result(None)
        for task in list(self.tasks):
            task.cancel()


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None) -> Any:
    """Tasks belong to the process that makes them, also those with a context of their own."""
    process = PROCESS.get()
    if context is not None:
        process = context.get(PROCESS) or process
        context.run(PROCESS.set, process)
    task = asyncio.Task(coro, loop=loop, context=context)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(process.forget)
    return task


@dataclass(slots=True)
class _Pending:
    """A fault of the plan that still waits for its calls."""

    fault: Fault
    after: int
    times: int

    def matches(self, where: str, what: str, process: Process | None, now: float) -> bool:
        fault = self.fault
        return (
            self.times > 0
            and fault.where == where
            and what.startswith(fault.what)
            and fault.at <= now < fault.until
            and (fault.gateway is None or (process is not None and process.number == fault.gateway))
        )


WAITS = {
    "http": (0, 0, 1, 1, 2, 3, 4, 8),
    "journal": (0, 0, 0, 0, 0, 0, 1, 1),
    "log": (0, 0, 0, 0, 0, 1, 1, 2),
    "tail": (0, 0, 0, 0, 1, 1, 2, 4),
    "cache": (0,) * 8,
    "progress": (0,) * 8,
    "webhook": (0, 0, 1, 1, 2, 4, 8, 16),
    "timing": (0, 1, 2, 3, 4, 6, 8, 12),
}
"""Ticks that a call takes by itself, one of eight drawn for each."""


class Boundary:
    """Every boundary of one history."""

    def __init__(self, seed: int, tempo: int, faults: tuple[Fault, ...], history: History) -> None:
        self.history = history
        self.taken: Counter[Fault] = Counter()
        self.is_quiet = False
        self._seed = seed & 0xFFFFFFFF
        self._tempo = tempo
        self._pending = [_Pending(one, one.after, one.times) for one in faults]
        self._drawn: dict[str, list[int]] = {}
        """Of each stream: the checksum of its name, and how many were drawn."""
        self.on_crash: Callable[[Process], None] = Process.kill
        self.last_arrival = 0.0
        """When the last request that is on its way to Stripe will be there."""

    def draw(self, stream: str, below: int) -> int:
        """The next number of this stream, from 0 up to but not including `below`."""
        drawn = self._drawn.get(stream)
        if drawn is None:
            drawn = self._drawn[stream] = [zlib.crc32(f"{self._seed}:{stream}:".encode()), 0]
        drawn[1] += 1
        return (zlib.crc32(b"%d" % drawn[1], drawn[0]) * 2654435761 >> 11 & 0xFFFFFF) % below

    def tell(self, line: str, *parts: Any) -> None:
        """A line of the story, where somebody wants it."""
        story = self.history.story
        if story is not None:
            now = asyncio.get_running_loop().time()
            story.append(f"{now:10.4f}  {line.format(*parts)}")

    def fate(self, where: str, what: str) -> Fault | None:
        """What goes wrong with this call, if anything; it is then taken."""
        if self.is_quiet or not self._pending:
            return None
        process, now = PROCESS.get(), asyncio.get_running_loop().time()
        for pending in self._pending:
            if not pending.matches(where, what, process, now):
                continue
            if pending.after > 0:
                pending.after -= 1
                continue
            pending.times -= 1
            self.taken[pending.fault] += 1
            name = "Stripe" if process is None else process.name
            self.tell("!! {}: {} {} -> {}", name, where, what, pending.fault.kind)
            return pending.fault
        return None

    def wait_of(self, where: str, what: str) -> float:
        """The seconds that a call takes by itself."""
        if not any(WAITS[where]):
            return 0.0
        return WAITS[where][self.draw(where + what, 8)] * self._tempo * TICK

    async def cross(self, where: str, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """One call to a store or a cache, with its fate."""
        check_alive()
        call = CALL.get()
        if call is None:
            return await self._crossed(where, what, work)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            return await self._crossed(where, what, work)
        finally:
            call.own_seconds += loop.time() - begun

    async def _crossed(self, where: str, what: str, work: Callable[[], Awaitable[T]]) -> T:
        process, loop = PROCESS.get(), asyncio.get_running_loop()
        if process is not None and process.frozen_until > loop.time():
            await thawed()
        fault = self.fate(where, what)
        wait = self.wait_of(where, what)
        if wait:
            await asyncio.sleep(wait)
        if fault is None:
            answer = await work()
            if process is not None:
                if process.frozen_until > loop.time():
                    await thawed()
                if not process.is_alive:
                    raise asyncio.CancelledError
            return answer
        match fault.kind:
            case "fail before" | "away" | "full":
                raise OSError(f"{where} is {fault.kind}")
            case "fail after":
                await work()
                raise OSError(f"{where} did not answer")
            case "slow":
                await asyncio.sleep(fault.seconds)
                return await work()
            case "slow after":
                answer = await work()
                await asyncio.sleep(fault.seconds)
                return answer
            case "late":
                _apply_later(work, fault.seconds)
                raise OSError(f"{where} did not answer in time")
            case "crash before":
                await self._crash()
            case "crash after":
                await work()
                await self._crash()
        raise AssertionError(fault.kind)

    async def _crash(self) -> None:
        process = PROCESS.get()
        if process is None:
            return
        self.on_crash(process)
        check_alive()


async def thawed() -> None:
    """Wait while the process is stopped, as a machine stops one: it knows nothing of it."""
    process = PROCESS.get()
    loop = asyncio.get_running_loop()
    # It may be stopped once more meanwhile.
    while process is not None and process.frozen_until > loop.time():  # noqa: ASYNC110
        await asyncio.sleep(process.frozen_until - loop.time())


def check_alive() -> None:
    """Whoever is dead gets no further."""
    process = PROCESS.get()
    if process is not None and not process.is_alive:
        raise asyncio.CancelledError


def _apply_later(work: Callable[[], Awaitable[Any]], seconds: float) -> None:
    """A command that was on its way when its sender gave up, or died."""
    context = PROCESS.set(None)
    try:
        asyncio.get_running_loop().create_task(_later(work, seconds))
    finally:
        PROCESS.reset(context)


async def _later(work: Callable[[], Awaitable[Any]], seconds: float) -> None:
    await asyncio.sleep(seconds)
    await work()


class Across:
    """Anything whose calls cross a boundary, whatever its methods are called.

    Coroutine methods cross; everything else is handed through as it is.
    """

    def __init__(self, inner: Any, where: str, boundary: Boundary) -> None:
        self._inner = inner
        self._where = where
        self._boundary = boundary

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found
        boundary, where = self._boundary, self._where

        def crossing(*args: Any, **kwargs: Any) -> Awaitable[Any]:
            return boundary.cross(where, name, lambda: found(*args, **kwargs))

        setattr(self, name, crossing)
        return crossing
