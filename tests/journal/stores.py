"""The implementations of the journal's store, and what each declares. Tests never ask which."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.backends.journal import RECORDS_MAX, JournalStore, MemoryJournalStore
from gateway.backends.journal_redis import RedisJournalStore
from gateway.backends.journal_sqlite import SqliteJournalStore
from gateway.storage.redis_store import RedisStore
from gateway.storage.sqlite_store import SqliteStore
from tests.storage.redis_server import prefix_of, shared_server


class OpenStore(Protocol):
    """Opens the store that lives in this directory; one without a place starts empty."""

    def __call__(
        self, directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
    ) -> AbstractAsyncContextManager[JournalStore]: ...


@dataclass(frozen=True, slots=True)
class StoreFeatures:
    """What an implementation declares about itself.

    `is_durable`: what was recorded is there when the same directory is opened again.
    """

    name: str
    open: OpenStore
    is_durable: bool


@asynccontextmanager
async def memory(
    directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
) -> AsyncIterator[JournalStore]:
    yield MemoryJournalStore(now, records_max=records_max)


@asynccontextmanager
async def sqlite(
    directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
) -> AsyncIterator[JournalStore]:
    store = await SqliteStore.open(directory / "gateway.sqlite")
    try:
        yield await SqliteJournalStore.open(store, now=now, records_max=records_max)
    finally:
        await store.close()


@asynccontextmanager
async def redis(
    directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
) -> AsyncIterator[JournalStore]:
    store = RedisStore.connect(shared_server().url, prefix=prefix_of(directory))
    try:
        yield RedisJournalStore(store, now=now, records_max=records_max)
    finally:
        await store.close()


STORES = [
    StoreFeatures(name="memory", open=memory, is_durable=False),
    StoreFeatures(name="sqlite", open=sqlite, is_durable=True),
    StoreFeatures(name="redis", open=redis, is_durable=True),
]
