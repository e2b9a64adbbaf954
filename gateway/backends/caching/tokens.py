"""Which cached values still count: each carries the tokens of the names it depends on, and counts
only while they all hold. A drop of a name ends its token.

A process whose cache nobody shares counts its drops. Replicas keep a random token for each name in
the cache they share; so that what a read brings back late is never stored under tokens of a drop
that it has missed, names also have guards there, a few for all. A drop renews first the guards,
then the tokens. A reader takes all guards before it asks inside (`before`), and once the answer is
there takes first the tokens, then the guards again (`unchanged`): a cache answers a command as of
one moment, or of later moments for later keys. Take one drop and one name:

- the guard was renewed before `before`: the reader asked after the change, and knows it;
- it was renewed between the two looks: they differ, and the value is not stored;
- it was renewed after the second look: then so was the token, and it is not the one that was
  taken before that look. The value does not count.

This needs no compare-and-set and no atomic step, and a token that gets lost is only a miss, as
long as no token ever comes twice: they are random, and no command is sent twice. Guards that were
taken too early are no worse: what was dropped since then is not stored, and nothing else. So they
are remembered, with what this process has set since, for as long as no other drop renews `ANY`'s.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from gateway.backends.caching.entries import Kept, Token
from gateway.backends.caching.policy import ANY
from gateway.backends.caching.store import DROP_SECONDS_MAX, CacheDownError, CacheStore
from schema.ports import Basis

GUARDS = 256
"""With fewer, a busy account's drops keep unrelated reads from being stored; all are read at once
when something is missing. A part of the keys, so it never changes."""
TOKEN_SECONDS = 86_400.0
"""Tokens and guards outlive every value by far; when one goes, the values under it go with it."""
NAMES_MAX = 100_000
"""Names whose last drop is known; about 10 MB. What is older than the first that was forgotten may
have been dropped."""
OWED_MAX = 100_000
"""Names whose drop failed. When there are more, what the first of them dropped has timed out."""


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood before a read asked inside: `any_drop` is another one after every drop,
    whatever was dropped."""

    any_drop: object
    guards: Mapping[str, str] = field(default_factory=dict)
    count: int = 0


class Tokens(Protocol):
    """All methods raise `CacheDownError` when a shared cache does not answer."""

    async def counting(self, kept: Sequence[Kept], seen: dict[str, Token]) -> list[bool]:
        """Which of the values still count. `seen` are the tokens that this read has taken so far:
        any moment since it began will do."""
        ...

    async def keys(self, names: Iterable[str]) -> list[str]:
        """Where the tokens of these names are, if they are in the cache: they may be taken with
        what depends on them."""
        ...

    async def before(self) -> Before:
        """How things stand, taken before asking inside."""
        ...

    async def unchanged(self, names: Iterable[str], before: Before) -> Mapping[str, Token]:
        """The tokens of those names that were surely not dropped since then."""
        ...

    async def renew(
        self,
        names: Sequence[str],
        *,
        since: Before | None = None,
        seconds_max: float | None = DROP_SECONDS_MAX,
    ) -> None:
        """Make everything that depends on these names a miss, for every replica. `ANY` is among
        them. What was read `since` then may be left alone, as it is no older than what these names
        are dropped for."""
        ...

    async def renewed(self, names: Sequence[str]) -> Before | None:
        """Renew them for a read that begins then; how things stand, if that is known."""
        ...

    def basis(self, kept: Sequence[Kept], now: Callable[[], float]) -> Basis:
        """What was made of these values, which count now."""
        ...


class OwnTokens:
    """Of a process whose cache nobody shares: a value's token is how many drops there had been when
    its read began."""

    def __init__(self, *, names_max: int = NAMES_MAX) -> None:
        self._names_max = names_max
        self._count = 0
        self._last: dict[str, int] = {}
        self._forgotten = 0

    async def counting(self, kept: Sequence[Kept], seen: dict[str, Token]) -> list[bool]:
        return [self._since(one.tokens) == one.tokens for one in kept]

    async def keys(self, names: Iterable[str]) -> list[str]:
        return []

    async def before(self) -> Before:
        return Before(self._count, count=self._count)

    async def unchanged(self, names: Iterable[str], before: Before) -> Mapping[str, Token]:
        return self._since(dict.fromkeys(names, before.count))

    def basis(self, kept: Sequence[Kept], now: Callable[[], float]) -> Basis:
        """Of two values that depend on one name the older decides."""
        counts: dict[str, Token] = {}
        for one in kept:
            for name, count in one.tokens.items():
                counts[name] = min(count, counts.get(name, count))
        return _OwnBasis(len(kept), _ends_at(kept), now, self, counts)

    @property
    def count(self) -> int:
        """How many drops there have been."""
        return self._count

    def hold(self, counts: Mapping[str, Token]) -> bool:
        """Whether none of the names was dropped since so many drops."""
        return len(self._since(counts)) == len(counts)

    def _since(self, counts: Mapping[str, Token]) -> Mapping[str, Token]:
        """Those of the names that were not dropped since so many drops."""
        last, forgotten = self._last, self._forgotten
        return {
            name: count
            for name, count in counts.items()
            if isinstance(count, int) and last.get(name, forgotten) <= count
        }

    async def renew(
        self,
        names: Sequence[str],
        *,
        since: Before | None = None,
        seconds_max: float | None = DROP_SECONDS_MAX,
    ) -> None:
        self._count += 1
        count = self._count if since is None else since.count
        for name in names:
            self._last[name] = max(count, self._last.pop(name, self._forgotten))
        while len(self._last) > self._names_max:
            oldest = self._last.pop(next(iter(self._last)))
            self._forgotten = max(self._forgotten, oldest)

    async def renewed(self, names: Sequence[str]) -> Before:
        await self.renew(names)
        return await self.before()


class SharedTokens:
    """Of replicas, in the cache that they share. `new_token` never answers the same twice, in any
    process.

    A drop that is not certain raises and is owed: until it is made good nothing here can be
    trusted. Other replicas cannot know: for them, whoever brought the event must bring it again.
    """

    def __init__(self, store: CacheStore, new_token: Callable[[], str], prefix: str) -> None:
        self._store = store
        self._new_token = new_token
        self._prefix = prefix
        self._guards = [f"{prefix}g:{number}" for number in range(GUARDS)]
        self._any_guard = self._guard(ANY)
        self._taken: Mapping[str, str] = {}
        self._making = asyncio.Lock()
        self._owed: dict[str, object] = {}

    async def counting(self, kept: Sequence[Kept], seen: dict[str, Token]) -> list[bool]:
        await self._make_good()
        unseen = sorted({name for one in kept for name in one.tokens} - seen.keys())
        held = await self._held([self._key(name) for name in unseen])
        seen.update({name: held[key] for name in unseen if (key := self._key(name)) in held})
        return [all(seen.get(name) == token for name, token in one.tokens.items()) for one in kept]

    async def keys(self, names: Iterable[str]) -> list[str]:
        await self._make_good()
        return [self._key(name) for name in names]

    async def before(self) -> Before:
        await self._make_good()
        guards = await self._still_taken()
        if not guards:
            guards = self._taken = await self._all_guards()
        return Before(guards[self._any_guard], guards)

    async def _still_taken(self) -> Mapping[str, str]:
        """The guards as they were taken last, if there was no drop since but our own; else none."""
        is_known = False
        if self._taken:
            try:
                held = await self._held([self._any_guard])
                is_known = held.items() <= self._taken.items() and bool(held)
            finally:
                if not is_known:
                    self._taken = {}
        return self._taken

    async def _all_guards(self) -> Mapping[str, str]:
        guards = await self._held(self._guards)
        if len(guards) < GUARDS:
            async with self._making:  # One makes them, so that all who wait here agree.
                guards = await self._held(self._guards)
                guards |= await self._set([one for one in self._guards if one not in guards], None)
        return guards

    async def unchanged(self, names: Iterable[str], before: Before) -> Mapping[str, Token]:
        """They are made where there are none: to set one too often is only a miss."""
        keys = {name: self._key(name) for name in names}
        tokens = guards = await self._held([*keys.values(), *self._guards_of(keys)])
        if made := [key for key in keys.values() if key not in tokens]:
            tokens = tokens | await self._set(made, None)
            guards = await self._held(self._guards_of(keys))
        certain = {
            name: tokens[key]
            for name, key in keys.items()
            if guards.get(guard := self._guard(name)) == before.guards[guard]
        }
        if len(certain) < len(keys):
            self._taken = {}
        return certain

    async def renew(
        self,
        names: Sequence[str],
        *,
        since: Before | None = None,
        seconds_max: float | None = DROP_SECONDS_MAX,
    ) -> None:
        """Whatever was read since: a token of another's drop in between would be overwritten."""
        with self._owed_unless_certain(names):
            with suppress(CacheDownError):
                await self._still_taken()
            await self._renew(names, seconds_max)

    async def renewed(self, names: Sequence[str]) -> Before | None:
        with self._owed_unless_certain(names):
            taken: Mapping[str, str] = {}
            with suppress(CacheDownError):
                taken = (await self.before()).guards
            fresh = await self._renew(names, DROP_SECONDS_MAX)
        return Before(fresh[self._any_guard], {**taken, **fresh}) if taken else None

    async def _renew(self, names: Sequence[str], seconds_max: float | None) -> Mapping[str, str]:
        """The new guards. It is one command, in the order of its keys: guards, then tokens; `ANY`
        comes last, as whoever sees it as it was may have been told nothing of this drop yet."""
        ordered = [*(name for name in names if name != ANY), ANY]
        guards = self._guards_of(ordered)
        fresh = await self._set([*guards, *map(self._key, ordered)], seconds_max)
        renewed = {guard: fresh[guard] for guard in guards}
        if self._taken:
            self._taken = {**self._taken, **renewed}
        return renewed

    @contextmanager
    def _owed_unless_certain(self, names: Sequence[str]) -> Iterator[None]:
        """For one drop, however it ends."""
        is_certain = False
        try:
            yield
            is_certain = True
        finally:
            if not is_certain:
                self._taken = {}
                self._owe(names)

    def basis(self, kept: Sequence[Kept], now: Callable[[], float]) -> Basis:
        tokens = {name: token for one in kept for name, token in one.tokens.items()}
        return _SharedBasis(len(kept), _ends_at(kept), now, self, tokens)

    async def any_token(self) -> str:
        """The token that every drop renews, last of all; made where there is none."""
        await self._make_good()
        key = self._key(ANY)
        held = await self._held([key]) or await self._set([key], None)
        return held[key]

    async def hold(self, tokens: Mapping[str, Token]) -> bool:
        """Whether all of these are the names' tokens now."""
        found = await self._store.get_many([self._key(name) for name in tokens])
        return found == list(tokens.values())

    async def _make_good(self) -> None:
        owed = dict(self._owed)
        if not owed:
            return
        await self.renew(list(owed), seconds_max=None)
        for name, debt in owed.items():
            if self._owed.get(name) is debt:
                del self._owed[name]

    def _owe(self, names: Iterable[str]) -> None:
        for name in names:
            self._owed.pop(name, None)
            self._owed[name] = object()
        while len(self._owed) > OWED_MAX:
            del self._owed[next(iter(self._owed))]

    async def _held(self, keys: Sequence[str]) -> dict[str, str]:
        found = await self._store.get_many(keys)
        return {key: word for key, word in zip(keys, found, strict=True) if word is not None}

    async def _set(self, keys: Iterable[str], seconds_max: float | None) -> dict[str, str]:
        fresh = {key: self._new_token() for key in keys}
        await self._store.set_many(fresh, TOKEN_SECONDS, seconds_max=seconds_max)
        return fresh

    def _guards_of(self, names: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(map(self._guard, names)))

    def _guard(self, name: str) -> str:
        return self._guards[zlib.crc32(name.encode()) % GUARDS]

    def _key(self, name: str) -> str:
        return f"{self._prefix}t:{name}"


def _ends_at(kept: Iterable[Kept]) -> float:
    return min((one.ends_at for one in kept), default=math.inf)


@dataclass(slots=True)
class _OwnBasis:
    """See `schema.ports.Basis`. While there was no drop at all nothing is looked up."""

    cached: int
    ends_at: float
    now: Callable[[], float]
    tokens: OwnTokens
    counts: Mapping[str, Token]
    looked_at: int = -1

    def holds(self) -> bool:
        if self.now() >= self.ends_at:
            return False
        if self.looked_at == self.tokens.count:
            return True
        if self.tokens.hold(self.counts):
            self.looked_at = self.tokens.count
            return True
        return False

    async def look(self) -> bool:
        return self.holds()


@dataclass(slots=True)
class _SharedBasis:
    """See `schema.ports.Basis`. As a drop renews `ANY` after all its other names, whoever takes it
    before the names, and finds them as they were, needs only look at it until it changes."""

    cached: int
    ends_at: float
    now: Callable[[], float]
    shared: SharedTokens
    tokens: Mapping[str, Token]
    any_token: str | None = None

    def holds(self) -> bool | None:
        return False if self.now() >= self.ends_at else None

    async def look(self) -> bool:
        if self.now() >= self.ends_at:
            return False
        try:
            any_token = await self.shared.any_token()
            if any_token != self.any_token:
                if not await self.shared.hold(self.tokens):
                    return False
                self.any_token = any_token
        except CacheDownError:
            return False
        return True
