"""An in-process cache with a bound, which aiocache's own memory cache lacks.

It forgets what was used least recently when there are too many entries or bytes, and what has
outlived its time when somebody asks for it. Time comes from outside; it starts no timers.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

ENTRIES_MAX = 100_000
"""About half of them are tokens, which are small."""
BYTES_MAX = 64 * 1024 * 1024
"""Of keys, values and what Python needs to hold them."""
ENTRY_OVERHEAD_BYTES = 200
"""What the dictionary, the pair and the instant take besides the two strings."""


class BoundedMemoryCache(BaseCache):  # type: ignore[misc]
    """See `aiocache.base.BaseCache`. Values are text. `now` is a steady count of seconds."""

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
        self._bytes = 0

    @property
    def entry_count(self) -> int:
        return len(self._held)

    @property
    def byte_count(self) -> int:
        return self._bytes

    async def _get(self, key: str, encoding: str | None = None, _conn: Any = None) -> str | None:
        return self._look(key)

    async def _multi_get(
        self, keys: list[str], encoding: str | None = None, _conn: Any = None
    ) -> list[str | None]:
        return self._look_all(keys)

    async def _set(
        self,
        key: str,
        value: str,
        ttl: float | None = None,
        _cas_token: Any = None,
        _conn: Any = None,
    ) -> bool:
        self._keep(key, value, ttl)
        return True

    async def _multi_set(
        self, pairs: list[tuple[str, str]], ttl: float | None = None, _conn: Any = None
    ) -> bool:
        for key, value in pairs:
            self._keep(key, value, ttl)
        return True

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return self._forget(key)

    def _look(self, key: str) -> str | None:
        return self._look_all([key])[0]

    def _look_all(self, keys: list[str]) -> list[str | None]:
        """One look at the time for all: a read that finds something missing looks at hundreds."""
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

    def _keep(self, key: str, value: str, ttl: float | None) -> None:
        """Keep the value, unless it alone is too large: then it does not push out the rest."""
        self._forget(key)
        size = _size(key, value)
        if size > self._bytes_max:
            return
        self._held[key] = (value, None if ttl is None else self._now() + ttl)
        self._bytes += size
        while len(self._held) > self._entries_max or self._bytes > self._bytes_max:
            self._forget(next(iter(self._held)))

    def _forget(self, key: str) -> int:
        held = self._held.pop(key, None)
        if held is None:
            return 0
        self._bytes -= _size(key, held[0])
        return 1


_NOTHING: tuple[str | None, float | None] = (None, None)


def _size(key: str, value: str) -> int:
    """Bytes; `getsizeof` knows that one wide character makes a whole string wide."""
    return sys.getsizeof(key) + sys.getsizeof(value) + ENTRY_OVERHEAD_BYTES
