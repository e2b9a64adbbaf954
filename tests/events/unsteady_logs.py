"""Logs in memory with the manners of logs on disks: they fail, confirm late, and keep waiting."""

from __future__ import annotations

import asyncio

from gateway.events.log import LogEntry, MemoryEventLog
from tests.events.channel import EPOCH, turn


class BrokenAt(MemoryEventLog):
    """A log whose nth append finds no disk."""

    def __init__(self, nth: int) -> None:
        super().__init__(EPOCH)
        self._left = nth

    async def append(self, entry: LogEntry) -> LogEntry | None:
        self._left -= 1
        if self._left == 0:
            raise OSError("no disk")
        return await super().append(entry)


class Overtaking(MemoryEventLog):
    """A log that confirms later what was appended earlier, as group commits may."""

    def __init__(self, turns: int) -> None:
        super().__init__(EPOCH)
        self._turns = turns

    async def append(self, entry: LogEntry) -> LogEntry | None:
        placed = await super().append(entry)
        self._turns -= 1
        for _ in range(self._turns):
            await turn()
        return placed


class Held(MemoryEventLog):
    """A log that has the entry and keeps its answer back until it is released."""

    def __init__(self) -> None:
        super().__init__(EPOCH)
        self.has_it, self.released = asyncio.Event(), asyncio.Event()

    async def append(self, entry: LogEntry) -> LogEntry | None:
        placed = await super().append(entry)
        self.has_it.set()
        await self.released.wait()
        return placed
