"""The write journal in a SQLite file, beside the event log: a write is on the disk before it goes
out. Old records go when their room is needed, and no others ever do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

from gateway.backends.journal.codec import decoded_record, encoded_record, readable
from gateway.backends.journal.records import (
    KEPT_SECONDS,
    RECORDS_MAX,
    JournalFull,
    RecordGone,
    WriteRecord,
)
from gateway.storage.sqlite_file import Part
from gateway.storage.sqlite_store import SqliteStore

AT_ONCE_MAX = 500
"""Old records that one write forgets at most, so that it does not wait for a month's."""

PART = Part(
    "write journal",
    steps=(
        (
            "CREATE TABLE journal_records (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, "
            "operation TEXT NOT NULL, key TEXT NOT NULL, recorded_at INTEGER NOT NULL, "
            "is_unfinished INTEGER NOT NULL, body TEXT NOT NULL, "
            "UNIQUE (tenant, operation, key))",
            "CREATE INDEX journal_records_by_age ON journal_records (recorded_at)",
            "CREATE INDEX journal_records_unfinished ON journal_records (recorded_at) "
            "WHERE is_unfinished",
            "CREATE TABLE journal_stripe_keys (stripe_key TEXT PRIMARY KEY, record_id INTEGER "
            "NOT NULL REFERENCES journal_records (id) ON DELETE CASCADE) WITHOUT ROWID",
            "CREATE INDEX journal_stripe_keys_of ON journal_stripe_keys (record_id)",
        ),
    ),
)


class SqliteJournalStore:
    """See `gateway.backends.journal.JournalStore`."""

    def __init__(self, store: SqliteStore, *, now: Callable[[], int], records_max: int) -> None:
        self._store = store
        self._now = now
        self._records_max = records_max

    @classmethod
    async def open(
        cls, store: SqliteStore, *, now: Callable[[], int], records_max: int = RECORDS_MAX
    ) -> SqliteJournalStore:
        """The journal of this store. Raises `StoreRefused`; `OSError`."""
        await store.install(PART)
        return cls(store, now=now, records_max=records_max)

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        horizon = self._now() - KEPT_SECONDS
        work = partial(_begin, record=record, horizon=horizon, records_max=self._records_max)
        is_full, known = await self._store.write(work)
        if is_full:
            raise JournalFull("the write journal is full")
        return known

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        return await self._store.write(partial(_swap, record=record, version=version))

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        return await self._store.read(partial(_by_stripe_key, stripe_key=stripe_key))

    async def open_records(self) -> list[WriteRecord]:
        return await self._store.read(_open_records)


def _begin(
    database: sqlite3.Connection, *, record: WriteRecord, horizon: int, records_max: int
) -> tuple[bool, WriteRecord | None]:
    """Whether the journal is full, and the record that is known."""
    known = _held(database, record)
    if known is not None:
        return False, known
    if _count(database) >= records_max:
        _make_room(database, horizon)
    if _count(database) >= records_max:
        return True, None
    _put(database, record)
    return False, None


def _count(database: sqlite3.Connection) -> int:
    (count,) = database.execute("SELECT count(*) FROM journal_records").fetchone()
    return int(count)


def _make_room(database: sqlite3.Connection, horizon: int) -> None:
    """Forget some of the oldest that are finished and old enough."""
    database.execute(
        "DELETE FROM journal_records WHERE id IN (SELECT id FROM journal_records "
        "WHERE recorded_at < ? AND NOT is_unfinished ORDER BY recorded_at LIMIT ?)",
        (horizon, AT_ONCE_MAX),
    )


def _swap(database: sqlite3.Connection, *, record: WriteRecord, version: int) -> WriteRecord | None:
    present = _held(database, record)
    if present is None:
        raise RecordGone(record.stripe_key)
    if present.version != version:
        return present
    _put(database, record)
    return None


def _held(database: sqlite3.Connection, record: WriteRecord) -> WriteRecord | None:
    row = database.execute(
        "SELECT body FROM journal_records WHERE tenant = ? AND operation = ? AND key = ?",
        (record.tenant, record.operation, record.key),
    ).fetchone()
    return None if row is None else decoded_record(row[0])


def _put(database: sqlite3.Connection, record: WriteRecord) -> None:
    (record_id,) = database.execute(
        "INSERT INTO journal_records (tenant, operation, key, recorded_at, is_unfinished, body) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, operation, key) DO UPDATE SET "
        "recorded_at = excluded.recorded_at, is_unfinished = excluded.is_unfinished, "
        "body = excluded.body RETURNING id",
        (
            record.tenant,
            record.operation,
            record.key,
            record.recorded_at,
            record.is_open,
            encoded_record(record),
        ),
    ).fetchone()
    database.execute(
        "INSERT OR REPLACE INTO journal_stripe_keys VALUES (?, ?)", (record.stripe_key, record_id)
    )


def _by_stripe_key(database: sqlite3.Connection, *, stripe_key: str) -> WriteRecord | None:
    row = database.execute(
        "SELECT body FROM journal_records JOIN journal_stripe_keys ON id = record_id "
        "WHERE stripe_key = ?",
        (stripe_key,),
    ).fetchone()
    return None if row is None else decoded_record(row[0])


def _open_records(database: sqlite3.Connection) -> list[WriteRecord]:
    rows = database.execute(
        "SELECT body FROM journal_records WHERE is_unfinished ORDER BY recorded_at, id"
    )
    return readable(body for (body,) in rows)
