"""Following the log that replicas share: whoever no longer does is not ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.composition.stores import Stores, publisher
from gateway.events.feed import Feed
from gateway.events.log import Logged
from gateway.events.redis_log import RedisEventLog
from gateway.storage.redis_store import RedisStore
from tests.events.channel import Channel, items
from tests.events.entries import at, entry
from tests.storage.durable import redis_store
from tests.storage.newer import append_all
from tests.storage.redis_server import RedisServer
from tests.support.time_and_ids import ManualClock

PATIENCE_SECONDS = 15.0
"""A test that waits longer has failed."""


@dataclass(slots=True)
class Replica:
    """One replica's stores and feed, as the composition root ties them."""

    store: RedisStore
    log: RedisEventLog
    feed: Feed
    stores: Stores

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until it holds; each look waits for an answer of Redis."""
        now = asyncio.get_running_loop().time
        end = now() + PATIENCE_SECONDS
        while not condition():
            # No time limit around it: in Python 3.11 `wait_for`, which the client sends with,
            # may swallow the cancellation.
            assert now() < end, "it does not come"
            await self.store.command("PING")

    def has_come_to(self, position: int) -> bool:
        return at(self.feed.position()) == position


@asynccontextmanager
async def replica(server: RedisServer, kind: type[Feed] = Feed) -> AsyncIterator[Replica]:
    now = ManualClock().now
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(redis_store(server.url, seconds_max=1.0))
        log = await RedisEventLog.open(store, epoch_if_new="redis", now=now)
        feed = kind(log)
        stores = Stores(log, MemoryJournalStore(now), redis=store, unreadable=log.unreadable)
        await feed.start()
        publisher(stores, feed, stack)
        yield Replica(store, log, feed, stores)


async def test_a_replica_that_follows_is_ready(server: RedisServer) -> None:
    """And its streams hear what another has appended."""
    async with replica(server) as here, replica(server) as there:
        channel = Channel(here.log, here.feed)
        async with channel.listening() as stream:
            found = await items(stream, 1)
            await there.log.append(entry())
            found += await items(stream, 1)
        await here.stores.ping()

    assert found == [("live", 0), ("event", 1)]


async def test_a_newer_releases_entry_stops_no_replica(server: RedisServer) -> None:
    """In the middle of an upgrade: streams are told of the gap, what follows it comes, and the
    replica is ready because it does."""
    async with replica(server) as here, replica(server) as there:
        channel = Channel(here.log, here.feed)
        async with channel.listening() as stream:
            found = await items(stream, 1)
            await append_all(there.log, "rnr")
            found += await items(stream, 3)
        await here.stores.ping()

        assert found == [("live", 0), ("event", 1), ("gap", "UNREADABLE", 2), ("event", 3)]
        assert here.stores.unreadable.count == 1


async def test_a_replica_whose_log_was_replaced_is_not_ready(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Also once the new log answers everything else; the log says that it needs a restart."""
    async with replica(server) as here:
        await here.log.append(entry())
        await here.until(lambda: here.has_come_to(1))
        with caplog.at_level(logging.ERROR):
            await here.store.command("DEL", here.store.key("log"), here.store.key("log:facts"))
            await here.store.command("HSET", here.store.key("log:facts"), "epoch", "redis")
            await here.until(lambda: bool(caplog.records))

        with pytest.raises(OSError, match="no longer followed: restart the gateway"):
            await here.stores.ping()
    assert [one.exc_info for one in caplog.records] == [None]


class Mistaken(Feed):
    """A feed with a mistake of ours in it."""

    def publish(self, entry: Logged) -> None:
        raise ZeroDivisionError("a mistake")


async def test_a_mistake_that_ends_the_following_is_told_and_not_ready(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that dies in silence would leave streams that hear nothing and a good `/readyz`."""
    async with replica(server, Mistaken) as here:
        with caplog.at_level(logging.ERROR):
            await here.log.append(entry())
            await here.until(lambda: bool(caplog.records))

        with pytest.raises(OSError, match="no longer followed: restart the gateway"):
            await here.stores.ping()
    assert [one.exc_info[0] for one in caplog.records if one.exc_info] == [ZeroDivisionError]


async def test_a_replica_whose_tail_alone_waits_is_not_ready(server: RedisServer) -> None:
    """Redis may answer all but the one command that brings what others append; once it is
    answered, the replica is ready again by itself."""
    async with replica(server) as here:
        await here.store.command("ACL", "SETUSER", "default", "-xread")
        await here.log.append(entry())
        await here.until(lambda: here.log.tail_trouble is not None)
        with pytest.raises(OSError, match=r"(?i)no permissions|XREAD"):
            await here.stores.ping()

        await here.store.command("ACL", "SETUSER", "default", "+xread")
        await here.until(lambda: here.log.tail_trouble is None)

        await here.stores.ping()
        await here.until(lambda: here.has_come_to(1))
