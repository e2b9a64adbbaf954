"""A real cache and a real backend that stop wherever time could pass, or trouble come."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.backends.caching.store import Cache
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin
from schema.ports import Loaded, Meter, Needs, Viewer
from tests.caching.stepping import Schedule

FEW = 8
"""Commands on so few keys are taken apart, and let others in between."""


class Trouble(enum.Enum):
    """What can become of one command."""

    NONE = "it works"
    LOST = "it fails and never happens"
    ANSWER_LOST = "it happens and fails"
    LATE = "it fails and happens later"


class GatedCache:
    """Any cache, one key at a time: nothing that it does to several is atomic."""

    def __init__(self, cache: Cache, schedule: Schedule, troubles: Iterable[Trouble] = ()) -> None:
        self.cache = cache
        self.keys: dict[str, None] = {}
        self.late: list[asyncio.Task[None]] = []
        self._schedule = schedule
        self._troubles: Iterator[Trouble] = iter(troubles)

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        values: list[str | None] = []
        for some in self._apart(keys):
            await self._schedule.step()
            if next(self._troubles, Trouble.NONE) is not Trouble.NONE:
                raise OSError("the answer is lost")
            values += await self._schedule.outside(self.cache.multi_get(some))
        await self._schedule.step()
        return values

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float) -> None:
        for some in self._apart(pairs):
            await self._schedule.step()
            trouble = next(self._troubles, Trouble.NONE)
            if trouble is Trouble.LATE:
                self.late.append(asyncio.ensure_future(self._set_later(some, ttl)))
            elif trouble is not Trouble.LOST:
                await self._set(some, ttl)
            if trouble is not Trouble.NONE:
                raise OSError("the answer is lost")

    async def _set_later(self, pairs: list[tuple[str, str]], ttl: float) -> None:
        await self._schedule.step()
        await self._set(pairs, ttl)

    async def _set(self, pairs: list[tuple[str, str]], ttl: float) -> None:
        await self._schedule.outside(self.cache.multi_set(pairs, ttl=ttl))

    def _apart(self, items: list[Any]) -> list[list[Any]]:
        if len(items) > FEW:
            return [items]
        self.keys |= dict.fromkeys(one if isinstance(one, str) else one[0] for one in items)
        return [[one] for one in items]

    async def evict(self, at: int) -> None:
        """Forget one of the keys that were of interest, as any cache may at any moment."""
        if self.keys:
            key = list(self.keys)[at % len(self.keys)]
            await self._schedule.outside(self.cache.delete(key))

    async def close(self) -> None:
        await self._schedule.outside(self.cache.close())


class GatedBackend(MemoryBackend):
    """The memory backend, asked slowly and answering slowly."""

    def __init__(self, twin: Twin, schedule: Schedule) -> None:
        super().__init__(twin, keeps_trees=False)
        self._schedule = schedule

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> None:
        """Nothing: every read is to be seen."""

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        await self._schedule.step()
        root = await super().load(viewer, needs, meter, known)
        await self._schedule.step()
        return root
