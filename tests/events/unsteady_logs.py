"""Logs in memory with the manners of logs on disks: they fail, confirm late, keep waiting, and are
written to by newer releases."""

from __future__ import annotations

import asyncio

from gateway.events.log import ENTRIES_MAX, LogEntry, Logged, MemoryEventLog, Unreadable
from tests.events.channel import EPOCH, Channel, turn
from tests.events.entries import entry


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


NEWER = "OF_A_NEWER_RELEASE"


class Upgraded(MemoryEventLog):
    """A log to which a newer release appends as well: entries of its own type cannot be read."""

    def __init__(self, *, entries_max: int = ENTRIES_MAX) -> None:
        super().__init__(EPOCH, entries_max=entries_max)

    async def read(self, after: int, limit: int) -> list[Logged]:
        return [as_read(one) for one in await super().read(after, limit)]


def as_read(placed: LogEntry) -> Logged:
    """What a release that is older than its writer makes of an entry."""
    return Unreadable(placed.position, version=2) if placed.type == NEWER else placed


async def tell_newer(channel: Channel, count: int = 1) -> None:
    """Facts that a newer release has appended, published as the tail brings them."""
    for _ in range(count):
        placed = await channel.log.append(entry(type=NEWER))
        assert placed is not None
        channel.feed.publish(as_read(placed))
