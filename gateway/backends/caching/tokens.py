"""Which cached values still count: each carries the tokens of the names it depends on.

Each name has a random token. A value is stored with the tokens of its names and counts only while
they all still hold; a drop renews them. So that what a read brings back late is never stored
under tokens of a drop that it has missed, each name also has a guard, which it shares with others.
A drop renews first the guards, then the tokens. A reader takes all guards before it asks inside
(`before`), and once the answer is there takes first the tokens, then the guards again
(`unchanged`). Take one drop and one name of a value:

- the guard was renewed before `before`: the reader asked after the change, and knows it;
- it was renewed between the two looks: they differ, and the value is not stored;
- it was renewed after the second look: then so was the token, and it is not the one that was
  taken before that look. The value does not count.

This needs no compare-and-set and no atomic step, and a token that gets lost is only a miss, as
long as no token ever comes twice: they are random, and no command is sent twice.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.backends.caching.dependencies import ANY
from gateway.backends.caching.store import DROP_SECONDS_MAX, CacheStore

TOKEN_SECONDS = 86_400.0
"""Tokens outlive every value by far; when one goes, the values under it go with it."""
GUARDS = 256
"""With fewer, a busy account's drops keep unrelated reads from being stored; all are read at once
when something is missing. A part of the keys, so it never changes."""
OWED_MAX = 100_000
"""Names whose drop failed. When there are more, what the first of them dropped has timed out."""


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood before a read asked inside."""

    guards: Mapping[str, str]

    @property
    def any_drop(self) -> str:
        """Another one after every drop, whatever was dropped."""
        return self.guards[guard_of(ANY)]


class Tokens:
    """Reads, makes and renews tokens under a prefix.

    `new_token` never answers the same twice, in any process. Methods raise `CacheDownError` when
    the cache does not answer.
    """

    def __init__(self, store: CacheStore, new_token: Callable[[], str], prefix: str) -> None:
        self._store = store
        self._new_token = new_token
        self._prefix = prefix
        self._making = asyncio.Lock()
        self._owed: dict[str, object] = {}
        self._guard_keys = [self._key("g", name) for name in ALL_GUARDS]

    async def now(self, names: Iterable[str]) -> dict[str, str]:
        """The tokens that there are."""
        return await self._held("t", names)

    async def before(self) -> Before:
        """How things stand, taken before asking inside."""
        guards = await self._all_guards()
        if len(guards) < GUARDS:
            async with self._making:  # One makes them, so that all who wait here agree.
                guards = await self._held_or_made("g", ALL_GUARDS)
        return Before(guards)

    async def unchanged(self, names: Iterable[str], before: Before) -> dict[str, str]:
        """The tokens of those names that were surely not dropped since then."""
        wanted = list(names)
        tokens = await self._held_or_made("t", wanted)
        guards = await self._held("g", guards_of(wanted))
        return {
            name: tokens[name]
            for name in wanted
            if guards.get(guard_of(name)) == before.guards[guard_of(name)]
        }

    async def renew(self, names: Iterable[str], *, seconds_max: float = DROP_SECONDS_MAX) -> None:
        """Make everything that depends on these names a miss, for every replica.

        When that is not certain, it raises, and is owed: see `make_good`.
        """
        dropped, is_certain = list(names), False
        try:
            await self._renew(dropped, seconds_max)
            is_certain = True
        finally:
            if not is_certain:
                self._owe(dropped)

    async def make_good(self) -> None:
        """Renew what an earlier drop has failed to renew; until then nothing here can be trusted.

        Other replicas cannot know: for them, whoever brought the event must bring it again.
        """
        owed = dict(self._owed)
        if not owed:
            return
        await self._renew(list(owed), None)
        for name, debt in owed.items():
            if self._owed.get(name) is debt:
                del self._owed[name]

    def _owe(self, names: Iterable[str]) -> None:
        for name in names:
            self._owed.pop(name, None)
            self._owed[name] = object()
        while len(self._owed) > OWED_MAX:
            del self._owed[next(iter(self._owed))]

    async def _renew(self, names: list[str], seconds_max: float | None) -> None:
        await self._set("g", guards_of(names), seconds_max)
        await self._set("t", names, seconds_max)

    async def _all_guards(self) -> dict[str, str]:
        return _there(ALL_GUARDS, await self._store.get_many(self._guard_keys))

    async def _held(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        wanted = list(names)
        return _there(
            wanted, await self._store.get_many([self._key(kind, name) for name in wanted])
        )

    async def _held_or_made(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        """The tokens, made where there are none. To set one too often is only a miss."""
        wanted = list(names)
        held = await self._held(kind, wanted)
        made = await self._set(kind, [name for name in wanted if name not in held], None)
        return held | made

    async def _set(
        self, kind: str, names: Iterable[str], seconds_max: float | None
    ) -> dict[str, str]:
        fresh = {name: self._new_token() for name in names}
        keyed = {self._key(kind, name): token for name, token in fresh.items()}
        await self._store.set_many(keyed, TOKEN_SECONDS, seconds_max=seconds_max)
        return fresh

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"


def _there(names: Iterable[str], tokens: Iterable[str | None]) -> dict[str, str]:
    found = zip(names, tokens, strict=True)
    return {name: token for name, token in found if token is not None}


ALL_GUARDS = tuple(str(number) for number in range(GUARDS))


def guard_of(name: str) -> str:
    return str(zlib.crc32(name.encode()) % GUARDS)


def guards_of(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(guard_of(name) for name in names))
