"""Whether a store still takes what it is given: asked by writing, as a full disk answers reads.

What is written is of no use to anybody. The outcome is kept for some seconds, so that probes of
health do not wear the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gateway.storage.sqlite_store import Part, SqliteStore

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore

FILLER_BYTES = 16_384
"""About what one event with its names takes of a file: where this has no room, they have none."""
KEPT_SECONDS = 10.0
RETRY_SECONDS = 2.0
"""How long an outcome is kept: a good one, and a bad one, so that it is soon seen to be over."""
REDIS_SECONDS = 60

PART = Part(
    "write probe",
    steps=(("CREATE TABLE write_probe (id INTEGER PRIMARY KEY, filler BLOB)",),),
)


@dataclass(eq=False)
class WriteProbe:
    """Of one store, by a write to it and a steady count of seconds."""

    _write: Callable[[], Awaitable[object]]
    _monotonic: Callable[[], float]
    _kept_until: float | None = field(default=None, init=False)
    _trouble: OSError | None = field(default=None, init=False)

    async def check(self) -> None:
        """Raises `OSError` where the store takes nothing, or lately took nothing."""
        if self._kept_until is None or self._monotonic() >= self._kept_until:
            try:
                await self._write()
                self._trouble = None
            except OSError as trouble:
                self._trouble = trouble
            kept = KEPT_SECONDS if self._trouble is None else RETRY_SECONDS
            self._kept_until = self._monotonic() + kept
        if self._trouble is not None:
            raise self._trouble


async def sqlite_probe(store: SqliteStore, monotonic: Callable[[], float]) -> WriteProbe:
    """Writes into the file that log and journal are in. Raises `StoreRefused`, `OSError`."""
    await store.install(PART)
    return WriteProbe(partial(store.write, _fill), monotonic)


def _fill(database: sqlite3.Connection) -> None:
    """A new row before the old one goes: it needs room of its own, as an event does."""
    database.execute("INSERT INTO write_probe (filler) VALUES (zeroblob(?))", (FILLER_BYTES,))
    database.execute("DELETE FROM write_probe WHERE id < (SELECT max(id) FROM write_probe)")


def redis_probe(store: RedisStore, monotonic: Callable[[], float]) -> WriteProbe:
    """Writes a key that goes by itself; a Redis without memory, or whose disk is full, refuses."""
    words = ("SET", store.key("write_probe"), "", "EX", REDIS_SECONDS)
    return WriteProbe(partial(store.command, *words), monotonic)
