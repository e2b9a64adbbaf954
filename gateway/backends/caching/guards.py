"""Guards of the names that cached values depend on: whether one was dropped since a read began.

Replicas that share a cache share their guards in it, a few for all names. A process whose cache is
its own counts its drops, and knows the last one of each name.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.backends.caching.dependencies import ANY
from gateway.backends.caching.store import CacheStore

GUARDS = 256
"""With fewer, a busy account's drops keep unrelated reads from being stored; all are read at once
when something is missing. A part of the keys, so it never changes."""
GUARD_SECONDS = 86_400.0
NAMES_MAX = 100_000
"""Names whose last drop is known; about 10 MB. What is older than the first that was forgotten may
have been dropped."""


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood before a read asked inside. `any_drop` is another one after every drop,
    whatever was dropped."""

    any_drop: object
    guards: Mapping[str, str] = field(default_factory=dict)
    count: int = 0


class Guards(Protocol):
    """All methods raise `CacheDownError` when a shared cache does not answer."""

    async def before(self) -> Before:
        """How things stand, taken before asking inside."""
        ...

    async def unchanged(self, names: Iterable[str], before: Before) -> set[str]:
        """Those of the names that were surely not dropped since then."""
        ...

    async def renew(self, names: Iterable[str], seconds_max: float | None) -> None:
        """These are dropped now."""
        ...


class OwnGuards:
    """The guards of a process whose cache nobody shares: a count of its drops."""

    def __init__(self, *, names_max: int = NAMES_MAX) -> None:
        self._names_max = names_max
        self._count = 0
        self._last: dict[str, int] = {}
        self._forgotten = 0

    async def before(self) -> Before:
        return Before(self._count, count=self._count)

    async def unchanged(self, names: Iterable[str], before: Before) -> set[str]:
        if before.count < self._forgotten:
            return set()
        return {name for name in names if self._last.get(name, 0) <= before.count}

    async def renew(self, names: Iterable[str], seconds_max: float | None) -> None:
        self._count += 1
        for name in names:
            self._last.pop(name, None)
            self._last[name] = self._count
        while len(self._last) > self._names_max:
            self._forgotten = self._last.pop(next(iter(self._last)))


class SharedGuards:
    """Random words in the cache, each for many names; `key` is where one stands."""

    def __init__(
        self, store: CacheStore, new_token: Callable[[], str], key: Callable[[str], str]
    ) -> None:
        self._store = store
        self._new_token = new_token
        self._keys = {name: key(name) for name in ALL_GUARDS}
        self._making = asyncio.Lock()

    async def before(self) -> Before:
        guards = await self._held(ALL_GUARDS)
        if len(guards) < GUARDS:
            async with self._making:  # One makes them, so that all who wait here agree.
                guards = await self._held(ALL_GUARDS)
                guards |= await self._set((one for one in ALL_GUARDS if one not in guards), None)
        return Before(guards[guard_of(ANY)], guards)

    async def unchanged(self, names: Iterable[str], before: Before) -> set[str]:
        wanted = list(names)
        now = await self._held(guards_of(wanted))
        return {name for name in wanted if now.get(guard_of(name)) == before.guards[guard_of(name)]}

    async def renew(self, names: Iterable[str], seconds_max: float | None) -> None:
        await self._set(guards_of(names), seconds_max)

    async def _held(self, guards: Iterable[str]) -> dict[str, str]:
        wanted = list(guards)
        found = await self._store.get_many([self._keys[one] for one in wanted])
        return {one: word for one, word in zip(wanted, found, strict=True) if word is not None}

    async def _set(self, guards: Iterable[str], seconds_max: float | None) -> dict[str, str]:
        fresh = {one: self._new_token() for one in guards}
        keyed = {self._keys[one]: word for one, word in fresh.items()}
        await self._store.set_many(keyed, GUARD_SECONDS, seconds_max=seconds_max)
        return fresh


ALL_GUARDS = tuple(str(number) for number in range(GUARDS))


def guard_of(name: str) -> str:
    return str(zlib.crc32(name.encode()) % GUARDS)


def guards_of(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(guard_of(name) for name in names))
