"""Opens the stores that the settings name: event log, write journal, progress of catch-up.

Part of the composition root: it knows classes and no rules. What is opened is closed by the
stack that is given.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.backends.journal.record_store import JournalStore, MemoryJournalStore
from gateway.clock import Clock, Ids
from gateway.composition.background import every
from gateway.events.catch_up_progress import MemoryProgress, Progress, RedisProgress, SqliteProgress
from gateway.events.feed import Feed, FollowedLog, Follower
from gateway.events.intake import Publish
from gateway.events.log import (
    DAY_SECONDS,
    ENTRIES_MAX,
    EventLog,
    MemoryEventLog,
    Retention,
    UnreadableCount,
)
from gateway.events.redis_log import RedisEventLog
from gateway.settings import Settings
from gateway.storage.write_probe import WriteProbe, redis_probe, sqlite_probe

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore

FORGET_SECONDS = 3600.0
"""How often a quiet log is looked through for what is due."""


@dataclass(slots=True)
class Stores:
    """The log and the journal, side by side in one store; `redis` where replicas share it."""

    log: EventLog
    journal: JournalStore
    progress: Progress = field(default_factory=MemoryProgress)
    thin_progress: Progress = field(default_factory=MemoryProgress, kw_only=True)
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
    retention = Retention(settings.retention_entries_max, settings.retention_days * DAY_SECONDS)
    epoch = ids.new("log").removeprefix("log_").replace("_", "")
    if settings.redis_url is not None:
        return await _redis(settings, clock, epoch, retention, stack)
    if settings.is_durable:
        return await _sqlite(settings, clock, epoch, retention, stack)
    in_memory = MemoryEventLog(epoch, entries_max=min(ENTRIES_MAX, settings.retention_entries_max))
    return Stores(in_memory, MemoryJournalStore(clock.now))


async def _sqlite(
    settings: Settings, clock: Clock, epoch: str, retention: Retention, stack: AsyncExitStack
) -> Stores:
    from gateway.backends.journal.durable import SqliteJournalStore
    from gateway.events.sqlite_log import SqliteEventLog
    from gateway.storage.sqlite_store import SqliteStore

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = await SqliteStore.open(settings.data_dir / "gateway.sqlite3")
    stack.push_async_callback(store.close)
    opened = await SqliteEventLog.open(
        store, epoch_if_new=epoch, now=clock.now, retention=retention
    )
    journal = await SqliteJournalStore.open(store, now=clock.now)
    probe = await sqlite_probe(store, clock.monotonic)
    return Stores(
        opened,
        journal,
        await SqliteProgress.open(store),
        thin_progress=await SqliteProgress.open(store, of_thin=True),
        unreadable=opened.unreadable,
        probe=probe,
    )


async def _redis(
    settings: Settings, clock: Clock, epoch: str, retention: Retention, stack: AsyncExitStack
) -> Stores:
    from gateway.backends.journal.durable import RedisJournalStore
    from gateway.storage.redis_store import RedisStore

    assert settings.redis_url is not None
    store = RedisStore.connect(settings.redis_url.get_secret_value())
    stack.push_async_callback(store.close)
    await store.check_server(allow_loss=settings.redis_allow_loss)
    opened = await RedisEventLog.open(store, epoch_if_new=epoch, now=clock.now, retention=retention)
    return Stores(
        opened,
        RedisJournalStore(store, now=clock.now),
        RedisProgress(store),
        store,
        opened.unreadable,
        thin_progress=RedisProgress(store, of_thin=True),
        probe=redis_probe(store, clock.monotonic),
    )


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
    return lambda entry: None


async def forget_for_ever(stores: Stores) -> None:
    """Let a quiet log age too; appends forget what is due by themselves."""
    forget_old = getattr(stores.log, "forget_old", None)
    if forget_old is not None:
        await every(FORGET_SECONDS, forget_old, "what is old could not be forgotten: %s")
