"""The implementations of the event log, and what each declares. Tests never ask which one runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.events.log import ENTRIES_MAX, EventLog, MemoryEventLog, Retention
from tests.storage.durable import redis_log, sqlite_log
from tests.storage.redis_server import REDIS, VALKEY
from tests.support.time_and_ids import ManualClock


class OpenLog(Protocol):
    """Opens the log that lives in this directory; a log without a store starts empty."""

    def __call__(
        self, directory: Path, *, entries_max: int = ENTRIES_MAX
    ) -> AbstractAsyncContextManager[EventLog]: ...


@dataclass(frozen=True, slots=True)
class LogFeatures:
    """What an implementation declares about itself.

    `is_durable`: what was appended is there when the same directory is opened again.
    `forgets_exactly`: holds `entries_max` entries and not one more; others may trim in blocks.
    `is_shared`: has several processes, so that they have to say which takes in a fact.
    """

    name: str
    open: OpenLog
    is_durable: bool
    forgets_exactly: bool
    is_shared: bool = True


@asynccontextmanager
async def memory(directory: Path, *, entries_max: int = ENTRIES_MAX) -> AsyncIterator[EventLog]:
    yield MemoryEventLog("memory", entries_max=entries_max)


@asynccontextmanager
async def sqlite(directory: Path, *, entries_max: int = ENTRIES_MAX) -> AsyncIterator[EventLog]:
    async with sqlite_log(directory, ManualClock().now, Retention(entries_max)) as log:
        yield log


@asynccontextmanager
async def redis(
    directory: Path, *, entries_max: int = ENTRIES_MAX, kind: str = REDIS
) -> AsyncIterator[EventLog]:
    async with redis_log(directory, ManualClock().now, Retention(entries_max), kind=kind) as log:
        yield log


valkey = partial(redis, kind=VALKEY)


LOGS = [
    LogFeatures(name="memory", open=memory, is_durable=False, forgets_exactly=True),
    LogFeatures(name="sqlite", open=sqlite, is_durable=True, forgets_exactly=True, is_shared=False),
    LogFeatures(name="redis", open=redis, is_durable=True, forgets_exactly=True),
    LogFeatures(name="valkey", open=valkey, is_durable=True, forgets_exactly=True),
]
