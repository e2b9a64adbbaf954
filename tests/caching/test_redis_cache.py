"""aiocache's Redis backend as it is set up here, over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from gateway.backends.caching.redis_cache import redis_cache
from gateway.backends.caching.store import CacheDownError, CacheStore


@pytest_asyncio.fixture
async def server(redis_url: str) -> AsyncIterator[Redis]:
    """Somebody else's connection, to look and to make trouble."""
    client = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.client_unpause()
    await client.aclose()


@pytest_asyncio.fixture
async def store(redis_url: str, server: Redis) -> AsyncIterator[CacheStore]:
    opened = CacheStore(redis_cache(redis_url), "gateway:", seconds_max=5.0)
    yield opened
    await opened.close()


async def test_replicas_share_what_is_kept(redis_url: str, store: CacheStore) -> None:
    """What one keeps, another finds, with every character as it was."""
    other = CacheStore(redis_cache(redis_url), "gateway:", seconds_max=5.0)
    await store.set_many({"one": "1", "two": "\N{EURO SIGN}"}, 60)

    found = await other.get_many(["one", "none", "two"])

    await other.close()
    assert found == ["1", None, "\N{EURO SIGN}"]


async def test_every_key_has_our_prefix_and_an_end(store: CacheStore, server: Redis) -> None:
    """A Redis is shared with others, and nothing of ours stays for ever."""
    await store.set_many({"one": "1", "two": "2"}, 5.0)

    keys = sorted(await server.keys("*"))
    ends = [await server.pttl(key) for key in keys]

    assert keys == [b"gateway:one", b"gateway:two"]
    assert all(4_000 < end <= 5_000 for end in ends)


async def test_slow_server_is_down_and_answers_are_never_mixed_up(
    redis_url: str, store: CacheStore, server: Redis
) -> None:
    """Whoever gives up leaves an answer on the wire, which the next one must not take for its."""
    await store.set_many({"one": "1", "two": "2"}, 60)
    cache = redis_cache(redis_url)
    hasty, patient = (CacheStore(cache, seconds_max=seconds) for seconds in (0.02, 5.0))

    await server.client_pause(60_000, all=False)
    with pytest.raises(CacheDownError):
        await hasty.set_many({"one": "3"}, 60)
    await server.client_unpause()
    found = await patient.get_many(["two", "none"])

    await hasty.close()
    assert found == ["2", None]


async def test_text_that_is_not_utf8_is_a_miss(store: CacheStore, server: Redis) -> None:
    """Others may write into the same Redis."""
    await server.set("gateway:one", b"\xff")

    with pytest.raises(CacheDownError):
        await store.get_many(["one"])


async def test_server_that_is_not_there_is_down() -> None:
    """Nobody listens on port 1; that is a miss, and no error of Redis's own kind."""
    store = CacheStore(redis_cache("redis://127.0.0.1:1/0"), seconds_max=5.0)

    with pytest.raises(CacheDownError):
        await store.get_many(["one"])

    await store.close()


async def test_server_that_refuses_to_write_is_down(store: CacheStore, server: Redis) -> None:
    """A full Redis that may not evict answers with an error; a drop must not take it for done."""
    await server.config_set("maxmemory", "1")

    try:
        with pytest.raises(CacheDownError):
            await store.set_many({"one": "1"}, 60)
    finally:
        await server.config_set("maxmemory", "0")


async def test_no_command_is_sent_twice(redis_url: str) -> None:
    """A token that is set again, late, would bring back what was dropped in between."""
    cache = redis_cache(redis_url)

    connection = cache.client.connection_pool.make_connection()

    assert connection.retry.get_retries() == 0
    await cache.close()


async def test_url_says_where_and_who() -> None:
    """User, password and database are read from the URL, as Redis's own tools do it."""
    cache = redis_cache("rediss://jane:p%40ss@cache.example:6380/3")

    given = cache.client.connection_pool.connection_kwargs

    wanted = {"host": "cache.example", "port": 6380, "db": 3, "username": "jane"}
    assert {name: given[name] for name in wanted} == wanted
    assert given["password"] == "p@ss"
    await cache.close()


@pytest.mark.parametrize(
    "url", ["", "localhost:6379", "memcached://:secret@host", "redis://", "redis://host/one"]
)
def test_unreadable_url_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match="the cache URL") as refused:
        redis_cache(url)

    assert "secret" not in str(refused.value)
