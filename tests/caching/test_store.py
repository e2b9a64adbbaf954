"""The time limits around a cache: slow and broken look the same to whoever asks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.backends.caching.redis_cache import redis_cache
from gateway.backends.caching.store import (
    DROP_SECONDS_MAX,
    LEFT_ALONE_SECONDS,
    TIMEOUTS_IN_A_ROW_MAX,
    BoundedMemoryCache,
    CacheDownError,
    CacheStore,
)
from schema.ports import Meter
from tests.caching.cached import OPERATOR, Cached, shape
from tests.caching.stepping import run_in_jumps
from tests.support.stage import Stage
from tests.support.time_and_ids import ManualClock
from tests.support.wanting import invoice, wanting


class SlowCache(BoundedMemoryCache):
    """Takes as long as it is told for every answer, on a clock that jumps."""

    def __init__(self, seconds: float) -> None:
        super().__init__(ManualClock().monotonic)
        self.seconds = seconds
        self.commands = 0

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        self.commands += 1
        await asyncio.sleep(self.seconds)
        return await super().multi_get(keys)

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        self.commands += 1
        await asyncio.sleep(self.seconds)
        await super().multi_set(pairs, ttl)


def test_answer_within_fifty_milliseconds_counts() -> None:
    """A cache over a network is waited for a little."""
    store = CacheStore(SlowCache(0.049))

    async def main() -> list[str | None]:
        await store.set_many({"key": "value"}, 60)
        return await store.get_many(["key", "other"])

    assert run_in_jumps(main()) == ["value", None]


def test_later_answer_is_none_at_all() -> None:
    """Beyond 50 ms it would be quicker to ask Stripe."""
    with pytest.raises(CacheDownError):
        run_in_jumps(CacheStore(SlowCache(0.051)).get_many(["key"]))


def test_drop_is_waited_for_longer() -> None:
    """What must not be lost may take longer, but not for ever."""
    slow = CacheStore(SlowCache(0.4)).set_many({"key": "token"}, 60, seconds_max=0.5)
    stuck = CacheStore(SlowCache(0.6)).set_many({"key": "token"}, 60, seconds_max=0.5)

    run_in_jumps(slow)
    with pytest.raises(CacheDownError):
        run_in_jumps(stuck)


def test_read_from_a_slow_cache_is_answered_from_inside() -> None:
    """The reader waits 50 ms once, and not at each look."""
    stage = Stage.empty()
    cached = Cached(stage)
    cached.cache = SlowCache(10.0)  # type: ignore[assignment]
    backend = cached.replica(cached.inner)
    needs = wanting(invoice(stage.open_invoice(700)))

    async def main() -> tuple[Any, float]:
        began = asyncio.get_running_loop().time()
        root = await backend.load(OPERATOR, needs, Meter("operator"))
        return shape(root), asyncio.get_running_loop().time() - began

    root, seconds = run_in_jumps(main())

    (loaded,) = root[1].values()
    assert loaded[0].amount_due == 700
    assert seconds < 0.06


async def misses(store: CacheStore, count: int) -> None:
    for _ in range(count):
        with pytest.raises(CacheDownError):
            await store.get_many(["key"])


def test_silent_cache_is_left_alone_by_reads() -> None:
    """After three time-outs in a row nobody waits any more, but for one a second who tries."""
    cache = SlowCache(10.0)
    store = CacheStore(cache)

    async def main() -> float:
        await misses(store, TIMEOUTS_IN_A_ROW_MAX)
        began = asyncio.get_running_loop().time()
        await misses(store, 100)
        waited = asyncio.get_running_loop().time() - began
        await asyncio.sleep(LEFT_ALONE_SECONDS)
        await misses(store, 100)
        return waited

    assert run_in_jumps(main()) == 0
    assert cache.commands == TIMEOUTS_IN_A_ROW_MAX + 1


def test_cache_that_answers_again_is_used_again() -> None:
    """One answer is enough, and only what comes in a row counts."""
    cache = SlowCache(10.0)
    store = CacheStore(cache)

    async def main() -> list[str | None]:
        await misses(store, TIMEOUTS_IN_A_ROW_MAX)
        cache.seconds = 0.0
        await asyncio.sleep(LEFT_ALONE_SECONDS)
        await store.set_many({"key": "value"}, 60)
        cache.seconds = 10.0
        await misses(store, TIMEOUTS_IN_A_ROW_MAX - 1)
        cache.seconds = 0.0
        return await store.get_many(["key"])

    assert run_in_jumps(main()) == ["value"]


def test_drop_is_tried_while_the_cache_is_left_alone() -> None:
    """A drop that nobody has tried would leave what is stale; and its success ends the pause."""
    cache = SlowCache(10.0)
    store = CacheStore(cache)

    async def main() -> list[str | None]:
        await misses(store, TIMEOUTS_IN_A_ROW_MAX + 1)
        cache.seconds = 0.1
        await store.set_many({"key": "token"}, 60, seconds_max=DROP_SECONDS_MAX)
        cache.seconds = 0.0
        return await store.get_many(["key"])

    assert run_in_jumps(main()) == ["token"]


async def test_error_names_neither_key_nor_value() -> None:
    """Messages end in logs; keys hold ids, and values hold names and addresses."""
    cached = Cached()
    cached.cache.is_down = True

    with pytest.raises(CacheDownError) as down:
        await CacheStore(cached.cache).set_many({"cus_1": "jane@example.com"}, 60)

    assert "cus_1" not in str(down.value)
    assert "jane" not in str(down.value)


async def test_cache_that_is_switched_off_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiocache has a switch in the environment; then it answers nothing at all."""
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")

    with pytest.raises(CacheDownError):
        await CacheStore(redis_cache("redis://127.0.0.1:1/0")).get_many(["key"])
