"""How far catch-up has come with one of Stripe's lists, and where that is kept: in memory, or
beside the log. The releases before kept a number, the time alone, which is still read; what they
have kept is of the list of snapshot events, and stays where they look for it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.events.hints import Hint
from gateway.storage.record_codec import RecordCodec
from gateway.storage.sqlite_store import Part, SqliteStore

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An event that could not be taken in, and how often that was tried."""

    hint: Hint
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Covered:
    """All events up to `until`, in Stripe's epoch seconds, were taken in, but for those that were
    passed over, which are tried again in the order in which they stand here.

    `ended_at` is when a run came to the end of Stripe's list the last time, by our clock, which
    may have been wrong: it tells a quiet account from a gateway that did not run, and never from
    where to read.
    """

    until: int
    passed_over: tuple[PassedOver, ...] = ()
    ended_at: int | None = None


class Progress(Protocol):
    """Where catch-up keeps how far it has come with one list.

    `load` answers None before the first `save`; what was saved last counts. Both raise `OSError`
    when the store is not to be had.
    """

    async def load(self) -> Covered | None: ...

    async def save(self, covered: Covered) -> None: ...


@dataclass(eq=False)
class MemoryProgress:
    """Forgets with the process, as the log in memory does."""

    _covered: Covered | None = None

    async def load(self) -> Covered | None:
        return self._covered

    async def save(self, covered: Covered) -> None:
        self._covered = covered


_CODEC = RecordCodec(version=1, kinds=[Covered, PassedOver, Hint])

PART = Part(
    "catch-up progress",
    steps=(
        ("CREATE TABLE catch_up (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER)",),
        ("ALTER TABLE catch_up ADD COLUMN body TEXT",),
        (
            "CREATE TABLE catch_up_of_thin "
            "(id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER, body TEXT)",
        ),
    ),
)


@dataclass(eq=False)
class SqliteProgress:
    """In the file of the log."""

    _store: SqliteStore
    _table: str

    @classmethod
    async def open(cls, store: SqliteStore, *, of_thin: bool = False) -> SqliteProgress:
        """Raises `StoreRefused`; `OSError`."""
        await store.install(PART)
        return cls(store, "catch_up_of_thin" if of_thin else "catch_up")

    async def load(self) -> Covered | None:
        return await self._store.read(_load, self._table)

    async def save(self, covered: Covered) -> None:
        await self._store.write(_save, self._table, covered)


def _load(database: sqlite3.Connection, table: str) -> Covered | None:
    row = database.execute(f"SELECT until, body FROM {table}").fetchone()
    if row is None:
        return None
    covered: Covered = Covered(row[0]) if row[1] is None else _CODEC.decoded(row[1])
    return covered


def _save(database: sqlite3.Connection, table: str, covered: Covered) -> None:
    database.execute(
        f"INSERT OR REPLACE INTO {table} VALUES (1, ?, ?)",
        (covered.until, _CODEC.encoded(covered)),
    )


class RedisProgress:
    """In the Redis of the log; replicas share it, and the earliest of them may win harmlessly."""

    def __init__(self, store: RedisStore, *, of_thin: bool = False) -> None:
        self._store = store
        self._key = store.key("catch_up:thin" if of_thin else "catch_up")

    async def load(self) -> Covered | None:
        held: bytes | None = await self._store.command("GET", self._key)
        if held is None:
            return None
        covered: Covered = Covered(int(held)) if held.isdigit() else _CODEC.decoded(held)
        return covered

    async def save(self, covered: Covered) -> None:
        await self._store.command("SET", self._key, _CODEC.encoded(covered))
