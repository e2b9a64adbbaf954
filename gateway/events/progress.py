"""How far catch-up has come, kept beside the log: see `gateway.events.catch_up.Progress`."""

from __future__ import annotations

import sqlite3
from functools import partial

from gateway.storage.redis_store import RedisStore
from gateway.storage.sqlite_file import Part
from gateway.storage.sqlite_store import SqliteStore

PART = Part(
    "catch-up progress",
    steps=(("CREATE TABLE catch_up (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER)",),),
)


class SqliteProgress:
    """In the file of the log."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    @classmethod
    async def open(cls, store: SqliteStore) -> SqliteProgress:
        """Raises `StoreRefused`; `OSError`."""
        await store.install(PART)
        return cls(store)

    async def load(self) -> int | None:
        return await self._store.read(_load)

    async def save(self, covered_until: int) -> None:
        await self._store.write(partial(_save, covered_until=covered_until))


def _load(database: sqlite3.Connection) -> int | None:
    row = database.execute("SELECT until FROM catch_up").fetchone()
    return None if row is None else int(row[0])


def _save(database: sqlite3.Connection, *, covered_until: int) -> None:
    database.execute("INSERT OR REPLACE INTO catch_up VALUES (1, ?)", (covered_until,))


class RedisProgress:
    """In the Redis of the log; replicas share it, and the earliest of them may win harmlessly."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._key = store.key("catch_up")

    async def load(self) -> int | None:
        held = await self._store.command("GET", self._key)
        return None if held is None else int(held)

    async def save(self, covered_until: int) -> None:
        await self._store.command("SET", self._key, covered_until)
