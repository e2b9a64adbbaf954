"""Which cached values still count: each carries the tokens of the names it depends on.

Each name has a random token. A value is stored with the tokens of its names and counts only while
they all still hold; a drop renews them. So that what a read brings back late is never stored
under tokens of a drop that it has missed, each name also has a guard (see `guards`). A drop renews
first the guards, then the tokens. A reader takes all guards before it asks inside (`before`), and
once the answer is there takes first the tokens, then the guards again (`unchanged`). Take one drop
and one name of a value:

- the guard was renewed before `before`: the reader asked after the change, and knows it;
- it was renewed between the two looks: they differ, and the value is not stored;
- it was renewed after the second look: then so was the token, and it is not the one that was
  taken before that look. The value does not count.

This needs no compare-and-set and no atomic step, and a token that gets lost is only a miss, as
long as no token ever comes twice: they are random, and no command is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from gateway.backends.caching.guards import Before, Guards, OwnGuards, SharedGuards
from gateway.backends.caching.store import DROP_SECONDS_MAX, CacheStore

TOKEN_SECONDS = 86_400.0
"""Tokens outlive every value by far; when one goes, the values under it go with it."""
OWED_MAX = 100_000
"""Names whose drop failed. When there are more, what the first of them dropped has timed out."""


class Tokens:
    """Reads, makes and renews tokens under a prefix.

    `new_token` never answers the same twice, in any process. Methods raise `CacheDownError` when
    the cache does not answer.
    """

    def __init__(
        self, store: CacheStore, new_token: Callable[[], str], prefix: str, *, is_shared: bool
    ) -> None:
        self._store = store
        self._new_token = new_token
        self._prefix = prefix
        self._owed: dict[str, object] = {}
        self._guards: Guards = OwnGuards()
        if is_shared:
            self._guards = SharedGuards(store, new_token, partial(self._key, "g"))

    async def now(self, names: Iterable[str]) -> dict[str, str]:
        """The tokens that there are."""
        wanted = list(names)
        found = await self._store.get_many([self._key("t", name) for name in wanted])
        return {name: token for name, token in zip(wanted, found, strict=True) if token is not None}

    async def before(self) -> Before:
        """How things stand, taken before asking inside."""
        return await self._guards.before()

    async def unchanged(self, names: Iterable[str], before: Before) -> dict[str, str]:
        """The tokens of those names that were surely not dropped since then, made where there are
        none: to set one too often is only a miss."""
        wanted = list(names)
        tokens = await self.now(wanted)
        tokens |= await self._set([name for name in wanted if name not in tokens], None)
        unchanged = await self._guards.unchanged(wanted, before)
        return {name: token for name, token in tokens.items() if name in unchanged}

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
        await self._guards.renew(names, seconds_max)
        await self._set(names, seconds_max)

    async def _set(self, names: Iterable[str], seconds_max: float | None) -> dict[str, str]:
        fresh = {name: self._new_token() for name in names}
        keyed = {self._key("t", name): token for name, token in fresh.items()}
        await self._store.set_many(keyed, TOKEN_SECONDS, seconds_max=seconds_max)
        return fresh

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"
