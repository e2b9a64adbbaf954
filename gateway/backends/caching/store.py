"""aiocache behind one small class: many gets at once, many sets at once, with time limits. And the
cache of one process; that of all replicas is in `redis_cache`.

Its decorators, locks, tags and `clear` have known holes and are not used. Values are text, so that
what is counted is what is held. Whatever goes wrong with a cache becomes one error here; the
callers make it a miss for reads and a failure for drops. A cache that has stopped answering is left
alone for moments, by everybody but the drops. Keys and values never enter a message.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from gateway.backends.caching.without_redis import BaseCache, NullSerializer

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


class Cache(Protocol):
    """What we need of aiocache's caches: texts under keys.

    Each may raise `OSError`, `ValueError` or `RuntimeError`. One that is switched off answers fewer
    values than it was asked for keys.
    """

    async def multi_get(self, keys: list[str]) -> list[str | None]: ...

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float) -> object: ...

    async def close(self) -> object: ...


class CacheStore:
    """Any aiocache backend with our time limits. `prefix` parts us from others who share it."""

    def __init__(
        self, cache: Cache, prefix: str = "gateway:", *, seconds_max: float = READ_SECONDS_MAX
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
        """ValueError is text that is not UTF-8, RuntimeError a transport that is closed."""
        try:
            async with asyncio.timeout(seconds):
                answer = await work
        except TimeoutError:
            self._timeouts_in_a_row += 1
            if self._timeouts_in_a_row == TIMEOUTS_IN_A_ROW_MAX:
                now = asyncio.get_running_loop().time()
                self._left_alone_until = now + LEFT_ALONE_SECONDS
            raise CacheDownError("the cache did not answer in time") from None
        except CacheDownError:
            raise
        except (OSError, ValueError, RuntimeError) as trouble:
            raise CacheDownError(f"the cache failed: {type(trouble).__name__}") from None
        self._timeouts_in_a_row = 0
        return answer

    async def close(self) -> None:
        try:
            await self._answered(self._cache.close(), DROP_SECONDS_MAX)
        except CacheDownError:
            log.info("the cache went away before it was closed")


ENTRIES_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024
"""Of keys, values and what Python needs to hold them."""
ENTRY_OVERHEAD_BYTES = 200
"""What the dictionary, the pair and the instant take besides the two strings."""


class BoundedMemoryCache(BaseCache):  # type: ignore[misc]
    """A cache of this process with a bound, which aiocache's own memory cache lacks.

    It forgets what was used least recently when there are too many entries or bytes, and what has
    outlived its time when somebody asks for it. `now` is a steady count of seconds.
    """

    NAME = "bounded-memory"

    def __init__(
        self,
        now: Callable[[], float],
        *,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        super().__init__(serializer=NullSerializer(), timeout=0)
        self._now = now
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._held: OrderedDict[str, tuple[str, float | None]] = OrderedDict()
        self.byte_count = 0

    @property
    def entry_count(self) -> int:
        return len(self._held)

    async def _get(self, key: str, encoding: str | None = None, _conn: Any = None) -> str | None:
        return (await self.multi_get([key]))[0]

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        """One look at the time for all. Like `multi_set` without aiocache's timeouts, plugins and
        namespaces around it, of which this cache has none and which take longer than the rest."""
        values: list[str | None] = []
        held, now = self._held, self._now()
        for key in keys:
            value, ends_at = held.get(key, _NOTHING)
            if ends_at is not None and now >= ends_at:
                self._forget(key)
                value = None
            elif value is not None:
                held.move_to_end(key)
            values.append(value)
        return values

    async def _set(
        self,
        key: str,
        value: str,
        ttl: float | None = None,
        _cas_token: Any = None,
        _conn: Any = None,
    ) -> bool:
        await self.multi_set([(key, value)], ttl)
        return True

    def _keep(self, key: str, value: str, ends_at: float | None) -> None:
        """Keep the value, unless it alone is too large: then it does not push out the rest."""
        self._forget(key)
        size = _size(key, value)
        if size <= self._bytes_max:
            self._held[key] = (value, ends_at)
            self.byte_count += size
            while len(self._held) > self._entries_max or self.byte_count > self._bytes_max:
                self._forget(next(iter(self._held)))

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        ends_at = None if ttl is None else self._now() + ttl
        for key, value in pairs:
            self._keep(key, value, ends_at)

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return self._forget(key)

    def _forget(self, key: str) -> int:
        held = self._held.pop(key, None)
        if held is None:
            return 0
        self.byte_count -= _size(key, held[0])
        return 1


_NOTHING: tuple[str | None, float | None] = (None, None)


def _size(key: str, value: str) -> int:
    """Bytes; `getsizeof` knows that one wide character makes a whole string wide."""
    return sys.getsizeof(key) + sys.getsizeof(value) + ENTRY_OVERHEAD_BYTES
