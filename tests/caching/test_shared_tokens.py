"""The tokens and guards of replicas: what a drop and a look cost, and what is remembered."""

from __future__ import annotations

import pytest

from gateway.backends.caching.policy import ANY
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from gateway.backends.caching.tokens import GUARDS, SharedTokens
from tests.caching.cached import Cached
from tests.support.time_and_ids import CountingIds, ManualClock
from tests.support.wanting import invoice, wanting

FIRST, SECOND = ["Invoice:in_1", ANY], ["Invoice:in_2", ANY]


class CountingCache(BoundedMemoryCache):
    """Notes how many keys each command was about."""

    def __init__(self) -> None:
        super().__init__(ManualClock().monotonic)
        self.asked: list[int] = []
        self.given: list[int] = []

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        self.asked.append(len(keys))
        return await super().multi_get(keys)

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        self.given.append(len(pairs))
        await super().multi_set(pairs, ttl)


@pytest.fixture
def cache() -> CountingCache:
    return CountingCache()


@pytest.fixture
def ids() -> CountingIds:
    return CountingIds()


def replica(cache: CountingCache, ids: CountingIds) -> SharedTokens:
    return SharedTokens(CacheStore(cache), lambda: ids.new("tok"), "test:")


async def test_a_drop_is_one_command(cache: CountingCache, ids: CountingIds) -> None:
    """Guards and tokens together: a webhook waits for it."""
    await replica(cache, ids).renew(FIRST)

    assert (cache.asked, len(cache.given)) == ([], 1)


async def test_who_drops_alone_takes_all_guards_once(
    cache: CountingCache, ids: CountingIds
) -> None:
    """Events follow one another by the hundred, and each reads."""
    tokens = replica(cache, ids)
    await tokens.before()
    cache.asked.clear()

    for names in (FIRST, SECOND, FIRST):
        await tokens.renewed(names)
        await tokens.renew(names)

    assert set(cache.asked) == {1}


async def test_what_is_read_after_a_drop_is_kept(cache: CountingCache, ids: CountingIds) -> None:
    """By one's own drop as by another replica's, and whatever was dropped before."""
    one, other = replica(cache, ids), replica(cache, ids)
    await one.before()
    await other.renew(SECOND)

    after_own = await one.renewed(FIRST)
    assert after_own is not None
    kept = await one.unchanged([*FIRST, *SECOND], after_own)

    assert {*kept} == {*FIRST, *SECOND}


async def test_what_another_replica_drops_meanwhile_is_not_kept(
    cache: CountingCache, ids: CountingIds
) -> None:
    """The read may have been answered before it; once that was met, the guards are taken anew."""
    one, other = replica(cache, ids), replica(cache, ids)
    before = await one.renewed(FIRST)
    assert before is not None
    await other.renew(SECOND)

    met = await one.unchanged([FIRST[0], SECOND[0]], before)
    cache.asked.clear()
    afterwards = await one.unchanged([FIRST[0], SECOND[0]], await one.before())

    assert ({*met}, {*afterwards}) == ({FIRST[0]}, {FIRST[0], SECOND[0]})
    assert GUARDS in cache.asked


async def test_drops_of_two_tasks_at_once_forget_neither(
    cache: CountingCache, ids: CountingIds
) -> None:
    """Of what was remembered between the steps of the one, the other's part has to stay."""
    tokens = replica(cache, ids)
    await tokens.before()

    first = await tokens.renewed(FIRST)
    second = await tokens.renewed(SECOND)

    assert first is not None
    assert second is not None
    assert {*await tokens.unchanged(FIRST[:1], second)} == {*FIRST[:1]}
    assert {*await tokens.unchanged(SECOND[:1], first)} == set()


async def test_an_invoice_that_is_cached_takes_one_command() -> None:
    """Its token comes with it, as its name is known before."""
    cached = Cached()
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    await cached.load(needs)
    commands: list[int] = []
    multi_get = cached.cache.multi_get

    async def counted(keys: list[str]) -> list[str | None]:
        commands.append(len(keys))
        return await multi_get(keys)

    cached.cache.multi_get = counted  # type: ignore[method-assign]

    await cached.load(needs)

    assert len(commands) == 1
