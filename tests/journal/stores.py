"""The implementations of the journal's store, and what each declares. Tests never ask which."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.backends.journal.record_store import RECORDS_MAX, JournalStore, MemoryJournalStore
from tests.storage.durable import redis_journal, sqlite_journal
from tests.storage.redis_server import REDIS, VALKEY


class OpenStore(Protocol):
    """Opens the store that lives in this directory; one without a place starts empty."""

    def __call__(
        self, directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
    ) -> AbstractAsyncContextManager[JournalStore]: ...


@dataclass(frozen=True, slots=True)
class StoreFeatures:
    """What an implementation declares about itself.

    `is_durable`: what was recorded is there when the same directory is opened again. `is_shared`:
    by several processes at once.
    """

    name: str
    open: OpenStore
    is_durable: bool
    is_shared: bool = False

    @asynccontextmanager
    async def two_writers(
        self, directory: Path, now: Callable[[], int]
    ) -> AsyncIterator[tuple[JournalStore, JournalStore]]:
        """Two users of one store: with connections of their own, where it can be shared."""
        async with self.open(directory, now) as one:
            if not self.is_shared:
                yield one, one
                return
            async with self.open(directory, now) as other:
                yield one, other


@asynccontextmanager
async def memory(
    directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
) -> AsyncIterator[JournalStore]:
    yield MemoryJournalStore(now, records_max=records_max)


@asynccontextmanager
async def sqlite(
    directory: Path, now: Callable[[], int], *, records_max: int = RECORDS_MAX
) -> AsyncIterator[JournalStore]:
    async with sqlite_journal(directory, now, records_max) as store:
        yield store


@asynccontextmanager
async def redis(
    directory: Path,
    now: Callable[[], int],
    *,
    records_max: int = RECORDS_MAX,
    kind: str = REDIS,
) -> AsyncIterator[JournalStore]:
    async with redis_journal(directory, now, records_max, kind=kind) as store:
        yield store


valkey = partial(redis, kind=VALKEY)


STORES = [
    StoreFeatures(name="memory", open=memory, is_durable=False),
    StoreFeatures(name="sqlite", open=sqlite, is_durable=True),
    StoreFeatures(name="redis", open=redis, is_durable=True, is_shared=True),
    StoreFeatures(name="valkey", open=valkey, is_durable=True, is_shared=True),
]
