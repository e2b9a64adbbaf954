"""What gateways keep outside of themselves, and what outlives them: log, journal, progress, cache.

Held in memory by the gateway's own classes; replicas and restarts meet in it as they meet in a
Redis or a file. Each gateway reaches it across its own boundary.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.caching.store import BoundedMemoryCache
from gateway.composition.stores import Stores
from gateway.events.log import LogEntry
from tests.simulation.boundary import Across, Boundary

TAIL_BATCH = 200
TAIL_PAUSE = 1 / 16


class LogAcross(Across):
    """The event log of a gateway that has it to itself."""


class FollowedLogAcross(Across):
    """The log that replicas share: each follows what the others append."""

    tail_trouble: OSError | None = None

    def __init__(self, inner: Any, boundary: Boundary, appended: Appended) -> None:
        super().__init__(inner, "log", boundary)
        self._appended = appended

    async def append(self, entry: LogEntry) -> LogEntry | None:
        return await self._boundary.cross("log", "append", lambda: self._append(entry))

    async def _append(self, entry: LogEntry) -> LogEntry | None:
        placed: LogEntry | None = await self._inner.append(entry)
        self._appended.tell()
        return placed

    async def tail(self, after: int) -> AsyncGenerator[LogEntry, None]:
        while True:
            mark = self._appended.count
            reading = partial(self._inner.read, after, TAIL_BATCH)
            try:
                batch = await self._boundary.cross("tail", "read", reading)
            except OSError:
                await asyncio.sleep(TAIL_PAUSE)
                continue
            for entry in batch:
                after = entry.position
                yield entry
            if not batch:
                await self._appended.beyond(mark)


@dataclass(slots=True)
class Appended:
    """Wakes those who follow the log."""

    count: int = 0
    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def beyond(self, mark: int) -> None:
        while self.count == mark:
            await self._event.wait()


class CacheAcross(BoundedMemoryCache):
    """The gateway's own memory cache, its entries shared as in a Redis."""

    def __init__(self, shared: BoundedMemoryCache, boundary: Boundary) -> None:
        super().__init__(shared._now)
        self._held = shared._held
        self._boundary = boundary

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        async def work() -> list[str | None]:
            return await super(CacheAcross, self).multi_get(keys)

        return await self._boundary.cross("cache", "get", work)

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        async def work() -> None:
            await super(CacheAcross, self).multi_set(pairs, ttl)

        await self._boundary.cross("cache", "set", work)

    async def close(self) -> None:
        """The shared part lives on."""


@dataclass(slots=True)
class Durable:
    """What is left when every gateway is dead. `wraps` lets a test put something of its own in."""

    stores: Stores
    cache: BoundedMemoryCache
    is_shared: bool
    boundary: Boundary
    appended: Appended = field(default_factory=Appended)
    wraps: Callable[[Stores], Stores] = lambda stores: stores

    def across(self) -> Stores:
        """The same, as one gateway reaches it."""
        inner = self.wraps(self.stores)
        log: Any
        if self.is_shared:
            log = FollowedLogAcross(inner.log, self.boundary, self.appended)
        else:
            log = LogAcross(inner.log, "log", self.boundary)
        journal: Any = Across(inner.journal, "journal", self.boundary)
        progress: Any = Across(inner.progress, "progress", self.boundary)
        of_thin: Any = Across(inner.thin_progress, "progress", self.boundary)
        return Stores(log, journal, progress, thin_progress=of_thin)

    async def unfinished(self) -> list[Any]:
        """Writes that the gateways have to go on from by themselves."""
        found = await self.stores.journal.open_records()
        waiting = {one.whole for one in found if one.state == "undecidable"}
        return [
            one
            for one in found
            if one.state not in ("undecidable", "free") and one.name not in waiting
        ]

    def cache_across(self) -> CacheAcross:
        if not self.is_shared:
            # A cache inside the process is gone with it.
            self.cache = BoundedMemoryCache(self.cache._now)
        return CacheAcross(self.cache, self.boundary)
