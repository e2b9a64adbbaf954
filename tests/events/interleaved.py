"""Writers that go on while a reader reads: at every await of the reading, some of their steps.

The log is a real one around a real one. What another task could do while a reader waits is done
right there, so that a schedule is a plain list and every run of it is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.events.feed import Feed
from gateway.events.log import Bounds, Claim, EventLog, LogEntry
from tests.events.entries import entry


@dataclass(slots=True)
class Writers:
    """Append (`a`) and publish (`p`) entries, each publish behind its append, as scheduled.

    `moves` says which steps are taken at each await; what it leaves is taken by `rest`.
    """

    log: EventLog
    count: int
    moves: Iterator[str]
    fields: dict[str, Any] = field(default_factory=dict)
    feed: Feed | None = None
    is_out_of_moves: bool = False
    appended: int = 0
    unpublished: deque[LogEntry] = field(default_factory=deque)

    @property
    def are_done(self) -> bool:
        return self.appended == self.count and not self.unpublished

    async def some(self) -> None:
        move = next(self.moves, None)
        self.is_out_of_moves = move is None
        for step in move or "":
            await self._step(step)

    async def rest(self) -> None:
        while not self.are_done:
            await self._step("a")
            await self._step("p")

    async def _step(self, step: str) -> None:
        assert self.feed is not None
        if step == "a" and self.appended < self.count:
            placed = await self.log.append(entry(**self.fields))
            assert placed is not None
            self.appended += 1
            self.unpublished.append(placed)
        elif step == "p" and self.unpublished:
            self.feed.publish(self.unpublished.popleft())


class InterleavedLog:
    """A log whose answers take time: writers move before it looks and before it answers."""

    def __init__(self, inner: EventLog, *, writes: int, moves: Iterable[str]) -> None:
        self.epoch = inner.epoch
        self.writers = Writers(inner, writes, iter(moves))
        self._inner = inner

    async def append(self, entry: LogEntry) -> LogEntry | None:
        return await self._inner.append(entry)

    async def knows(self, names: Sequence[str]) -> bool:
        return await self._inner.knows(names)

    async def claim(self, names: Sequence[str], owner: str) -> Claim:
        return await self._inner.claim(names, owner)

    async def release(self, names: Sequence[str], owner: str) -> None:
        await self._inner.release(names, owner)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        await self.writers.some()
        batch = await self._inner.read(after, limit)
        await self.writers.some()
        return batch

    async def bounds(self) -> Bounds:
        await self.writers.some()
        bounds = await self._inner.bounds()
        await self.writers.some()
        return bounds
