"""Opens the stores that the settings name: event log, write journal, cache, rate budget.

Part of the composition root: it knows classes and no rules. What is opened is closed by the
stack that is given.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiocache.base import BaseCache

from gateway.backends.caching.memory_cache import BoundedMemoryCache
from gateway.backends.journal import JournalStore, MemoryJournalStore
from gateway.backends.rate_budget import LocalTokens, RateBudget, Tokens
from gateway.clock import Clock, Ids
from gateway.events.feed import Feed
from gateway.events.intake import Publish
from gateway.events.log import EventLog, LogEntry, MemoryEventLog
from gateway.settings import Settings
from gateway.storage.redis_store import RedisStore


@dataclass(slots=True)
class Stores:
    """The log and the journal, side by side in one store; `redis` where replicas share it."""

    log: EventLog
    journal: JournalStore
    redis: RedisStore | None = None


async def open_stores(settings: Settings, clock: Clock, ids: Ids, stack: AsyncExitStack) -> Stores:
    """Raises `StoreRefused`, `StoreInUse`, `OSError`."""
    epoch = ids.new("log").removeprefix("log_").replace("_", "")
    if settings.redis_url is not None:
        return await _redis(settings, clock, epoch, stack)
    if settings.is_durable:
        return await _sqlite(settings, clock, epoch, stack)
    log = MemoryEventLog(epoch, entries_max=settings.log_entries_max)
    return Stores(log, MemoryJournalStore(clock.now))


async def _sqlite(settings: Settings, clock: Clock, epoch: str, stack: AsyncExitStack) -> Stores:
    from gateway.backends.journal_sqlite import SqliteJournalStore
    from gateway.events.log_sqlite import SqliteEventLog
    from gateway.storage.sqlite_store import SqliteStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = await SqliteStore.open(settings.data_dir / "gateway.sqlite3")
    stack.push_async_callback(store.close)
    log = await SqliteEventLog.open(store, epoch_if_new=epoch, now=clock.now)
    return Stores(log, await SqliteJournalStore.open(store, now=clock.now))


async def _redis(settings: Settings, clock: Clock, epoch: str, stack: AsyncExitStack) -> Stores:
    from gateway.backends.journal_redis import RedisJournalStore
    from gateway.events.log_redis import RedisEventLog

    assert settings.redis_url is not None
    store = RedisStore.connect(settings.redis_url.get_secret_value())
    stack.push_async_callback(store.close)
    await store.check_server(allow_loss=settings.redis_allow_loss)
    log = await RedisEventLog.open(store, epoch_if_new=epoch, now=clock.now)
    return Stores(log, RedisJournalStore(store, now=clock.now), store)


def publisher(stores: Stores, feed: Feed, stack: AsyncExitStack) -> Publish:
    """How an appended entry reaches the subscribers.

    Alone, directly. With replicas every entry comes by the shared log's tail, one's own as well,
    because entries published out of order would be lost.
    """
    from gateway.events.log_redis import RedisEventLog

    if not isinstance(stores.log, RedisEventLog):
        return feed.publish
    task = asyncio.create_task(_follow(stores.log, feed))
    stack.callback(task.cancel)
    return _left_to_the_tail


async def _follow(log: EventLog, feed: Feed) -> None:
    from gateway.events.log_redis import RedisEventLog

    assert isinstance(log, RedisEventLog)
    async for entry in log.tail((await log.bounds()).last):
        feed.publish(entry)


def _left_to_the_tail(entry: LogEntry) -> None:
    """The tail of the shared log brings it."""


def open_cache(settings: Settings, clock: Clock) -> BaseCache:
    """The cache, shared where the settings give an address."""
    if settings.cache_url is not None:
        from gateway.backends.caching.redis_cache import redis_cache

        return redis_cache(settings.cache_url.get_secret_value())
    return BoundedMemoryCache(
        clock.monotonic,
        entries_max=settings.cache_entries_max,
        bytes_max=settings.cache_bytes_max,
    )


def rate_budget(settings: Settings, redis: RedisStore | None) -> RateBudget:
    """The account's allowance, shared where there is a Redis."""
    monotonic = asyncio.get_running_loop().time
    tokens: Tokens = LocalTokens(
        account_per_second=settings.account_calls_per_second,
        endpoint_per_second=settings.stripe_endpoint_calls_per_second,
        monotonic=monotonic,
    )
    if redis is not None:
        from gateway.backends.stripe.redis_tokens import RedisTokens

        tokens = RedisTokens(
            redis,
            account=settings.stripe_account,
            account_per_second=settings.account_calls_per_second,
            endpoint_per_second=settings.stripe_endpoint_calls_per_second,
            fallback=tokens,
            monotonic=monotonic,
        )
    return RateBudget(tokens, sleep=asyncio.sleep, monotonic=monotonic)
