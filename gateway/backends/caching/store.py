"""aiocache behind one small module: many gets at once, many sets at once, with time limits.

Its decorators, locks, tags and `clear` have known holes and are not used. Values are text, so
that what is counted is what is held. Whatever goes wrong with a cache becomes one error here; the
callers make it a miss for reads and a failure for drops. A cache that has stopped answering is left
alone for moments, by everybody but the drops. Keys and values never enter a message.
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
DROP_SECONDS_MAX = 0.5
"""For each of a drop's two steps, so that a webhook is answered within a second; what takes longer
has failed, and its event has to come again."""
TIMEOUTS_IN_A_ROW_MAX = 3
"""One may be chance. After so many the cache is left alone."""
LEFT_ALONE_SECONDS = 1.0
"""Then one command tries again, and the others follow once it was answered."""

T = TypeVar("T")


class CacheDownError(OSError):
    """The cache did not answer in time, or not at all."""


class CacheSilentError(CacheDownError):
    """It did not answer in time."""


class CacheStore:
    """Any aiocache backend with our time limits. `prefix` parts us from others who share it."""

    def __init__(
        self, cache: BaseCache, prefix: str = "gateway:", *, seconds_max: float = READ_SECONDS_MAX
    ) -> None:
        self._cache = cache
        self._prefix = prefix
        self._seconds_max = seconds_max
        self._timeouts_in_a_row = 0
        self._left_alone_until = 0.0

    async def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """The values, None where there is none. Raises `CacheDownError` when it is not known."""
        if not keys:
            return []
        self._check_not_left_alone()
        work = self._cache.multi_get([self._prefix + key for key in keys])
        values: list[str | None] = await self._answered(work, self._seconds_max)
        if len(values) != len(keys):
            raise CacheDownError("the cache is switched off")  # aiocache: AIOCACHE_DISABLE=1
        return values

    async def set_many(
        self, values: Mapping[str, str], ttl: float, *, seconds_max: float | None = None
    ) -> None:
        """Keep values for some seconds. Raises `CacheDownError` if it is not certain.

        What has failed here may still happen, once and at any later time. With a time limit of its
        own it is a drop, which is tried whatever became of earlier commands.
        """
        if not values:
            return
        if seconds_max is None:
            self._check_not_left_alone()
        pairs = [(self._prefix + key, value) for key, value in values.items()]
        work = self._cache.multi_set(pairs, ttl=float(ttl))
        await self._answered(work, self._seconds_max if seconds_max is None else seconds_max)

    def _check_not_left_alone(self) -> None:
        """Let one command through now and then, to see whether the cache is back."""
        if self._timeouts_in_a_row < TIMEOUTS_IN_A_ROW_MAX:
            return
        now = asyncio.get_running_loop().time()
        if now < self._left_alone_until:
            raise CacheDownError("the cache is left alone, as it has not answered")
        self._left_alone_until = now + LEFT_ALONE_SECONDS

    async def _answered(self, work: Awaitable[T], seconds: float) -> T:
        try:
            answer = await _within(work, seconds)
        except CacheSilentError:
            self._timeouts_in_a_row += 1
            if self._timeouts_in_a_row == TIMEOUTS_IN_A_ROW_MAX:
                now = asyncio.get_running_loop().time()
                self._left_alone_until = now + LEFT_ALONE_SECONDS
            raise
        self._timeouts_in_a_row = 0
        return answer

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
    except TimeoutError:
        raise CacheSilentError("the cache did not answer in time") from None
    except (OSError, ValueError, RuntimeError) as trouble:
        raise CacheDownError(f"the cache failed: {type(trouble).__name__}") from None
