"""A Redis that cannot be trusted is refused, one that is away is an `OSError`, and no more."""

from __future__ import annotations

import pytest

from gateway.storage import StoreRefused
from gateway.storage.redis_store import RedisStore
from tests.storage.durable import redis_store
from tests.storage.redis_server import RedisServer, free_port

EVICTS = {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}


async def configure(store: RedisStore, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await store.command("CONFIG", "SET", name, value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(EVICTS, ["allkeys-lru", "noeviction"], id="evicts anything"),
        pytest.param(
            {"maxmemory": "100mb", "maxmemory-policy": "volatile-ttl"},
            ["volatile-ttl", "noeviction"],
            id="evicts what expires, as names do",
        ),
        pytest.param(
            {"appendonly": "no"}, ["append-only", "appendonly to yes"], id="keeps no file"
        ),
        pytest.param({**EVICTS, "appendonly": "no"}, ["noeviction", "appendonly"], id="both"),
    ],
)
async def test_a_server_that_may_lose_events_is_refused(
    server: RedisServer, settings: dict[str, str], words: list[str]
) -> None:
    """Before the first event, with what is wrong and how to mend it; unless told otherwise."""
    async with redis_store(server.url) as store:
        await configure(store, settings)

        with pytest.raises(StoreRefused) as refused:
            await store.check_server()

        told = [*words, "GATEWAY_REDIS_URL", "GATEWAY_REDIS_ALLOW_LOSS"]
        assert all(word in str(refused.value) for word in told), str(refused.value)
        await store.check_server(allow_loss=True)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="no limit"),
        pytest.param({"maxmemory": "100mb"}, id="a limit that refuses writes"),
        pytest.param({"maxmemory-policy": "allkeys-lru"}, id="a policy without a limit"),
    ],
)
async def test_a_server_that_keeps_everything_is_taken(
    server: RedisServer, settings: dict[str, str]
) -> None:
    """Full memory is an error and no loss, so a limit alone is fine."""
    async with redis_store(server.url) as store:
        await configure(store, settings)

        await store.check_server()


async def test_a_replica_is_refused(server: RedisServer) -> None:
    """It takes no writes; losing nothing does not help then."""
    async with redis_store(server.url) as store:
        await store.command("REPLICAOF", "127.0.0.1", free_port())

        with pytest.raises(StoreRefused, match="replica"):
            await store.check_server(allow_loss=True)


@pytest.mark.parametrize("url", ["", "localhost:6379", "https://:hunter2@example.com"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    """The sentence shows a right one, and never the wrong one: it may hold a password."""
    with pytest.raises(StoreRefused) as refused:
        RedisStore.connect(url)

    assert "redis://" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_a_password_is_in_no_message() -> None:
    """Messages go to logs."""
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"

    async with redis_store(url) as store:
        with pytest.raises(OSError, match="Redis") as trouble:
            await store.command("PING")

    assert "hunter2" not in f"{trouble.value} {trouble.value!r} {store!r}"


async def test_a_wrong_password_is_a_store_that_is_not_to_be_had(server: RedisServer) -> None:
    """An answer of the server is translated like a silence."""
    async with redis_store(server.url) as store:
        await store.command("CONFIG", "SET", "requirepass", "sesame")

    async with redis_store(server.url) as store:
        with pytest.raises(OSError, match="Authentication"):
            await store.check_server()
