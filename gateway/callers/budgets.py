"""What each caller may spend in a minute, counted in the cost of operations.

What was spent comes back steadily, not at the full minute (GCRA). Where replicas share a Redis it
is counted there, by throttled-py. A Redis that is away is stood in for by the process itself, so
that neither everybody nor nobody is let through.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from throttled.asyncio import RateLimiterType, RedisStore, Throttled, rate_limiter
from throttled.asyncio.store import BaseStore
from throttled.exceptions import BaseThrottledError

log = logging.getLogger(__name__)

CALLERS_MAX = 10_000
"""Callers whose spending one process keeps; who has been quiet for a minute has spent nothing."""
REDIS_SECONDS_MAX = 0.05
"""An operation must not wait longer for its price than for its data."""
AWAY_SECONDS = 5.0
"""How long a Redis that did not answer is left alone."""
PREFIX = "gateway:budget"


@dataclass(frozen=True, slots=True)
class Spent:
    """How a budget stands after an operation has asked for its cost.
    `retry_after_seconds` is None when it was granted, and when it never can be."""

    granted: bool
    limit: int
    remaining: int
    resets_in_seconds: int
    retry_after_seconds: int | None = None


class Budget(Protocol):
    """Everybody's budgets."""

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        """Take `cost` from what the caller has left, or nothing if that is less. Never raises."""
        ...


class OwnBudget:
    """For one process. `monotonic` counts seconds.

    The library's own store is asynchronous, and takes longer than a whole answer that is kept; its
    arithmetic is this (a test compares).
    """

    def __init__(self, monotonic: Callable[[], float], *, callers_max: int = CALLERS_MAX) -> None:
        self._monotonic = monotonic
        self._callers_max = callers_max
        self._full_at: OrderedDict[tuple[str, int], float] = OrderedDict()
        """When a caller will have everything back; who is not here has it."""

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        return self.spend_now(caller, cost, per_minute)

    def spend_now(self, caller: str, cost: int, per_minute: int) -> Spent:
        """See `Budget.spend`."""
        key, now, seconds_each = (caller, per_minute), self._monotonic(), 60 / per_minute
        full_at = max(now, self._full_at.get(key, now))
        left = per_minute + math.floor((now - full_at) / seconds_each)
        if cost > left:
            wait = full_at - now - (per_minute - cost) * seconds_each
            return Spent(
                granted=False,
                limit=per_minute,
                remaining=max(0, left),
                resets_in_seconds=math.ceil(full_at - now),
                retry_after_seconds=math.ceil(wait) if cost <= per_minute else None,
            )
        full_at += cost * seconds_each
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._callers_max:
            self._full_at.popitem(last=False)
        return Spent(True, per_minute, left - cost, math.ceil(full_at - now))


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
