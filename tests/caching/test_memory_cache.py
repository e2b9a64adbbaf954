"""The in-process cache: bounded by entries and by bytes, and no longer true after its time."""

from __future__ import annotations

import pytest

from gateway.backends.caching.store import ENTRY_OVERHEAD_BYTES, BoundedMemoryCache
from tests.support.time_and_ids import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def kept(cache: BoundedMemoryCache, *keys: str) -> list[str]:
    """Those of the keys that are still there."""
    values = await cache.multi_get(list(keys))
    return [key for key, value in zip(keys, values, strict=True) if value is not None]


async def test_what_was_used_least_recently_goes_first(clock: ManualClock) -> None:
    """A read counts as use, so what is asked for all the time stays."""
    cache = BoundedMemoryCache(clock.monotonic, entries_max=3)
    await cache.multi_set([("a", "1"), ("b", "2"), ("c", "3")])

    await cache.get("a")
    await cache.set("d", "4")

    assert await kept(cache, "a", "b", "c", "d") == ["a", "c", "d"]
    assert cache.entry_count == 3


async def test_bytes_are_bounded_too(clock: ManualClock) -> None:
    """A few large values weigh as much as many small ones."""
    cache = BoundedMemoryCache(clock.monotonic, bytes_max=10_000)

    for number in range(10):
        await cache.set(f"key-{number}", "x" * 4_000)

    assert await kept(cache, *(f"key-{number}" for number in range(10))) == ["key-8", "key-9"]
    assert 8_000 < cache.byte_count <= 10_000


async def test_wide_characters_are_counted_as_wide(clock: ManualClock) -> None:
    """One emoji makes Python keep four bytes for each character of a name."""
    cache = BoundedMemoryCache(clock.monotonic)

    await cache.set("key", "x" * 999 + "\N{MONEY BAG}")

    assert cache.byte_count > 4_000 + ENTRY_OVERHEAD_BYTES


async def test_value_beyond_the_bound_does_not_push_out_the_rest(clock: ManualClock) -> None:
    """It is not kept, and what stood under its key is not either, as that is old."""
    cache = BoundedMemoryCache(clock.monotonic, bytes_max=2_000)
    await cache.multi_set([("small", "1"), ("grows", "2")])

    await cache.set("grows", "x" * 2_000)

    assert await kept(cache, "small", "grows") == ["small"]


async def test_value_ends_with_its_time(clock: ManualClock) -> None:
    """It is there up to the last second, and leaves no bytes behind."""
    cache = BoundedMemoryCache(clock.monotonic)
    await cache.set("key", "value", ttl=5.0)

    clock.advance(4)
    before = await kept(cache, "key")
    clock.advance(1)
    after = await kept(cache, "key")

    assert (before, after, cache.byte_count) == (["key"], [], 0)


async def test_replaced_value_is_counted_once(clock: ManualClock) -> None:
    """Otherwise a key that is set again and again would empty the cache."""
    cache = BoundedMemoryCache(clock.monotonic)
    await cache.set("key", "x" * 100)
    once = cache.byte_count

    await cache.set("key", "y" * 100)

    assert cache.byte_count == once


async def test_deleted_key_is_gone(clock: ManualClock) -> None:
    """Whoever deletes is told whether there was anything."""
    cache = BoundedMemoryCache(clock.monotonic)
    await cache.set("key", "value")

    deleted = [await cache.delete("key"), await cache.delete("key")]

    assert (deleted, cache.entry_count, cache.byte_count) == ([1, 0], 0, 0)
