"""One allowance for all replicas of a deployment, kept in Redis by Redis's own clock.

Both buckets are looked at and taken from in one step, so that replicas cannot take the same token.
A Redis that is away stops no call to Stripe: each replica then keeps to an allowance of its own,
and Stripe's 429 is met by the client's retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.backends.stripe.rate_limit import ENDPOINT_PER_SECOND, Tokens
from gateway.storage import StoreUnavailable

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore

TAKE_SECONDS_MAX = 0.1
"""Every call to Stripe asks first, so a Redis that has stopped answering must not hold it up."""
AWAY_SECONDS = 1.0
"""How long Redis is not asked again after it was away."""

MICROSECONDS = 1_000_000

TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local held, wait = {}, 0
for at, key in ipairs(KEYS) do
  local rate = tonumber(ARGV[at])
  local full = math.max(1, rate)
  local needed = 1 + math.min(tonumber(ARGV[3]) * full, full - 1)
  local seen = redis.call('HMGET', key, 'held', 'seen')
  held[at] = full
  if seen[1] then
    local since = math.max(0, now - tonumber(seen[2]))
    held[at] = math.min(full, tonumber(seen[1]) + since * rate / 1000000)
  end
  wait = math.max(wait, (needed - held[at]) / rate * 1000000)
end
if wait > 0 then
  return math.ceil(wait)
end
for at, key in ipairs(KEYS) do
  local rate = tonumber(ARGV[at])
  local left = string.format('%.6f', held[at] - 1)
  redis.call('HSET', key, 'held', left, 'seen', string.format('%.0f', now))
  redis.call('PEXPIRE', key, math.ceil((math.max(1, rate) / rate + 1) * 1000))
end
return 0
"""
"""Fills both buckets up to now and takes one of each, or answers the microseconds until it can:
until they hold as much more as is to be left free, which the last argument says.
A bucket that nobody has touched for as long as it takes to fill is full, and need not be kept."""


class RedisTokens:
    """See `Tokens`. `fallback` serves this process alone while Redis is away."""

    def __init__(
        self,
        store: RedisStore,
        *,
        account: str,
        account_per_second: float,
        endpoint_per_second: float = ENDPOINT_PER_SECOND,
        fallback: Tokens,
        monotonic: Callable[[], float],
    ) -> None:
        self._account_key = store.key(f"rate:{account}")
        self._rates = (str(account_per_second), str(endpoint_per_second))
        self._take = store.script(TAKE)
        self._fallback = fallback
        self._monotonic = monotonic
        self._away_until = 0.0

    async def take(self, endpoint: str, left_free: float = 0.0) -> float:
        if self._monotonic() < self._away_until:
            return await self._fallback.take(endpoint, left_free)
        keys = (self._account_key, f"{self._account_key}:{endpoint}")
        try:
            async with asyncio.timeout(TAKE_SECONDS_MAX):
                wait = await self._take(keys, *self._rates, str(left_free))
        except (StoreUnavailable, TimeoutError):
            self._away_until = self._monotonic() + AWAY_SECONDS
            return await self._fallback.take(endpoint, left_free)
        return int(wait) / MICROSECONDS
