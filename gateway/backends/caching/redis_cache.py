"""The cache that replicas share: aiocache over a Redis.

Its decorators, locks, tags and `clear` have known holes and are not used. Only where replicas share
a cache is it imported, as it brings redis-py along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from aiocache.backends.redis import RedisCache
from aiocache.serializers import StringSerializer
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.backends.caching.store import CacheDownError

CONNECTIONS_MAX = 32
"""Of one process; whoever finds them all in use waits, within the limits of the store."""
CONNECT_SECONDS_MAX = 1.0
SOCKET_SECONDS_MAX = 5.0
"""The store gives up earlier; this one frees the connection."""


@contextmanager
def _down_if_redis_fails() -> Iterator[None]:
    try:
        yield
    except RedisError as trouble:
        raise CacheDownError(f"the cache failed: {type(trouble).__name__}") from None


class SharedRedisCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis backend, with one error for those of redis-py, and without a method of its
    that is deprecated."""

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        with _down_if_redis_fails():
            values: list[str | None] = await super().multi_get(keys)
            return values

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float) -> None:
        with _down_if_redis_fails():
            await super().multi_set(pairs, ttl=ttl)

    async def _close(self, *args: Any, _conn: Any = None, **kwargs: Any) -> None:
        await self.client.aclose()


def redis_cache(url: str) -> SharedRedisCache:
    """The cache behind redis://[user:password@]host[:port][/db], or rediss:// for TLS, which
    replicas share. Connects with the first command. Raises `ValueError` for what is no such URL.

    Commands are never sent twice by the client, because a token that is set a second time, late,
    would bring back what was dropped in between. A Redis that fails over may forget the last drops;
    what they dropped then lives on for at most the values' own time. It should evict
    (`maxmemory-policy allkeys-lru`), and needs no persistence.
    """
    at = urlsplit(url)
    if at.scheme not in ("redis", "rediss") or not at.hostname:
        raise ValueError("the cache URL must be redis://host:port/db, or rediss:// for TLS")
    database = at.path.strip("/") or "0"
    if not database.isdecimal():
        raise ValueError("the cache URL's path must be the number of a database, such as /0")
    return SharedRedisCache(
        endpoint=at.hostname,
        port=at.port or 6379,
        db=int(database),
        password=None if at.password is None else unquote(at.password),
        ssl=at.scheme == "rediss",
        pool_max_size=CONNECTIONS_MAX,
        create_connection_timeout=CONNECT_SECONDS_MAX,
        connection_pool_class=BlockingConnectionPool,
        connection_pool_kwargs={
            "username": unquote(at.username) if at.username else None,
            "timeout": SOCKET_SECONDS_MAX,
            "socket_timeout": SOCKET_SECONDS_MAX,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
        },
        serializer=StringSerializer(),
        timeout=0,
    )
