"""Durable logs and journals of a directory: in a SQLite file, or in a server of all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.backends.journal.durable import RedisJournalStore, SqliteJournalStore
from gateway.backends.journal.record_store import RECORDS_MAX
from gateway.events.log import Retention
from gateway.events.redis_log import RedisEventLog
from gateway.events.sqlite_log import SqliteEventLog
from gateway.storage.redis_store import RedisStore
from gateway.storage.sqlite_store import PENDING_MAX, SqliteStore
from tests.storage.redis_server import REDIS, VALKEY, prefix_of, shared_server

DurableLog = SqliteEventLog | RedisEventLog
DurableJournal = SqliteJournalStore | RedisJournalStore
Now = Callable[[], int]
OpenLog = Callable[[Path, Now, Retention], AbstractAsyncContextManager[DurableLog]]
OpenJournal = Callable[[Path, Now, int], AbstractAsyncContextManager[DurableJournal]]


@asynccontextmanager
async def sqlite_store(
    directory: Path, *, pending_max: int = PENDING_MAX
) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(directory / "gateway.sqlite", pending_max=pending_max)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def redis_store(
    url: str, *, prefix: str = "gateway", seconds_max: float = 5.0
) -> AsyncIterator[RedisStore]:
    store = RedisStore.connect(url, prefix=prefix, seconds_max=seconds_max)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def sqlite_log(
    directory: Path, now: Now, retention: Retention = Retention()
) -> AsyncIterator[SqliteEventLog]:
    async with sqlite_store(directory) as store:
        yield await SqliteEventLog.open(store, epoch_if_new="sqlite", now=now, retention=retention)


@asynccontextmanager
async def redis_log(
    directory: Path, now: Now, retention: Retention = Retention(), *, kind: str = REDIS
) -> AsyncIterator[RedisEventLog]:
    async with redis_store(shared_server(kind).url, prefix=prefix_of(directory)) as store:
        yield await RedisEventLog.open(store, epoch_if_new="redis", now=now, retention=retention)


@asynccontextmanager
async def sqlite_journal(
    directory: Path, now: Now, records_max: int = RECORDS_MAX
) -> AsyncIterator[SqliteJournalStore]:
    async with sqlite_store(directory) as store:
        yield await SqliteJournalStore.open(store, now=now, records_max=records_max)


@asynccontextmanager
async def redis_journal(
    directory: Path, now: Now, records_max: int = RECORDS_MAX, *, kind: str = REDIS
) -> AsyncIterator[RedisJournalStore]:
    async with redis_store(shared_server(kind).url, prefix=prefix_of(directory)) as store:
        yield RedisJournalStore(store, now=now, records_max=records_max)


LOGS: dict[str, OpenLog] = {
    "sqlite": sqlite_log,
    "redis": redis_log,
    "valkey": partial(redis_log, kind=VALKEY),
}
JOURNALS: dict[str, OpenJournal] = {
    "sqlite": sqlite_journal,
    "redis": redis_journal,
    "valkey": partial(redis_journal, kind=VALKEY),
}
