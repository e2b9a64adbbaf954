"""The cache that replicas share: aiocache's own Redis backend, set up so that it stays coherent.

Imported only where a cache URL is given. Commands are never sent twice by the client, because a
token that is set a second time, late, would bring back what was dropped in between. A Redis that
fails over may forget the last drops; what they dropped then lives on for at most the values' own
time. It should evict (`maxmemory-policy allkeys-lru`), and needs no persistence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from aiocache import RedisCache
from aiocache.base import BaseCache
from aiocache.serializers import StringSerializer
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CONNECTIONS_MAX = 32
"""Of one process; whoever finds them all in use waits, within the limits of the store."""
CONNECT_SECONDS_MAX = 1.0
SOCKET_SECONDS_MAX = 5.0
"""The store gives up earlier; this one frees the connection."""

T = TypeVar("T")


def redis_cache(url: str) -> BaseCache:
    """The cache behind redis://[user:password@]host[:port][/db], or rediss:// for TLS.

    Connects with the first command. Raises `ValueError` for a URL that cannot be read.
    """
    at = urlsplit(url)
    if at.scheme not in ("redis", "rediss") or not at.hostname:
        raise ValueError("the cache URL must be redis://host:port/db, or rediss:// for TLS")
    return SharedRedisCache(
        endpoint=at.hostname,
        port=at.port or 6379,
        db=_database(at.path),
        password=None if at.password is None else unquote(at.password),
        ssl=at.scheme == "rediss",
        pool_max_size=CONNECTIONS_MAX,
        create_connection_timeout=CONNECT_SECONDS_MAX,
        connection_pool_class=BlockingConnectionPool,
        connection_pool_kwargs=_connection(None if not at.username else unquote(at.username)),
        serializer=StringSerializer(),
        timeout=0,
    )


def _database(path: str) -> int:
    number = path.strip("/")
    if number and not number.isdecimal():
        raise ValueError("the cache URL's path must be the number of a database, such as /0")
    return int(number or 0)


def _connection(username: str | None) -> dict[str, Any]:
    return {
        "username": username,
        "timeout": SOCKET_SECONDS_MAX,
        "socket_timeout": SOCKET_SECONDS_MAX,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
    }


class SharedRedisCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis backend whose troubles are `OSError`, like those of any other cache."""

    async def _multi_get(self, keys: Sequence[str], encoding: str, _conn: Any = None) -> Any:
        return await _told(super()._multi_get(keys, encoding=encoding, _conn=_conn))

    async def _multi_set(
        self, pairs: Sequence[tuple[str, str]], ttl: float | None = None, _conn: Any = None
    ) -> Any:
        return await _told(super()._multi_set(pairs, ttl=ttl, _conn=_conn))

    async def _close(self, *args: Any, _conn: Any = None, **kwargs: Any) -> None:
        """aiocache calls a method that redis-py has deprecated."""
        await _told(self.client.aclose())


async def _told(work: Awaitable[T]) -> T:
    try:
        return await work
    except RedisError as trouble:
        raise OSError(f"Redis failed: {type(trouble).__name__}") from None
