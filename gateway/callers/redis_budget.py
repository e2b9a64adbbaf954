"""Budgets that replicas share, counted by throttled-py in their Redis.

A Redis that is away is stood in for by the process itself, so that neither everybody nor nobody is
let through.

With throttled-py comes redis-py, so that only gateways that share a Redis import this.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from throttled.asyncio import RateLimiterType, RedisStore, Throttled, rate_limiter
from throttled.asyncio.store import BaseStore
from throttled.exceptions import BaseThrottledError

from gateway.callers.budgets import CALLERS_MAX, OwnBudget, Spent

log = logging.getLogger(__name__)

REDIS_SECONDS_MAX = 0.05
"""An operation must not wait longer for its price than for its data."""
AWAY_SECONDS = 5.0
"""How long a Redis that did not answer is left alone."""
PREFIX = "gateway:budget"


class StoreBudget:
    """Counted in one store, by a limiter for each size of budget; the callers are keys in it."""

    def __init__(self, store: BaseStore) -> None:
        self._store = store
        self._limiter = lru_cache(maxsize=CALLERS_MAX)(self._new_limiter)

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        result = await self._limiter(per_minute).limit(f"{caller}|{per_minute}", cost=cost)
        state, may_come_again = result.state, result.limited and cost <= per_minute
        return Spent(
            granted=not result.limited,
            limit=per_minute,
            remaining=max(0, int(state.remaining)),
            resets_in_seconds=math.ceil(state.reset_after),
            retry_after_seconds=math.ceil(state.retry_after) if may_come_again else None,
        )

    def _new_limiter(self, per_minute: int) -> Throttled:
        return Throttled(
            using=RateLimiterType.GCRA.value,
            quota=rate_limiter.per_min(per_minute, burst=per_minute),
            store=self._store,
            key_prefix=PREFIX,
        )


class RedisBudget:
    """Shared by all replicas. `monotonic` counts seconds."""

    def __init__(self, url: str, monotonic: Callable[[], float]) -> None:
        waits = {
            "socket_timeout": REDIS_SECONDS_MAX,
            "socket_connect_timeout": REDIS_SECONDS_MAX,
            "protocol": 2,
        }
        self._store = RedisStore(server=url, options={"CONNECTION_POOL_KWARGS": waits})
        self._shared, self._fallback = StoreBudget(self._store), OwnBudget(monotonic)
        self._monotonic = monotonic
        self._away_until = -math.inf

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        if self._monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(2 * REDIS_SECONDS_MAX):
                    return await self._shared.spend(caller, cost, per_minute)
            except (BaseThrottledError, OSError) as trouble:
                self._away_until = self._monotonic() + AWAY_SECONDS
                log.warning("budgets are counted alone for now: Redis: %s", type(trouble).__name__)
        return await self._fallback.spend(caller, cost, per_minute)

    async def close(self) -> None:
        """Let go of the connections. Idempotent."""
        client: Any = self._store._backend.get_client()
        await client.aclose()
        await client.connection_pool.disconnect()
