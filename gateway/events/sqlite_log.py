"""The event log in a SQLite file, for one process and with nothing to install.

Positions are our own and dense, because a position is one more than the newest entry, and the
newest entry is never forgotten. Dedupe, position and append are one transaction, so the store does
all of it or nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.events.log import (
    AT_ONCE_MAX,
    Bounds,
    Claim,
    LogEntry,
    Logged,
    Retention,
    UnreadableCount,
    encoded_entry,
    logged,
)
from gateway.storage.sqlite_store import Part, SqliteStore

PART = Part(
    "event log",
    steps=(
        (
            "CREATE TABLE event_log (epoch TEXT NOT NULL)",
            "CREATE TABLE event_entries (position INTEGER PRIMARY KEY, "
            "appended_at INTEGER NOT NULL, body TEXT NOT NULL)",
            "CREATE TABLE event_names (name TEXT PRIMARY KEY, seen_at INTEGER NOT NULL) "
            "WITHOUT ROWID",
            "CREATE INDEX event_names_by_age ON event_names (seen_at)",
        ),
    ),
)


@dataclass(eq=False)
class SqliteEventLog:
    """See `gateway.events.log.EventLog`. Made by `open`."""

    epoch: str
    _store: SqliteStore
    _now: Callable[[], int]
    _retention: Retention
    unreadable: UnreadableCount = field(default_factory=UnreadableCount, init=False)

    @classmethod
    async def open(
        cls,
        store: SqliteStore,
        *,
        epoch_if_new: str,
        now: Callable[[], int],
        retention: Retention = Retention(),
    ) -> SqliteEventLog:
        """The log of this store. Raises `StoreRefused`; `OSError`."""
        await store.install(PART)
        return cls(await store.write(_epoch, epoch_if_new), store, now, retention)

    async def append(self, entry: LogEntry) -> LogEntry | None:
        return await self._store.write(_append, entry, self._now(), self._retention)

    async def knows(self, names: Sequence[str]) -> bool:
        if not await self._store.read(_is_known, tuple(names)):
            return False
        return await self._store.write(_note_names, tuple(names), self._now())

    async def claim(self, names: Sequence[str], owner: str) -> Claim:
        """The file has one process, which has nobody to share with."""
        return Claim.KNOWN if await self.knows(names) else Claim.OURS

    async def release(self, names: Sequence[str], owner: str) -> None:
        """There was no claim."""

    async def read(self, after: int, limit: int) -> list[Logged]:
        return self.unreadable.noting(await self._store.read(_read, after, limit))

    async def bounds(self) -> Bounds:
        return await self._store.read(_bounds)

    async def forget_old(self) -> None:
        """Forget what is due, at most `AT_ONCE_MAX` entries. Appends do it too: call this now and
        then for a log that is quiet. Raises `OSError`."""
        await self._store.write(_forget, self._now(), self._retention)


def _epoch(database: sqlite3.Connection, epoch_if_new: str) -> str:
    row = database.execute("SELECT epoch FROM event_log").fetchone()
    if row is None:
        database.execute("INSERT INTO event_log VALUES (?)", (epoch_if_new,))
    return epoch_if_new if row is None else str(row[0])


def _append(
    database: sqlite3.Connection, entry: LogEntry, now: int, retention: Retention
) -> LogEntry | None:
    if _note_names(database, entry.dedupe, now):
        return None
    placed = replace(entry, position=_bounds(database).last + 1)
    database.execute(
        "INSERT INTO event_entries VALUES (?, ?, ?)", (placed.position, now, encoded_entry(placed))
    )
    _forget(database, now, retention)
    return placed


def _note_names(database: sqlite3.Connection, names: tuple[str, ...], now: int) -> bool:
    """Whether any of the names was known; all of them are from now on."""
    is_known = _is_known(database, names)
    database.executemany(
        "INSERT OR REPLACE INTO event_names VALUES (?, ?)", [(name, now) for name in names]
    )
    return is_known


def _is_known(database: sqlite3.Connection, names: tuple[str, ...]) -> bool:
    sought = "SELECT 1 FROM event_names WHERE name = ?"
    return any(database.execute(sought, (name,)).fetchone() for name in names)


def _read(database: sqlite3.Connection, after: int, limit: int) -> list[Logged]:
    rows = database.execute(
        "SELECT body, position FROM event_entries WHERE position > ? ORDER BY position LIMIT ?",
        (after, limit),
    )
    return [logged(body, position) for body, position in rows]


def _bounds(database: sqlite3.Connection) -> Bounds:
    # Two subqueries, as SQLite looks up a lone min or max in the index and scans for both.
    first, last = database.execute(
        "SELECT (SELECT min(position) FROM event_entries), "
        "(SELECT max(position) FROM event_entries)"
    ).fetchone()
    return Bounds(0, 0, 0) if first is None else Bounds(first, last, first - 1)


def _forget(database: sqlite3.Connection, now: int, retention: Retention) -> None:
    bounds = _bounds(database)
    due = max(bounds.last - retention.entries_max, _last_older_than(database, now, retention))
    due = min(due, bounds.last - 1)
    at_once = min(due, bounds.forgotten + AT_ONCE_MAX)
    database.execute("DELETE FROM event_entries WHERE position <= ?", (at_once,))
    if at_once == due:  # or names would go before their entries
        _forget_names(database, now - retention.names_seconds)


def _last_older_than(database: sqlite3.Connection, now: int, retention: Retention) -> int:
    """The end of the run of old entries at the beginning; looks at no others."""
    row = database.execute(
        "SELECT position FROM event_entries WHERE appended_at >= ? ORDER BY position LIMIT 1",
        (now - retention.age_seconds_max,),
    ).fetchone()
    return _bounds(database).last if row is None else int(row[0]) - 1


def _forget_names(database: sqlite3.Connection, seen_before: int) -> None:
    database.execute(
        "DELETE FROM event_names WHERE name IN "
        "(SELECT name FROM event_names WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
        (seen_before, AT_ONCE_MAX),
    )
