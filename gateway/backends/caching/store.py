"""aiocache behind one small module: many gets at once, many sets at once, with time limits.

Its decorators, locks, tags and `clear` have known holes and are not used. Values are text, so
that what is counted is what is held. Whatever goes wrong with a cache becomes one error here; the
callers make it a miss for reads and a failure for drops. Keys and values never enter a message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from aiocache.base import BaseCache

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 0.05
"""Beyond it asking Stripe is no slower than waiting for the cache."""
DROP_SECONDS_MAX = 2.5
"""For each of a drop's two steps; what takes longer has failed, and its event has to come again."""

T = TypeVar("T")


class CacheDownError(OSError):
    """The cache did not answer in time, or not at all."""


class CacheStore:
    """Any aiocache backend with our time limits. `prefix` parts us from others who share it."""

    def __init__(
        self, cache: BaseCache, prefix: str = "gateway:", *, seconds_max: float = READ_SECONDS_MAX
    ) -> None:
        self._cache = cache
        self._prefix = prefix
        self._seconds_max = seconds_max

    async def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """The values, None where there is none. Raises `CacheDownError` when it is not known."""
        if not keys:
            return []
        work = self._cache.multi_get([self._prefix + key for key in keys])
        values: list[str | None] = await _within(work, self._seconds_max)
        if len(values) != len(keys):
            raise CacheDownError("the cache is switched off")  # aiocache: AIOCACHE_DISABLE=1
        return values

    async def set_many(
        self, values: Mapping[str, str], ttl: float, *, seconds_max: float | None = None
    ) -> None:
        """Keep values for some seconds. Raises `CacheDownError` if it is not certain.

        What has failed here may still happen, once and at any later time.
        """
        if not values:
            return
        pairs = [(self._prefix + key, value) for key, value in values.items()]
        work = self._cache.multi_set(pairs, ttl=float(ttl))
        await _within(work, self._seconds_max if seconds_max is None else seconds_max)

    async def close(self) -> None:
        try:
            await _within(self._cache.close(), DROP_SECONDS_MAX)
        except CacheDownError:
            log.info("the cache went away before it was closed")


async def _within(work: Awaitable[T], seconds: float) -> T:
    """ValueError is text that is not UTF-8, RuntimeError a transport that is closed."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except (OSError, ValueError, RuntimeError) as trouble:
        raise CacheDownError(f"the cache failed: {type(trouble).__name__}") from None
