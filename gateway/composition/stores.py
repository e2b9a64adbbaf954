"""Opens the stores that the settings name: event log, write journal, cache, rate budget.

Part of the composition root: it knows classes and no rules. What is opened is closed by the
stack that is given.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiocache.base import BaseCache

from gateway.backends.caching.store import BoundedMemoryCache
from gateway.backends.journal.record_store import JournalStore, MemoryJournalStore
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget, Tokens
from gateway.clock import Clock, Ids
from gateway.events.catch_up_progress import MemoryProgress, Progress, RedisProgress, SqliteProgress
from gateway.events.durable_log import RedisEventLog
from gateway.events.feed import Feed, FollowedLog, Follower
from gateway.events.intake import Publish
from gateway.events.log import (
    DAY_SECONDS,
    ENTRIES_MAX,
    EventLog,
    LogEntry,
    MemoryEventLog,
    Retention,
    UnreadableCount,
)
from gateway.settings import Settings
from gateway.storage.redis_store import RedisStore
from gateway.storage.write_probe import WriteProbe, redis_probe, sqlite_probe

log = logging.getLogger(__name__)

CACHE_ENTRY_BYTES = 1_300
"""Of an entry with its key, on average."""
FORGET_SECONDS = 3600.0
"""How often a quiet log is looked through for what is due."""


@dataclass(slots=True)
class Stores:
    """The log and the journal, side by side in one store; `redis` where replicas share it."""

    log: EventLog
    journal: JournalStore
    progress: Progress = field(default_factory=MemoryProgress)
    redis: RedisStore | None = None
    unreadable: UnreadableCount = field(default_factory=UnreadableCount)
    follower: Follower | None = None
    probe: WriteProbe | None = None

    @property
    def is_shared(self) -> bool:
        """Whether other processes use them as well."""
        return isinstance(self.log, FollowedLog)

    async def ping(self) -> None:
        """Raises when the log does not answer or takes nothing, or when what replicas append does
        not come."""
        await self.log.bounds()
        if self.probe is not None:
            await self.probe.check()
        if self.follower is not None:
            self.follower.check()


async def open_stores(settings: Settings, clock: Clock, ids: Ids, stack: AsyncExitStack) -> Stores:
    """Raises `StoreRefused`, `StoreInUse`, `OSError`."""
    epoch = ids.new("log").removeprefix("log_").replace("_", "")
    if settings.redis_url is not None:
        return await _redis(settings, clock, epoch, stack)
    if settings.is_durable:
        return await _sqlite(settings, clock, epoch, stack)
    in_memory = MemoryEventLog(epoch, entries_max=min(ENTRIES_MAX, settings.retention_entries_max))
    return Stores(in_memory, MemoryJournalStore(clock.now))


def settings_retention(settings: Settings) -> Retention:
    return Retention(settings.retention_entries_max, settings.retention_days * DAY_SECONDS)


async def _sqlite(settings: Settings, clock: Clock, epoch: str, stack: AsyncExitStack) -> Stores:
    from gateway.backends.journal.durable import SqliteJournalStore
    from gateway.events.durable_log import SqliteEventLog
    from gateway.storage.sqlite_store import SqliteStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = await SqliteStore.open(settings.data_dir / "gateway.sqlite3")
    stack.push_async_callback(store.close)
    opened = await SqliteEventLog.open(
        store, epoch_if_new=epoch, now=clock.now, retention=settings_retention(settings)
    )
    journal = await SqliteJournalStore.open(store, now=clock.now)
    progress = await SqliteProgress.open(store)
    probe = await sqlite_probe(store, clock.monotonic)
    return Stores(opened, journal, progress, unreadable=opened.unreadable, probe=probe)


async def _redis(settings: Settings, clock: Clock, epoch: str, stack: AsyncExitStack) -> Stores:
    from gateway.backends.journal.durable import RedisJournalStore

    assert settings.redis_url is not None
    store = RedisStore.connect(settings.redis_url.get_secret_value())
    stack.push_async_callback(store.close)
    await store.check_server(allow_loss=settings.redis_allow_loss)
    opened = await RedisEventLog.open(
        store, epoch_if_new=epoch, now=clock.now, retention=settings_retention(settings)
    )
    journal = RedisJournalStore(store, now=clock.now)
    probe = redis_probe(store, clock.monotonic)
    return Stores(opened, journal, RedisProgress(store), store, opened.unreadable, probe=probe)


def publisher(stores: Stores, feed: Feed, stack: AsyncExitStack) -> Publish:
    """How an appended entry reaches the subscribers.

    Alone, directly. With replicas every entry comes by the shared log's tail, one's own as well,
    because each reader would have to read what is published out of order from the log.
    """
    if not isinstance(stores.log, FollowedLog):
        return feed.publish
    stores.follower = Follower(stores.log, feed)
    stores.follower.start()
    stack.callback(stores.follower.stop)
    return _left_to_the_tail


async def forget_for_ever(stores: Stores) -> None:
    """Let a quiet log age too; appends forget what is due by themselves."""
    forget_old = getattr(stores.log, "forget_old", None)
    while forget_old is not None:
        try:
            await forget_old()
        except OSError as trouble:
            log.warning("what is old could not be forgotten: %s", trouble)
        await asyncio.sleep(FORGET_SECONDS)


def _left_to_the_tail(entry: LogEntry) -> None:
    """The tail of the shared log brings it."""


def open_cache(settings: Settings, clock: Clock) -> BaseCache:
    """The cache, shared where the settings give an address."""
    if settings.cache_url is not None:
        from gateway.backends.caching.store import redis_cache

        return redis_cache(settings.cache_url.get_secret_value())
    return BoundedMemoryCache(
        clock.monotonic,
        entries_max=settings.cache_bytes_max // CACHE_ENTRY_BYTES,
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
        from gateway.backends.stripe.redis_rate_limit import RedisTokens

        tokens = RedisTokens(
            redis,
            account=settings.stripe_account,
            account_per_second=settings.account_calls_per_second,
            endpoint_per_second=settings.stripe_endpoint_calls_per_second,
            fallback=tokens,
            monotonic=monotonic,
        )
    return RateBudget(tokens, sleep=asyncio.sleep, monotonic=monotonic)
