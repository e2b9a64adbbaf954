"""A loop whose clock and turns the test owns, with one reader and one writer of a feed on it.

Nothing waits for time, so nothing sleeps; who comes first in which turn is a list of steps, and
every run of it is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.events.log import ENTRIES_MAX, LogEntry
from schema.ports import StreamCheckpoint, StreamItem
from tests.events.channel import OPERATOR, Channel, filtered, turn
from tests.events.entries import entry
from tests.events.unsteady_logs import NEWER, Upgraded, as_read
from tests.events.walking import walked

T = TypeVar("T")
BEAT = 10.0
TURNS_MAX = 50
"""More than anything here needs; a reader that needs more hangs."""


class HandLoop(asyncio.SelectorEventLoop):
    """A loop on which no time passes by itself. It must never be idle."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()

    def time(self) -> float:
        return self.now


def by_hand(main: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop whose clock is moved by hand."""
    with asyncio.Runner(loop_factory=HandLoop) as runner:
        return runner.run(main)


TYPES = {"w": "PAID", "u": "OVERPAID", "n": NEWER, "a": "PAID"}


class Scene:
    """A live reader that wants PAID, and a writer: they move as the steps say.

    `w` tells what is wanted, `u` what is not, `n` what a newer release has written; `a` appends
    what is wanted, and `p` publishes it, however late; `t` lets a heartbeat fall due; `.` gives
    everybody one turn; `r` lets the reader take one item more.
    """

    def __init__(self, *, queue_max: int = 256, entries_max: int = ENTRIES_MAX) -> None:
        log = Upgraded(entries_max=entries_max)
        self.channel = Channel.opened(log, queue_max=queue_max, heartbeat_seconds=BEAT)
        self.found: list[StreamItem] = []
        self.appended = 0
        self._due: list[int] = []
        self._unpublished: list[LogEntry] = []
        self._may_take = asyncio.Semaphore(0)
        self._reader: asyncio.Task[None] | None = None

    async def listen(self, after: int | None = None) -> None:
        """Open a stream; its reader has the first checkpoint and has not asked for more."""
        self._reader = asyncio.create_task(self._read(after))
        await self.steps("...")
        assert len(self.found) == 1

    async def steps(self, steps: str) -> None:
        for step in steps:
            await self._step(step)

    async def _step(self, step: str) -> None:
        if step in TYPES:
            placed = await self._append(TYPES[step])
            if step == "a":
                self._unpublished.append(placed)
            else:
                self.channel.feed.publish(as_read(placed))
        elif step == "p" and self._unpublished:
            self.channel.feed.publish(self._unpublished.pop(0))
        elif step == "t":
            loop = asyncio.get_running_loop()
            assert isinstance(loop, HandLoop)
            loop.now += BEAT
        elif step == "r":
            self._may_take.release()
        elif step == ".":
            await turn()

    async def _append(self, type: str) -> LogEntry:
        placed = await self.channel.log.append(entry(type=type))
        assert placed is not None
        self.appended += 1
        if type != TYPES["u"]:
            self._due.append(placed.position)
        return placed

    async def _read(self, after: int | None) -> None:
        cursor = None if after is None else self.channel.cursor(after)
        where = filtered(types=["PAID"])
        async for one in self.channel.feed.subscribe(OPERATOR, after=cursor, where=where):
            self.found.append(one)
            await self._may_take.acquire()

    async def rest(self) -> list[StreamItem]:
        """Everything up to the end, or to a checkpoint at the end of what was published."""
        assert self._reader is not None
        await self.steps("p" * len(self._unpublished))
        end = self.channel.feed.position()
        for _ in range(TURNS_MAX):
            if self._reader.done() or self._is_through(end):
                break
            await self.steps("r...t..")
        else:
            raise AssertionError(f"a reader that hangs: {self.found}")
        self._reader.cancel()
        await asyncio.wait({self._reader})
        return self.found

    def _is_through(self, end: str) -> bool:
        last = self.found[-1]
        return isinstance(last, StreamCheckpoint) and last.live and last.cursor == end

    def walked(self, start: int = 0) -> int:
        """Where the stream has got to; each of its items was true."""
        return walked(self.found, start, self._due)
