"""The write journal beside the event log, in a SQLite file or a Redis: a write is kept there before
it goes out. Old records go when their room is needed, and no others ever do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gateway.backends.journal.record_store import (
    KEPT_SECONDS,
    RECORDS_MAX,
    JournalFull,
    RecordGone,
    decoded_record,
    encoded_record,
    readable,
)
from gateway.backends.journal.records import WriteRecord
from gateway.storage.sqlite_store import Part, SqliteStore

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore

SQLITE_AT_ONCE_MAX = 500
REDIS_AT_ONCE_MAX = 100
"""Old records that one write forgets at most, so that neither it nor Redis's other clients wait for
a month's."""

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


@dataclass(eq=False)
class SqliteJournalStore:
    """See `JournalStore`. Made by `open`."""

    _store: SqliteStore
    _now: Callable[[], int]
    _records_max: int

    @classmethod
    async def open(
        cls, store: SqliteStore, *, now: Callable[[], int], records_max: int = RECORDS_MAX
    ) -> SqliteJournalStore:
        """The journal of this store. Raises `StoreRefused`; `OSError`."""
        await store.install(PART)
        return cls(store, now, records_max)

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        is_full, known = await self._store.write(self._begin, record, self._now() - KEPT_SECONDS)
        if is_full:
            raise JournalFull("the write journal is full")
        return known

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        return await self._store.write(_swap, record, version)

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        sought = "JOIN journal_stripe_keys ON id = record_id WHERE stripe_key = ?"
        return await self._store.read(_held, sought, stripe_key)

    async def open_records(self) -> list[WriteRecord]:
        return await self._store.read(_open_records)

    def _begin(
        self, database: sqlite3.Connection, record: WriteRecord, horizon: int
    ) -> tuple[bool, WriteRecord | None]:
        """Whether the journal is full, and the record that is known."""
        known = _present(database, record)
        if known is not None:
            return False, known
        if _count(database) >= self._records_max:
            _make_room(database, horizon)
        if _count(database) >= self._records_max and record.whole is None:
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
        (horizon, SQLITE_AT_ONCE_MAX),
    )


def _swap(database: sqlite3.Connection, record: WriteRecord, version: int) -> WriteRecord | None:
    present = _present(database, record)
    if present is None:
        raise RecordGone(record.stripe_key)
    if present.version != version:
        return present
    _put(database, record)
    return None


def _present(database: sqlite3.Connection, record: WriteRecord) -> WriteRecord | None:
    return _held(database, "WHERE tenant = ? AND operation = ? AND key = ?", *record.name)


def _held(database: sqlite3.Connection, sought: str, *words: str) -> WriteRecord | None:
    row = database.execute(f"SELECT body FROM journal_records {sought}", words).fetchone()
    return None if row is None else decoded_record(row[0])


def _put(database: sqlite3.Connection, record: WriteRecord) -> None:
    (record_id,) = database.execute(
        "INSERT INTO journal_records (tenant, operation, key, recorded_at, is_unfinished, body) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, operation, key) DO UPDATE SET "
        "recorded_at = excluded.recorded_at, is_unfinished = excluded.is_unfinished, "
        "body = excluded.body RETURNING id",
        (*record.name, record.recorded_at, record.is_open, encoded_record(record)),
    ).fetchone()
    database.execute(
        "INSERT OR REPLACE INTO journal_stripe_keys VALUES (?, ?)", (record.stripe_key, record_id)
    )


def _open_records(database: sqlite3.Connection) -> list[WriteRecord]:
    rows = database.execute(
        "SELECT body FROM journal_records WHERE is_unfinished ORDER BY recorded_at, id"
    )
    return readable(body for (body,) in rows)


# KEYS: bodies by name, names by age, names of the open ones by age, names by Stripe key, Stripe
# keys by name. ARGV: name, Stripe key, body, recorded_at, is_open; then for begin: horizon,
# records_max, at_once, is_step; for swap: version.
_PUT = """
local function put()
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  if ARGV[5] == '1' then
    redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
  else
    redis.call('ZREM', KEYS[3], ARGV[1])
  end
  if redis.call('HSETNX', KEYS[4], ARGV[2], ARGV[1]) == 1 then
    local held = redis.call('HGET', KEYS[5], ARGV[1])
    redis.call('HSET', KEYS[5], ARGV[1], (held or '') .. ARGV[2] .. ' ')
  end
end
"""
_BEGIN = f"""
{_PUT}
local function forget(name)
  for stripe_key in string.gmatch(redis.call('HGET', KEYS[5], name) or '', '%S+') do
    redis.call('HDEL', KEYS[4], stripe_key)
  end
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('HDEL', KEYS[5], name)
end
local function make_room()
  local left, at = tonumber(ARGV[8]), 0
  while left > 0 do
    local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[6], 'LIMIT', at, ARGV[8])
    if #old == 0 then return end
    for _, name in ipairs(old) do
      if redis.call('ZSCORE', KEYS[3], name) then
        at = at + 1
      elseif left > 0 then
        forget(name)
        left = left - 1
      end
    end
  end
end
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return {{'known', known}} end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) then make_room() end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) and ARGV[9] == '0' then return {{'full'}} end
put()
return {{'begun'}}
"""
# A record of the release before has no version, and is the first that a move meets.
_SWAP = f"""
{_PUT}
local present = redis.call('HGET', KEYS[1], ARGV[1])
if not present then return {{'missing'}} end
if (cjson.decode(present).version or 0) ~= tonumber(ARGV[6]) then return {{'present', present}} end
put()
return {{'put'}}
"""


class RedisJournalStore:
    """See `JournalStore`. Each step is one script, so that of two replicas that begin or move a
    write one alone succeeds."""

    def __init__(
        self, store: RedisStore, *, now: Callable[[], int], records_max: int = RECORDS_MAX
    ) -> None:
        self._store = store
        self._now = now
        self._records_max = records_max
        parts = ("records", "by_age", "unfinished", "by_stripe_key", "stripe_keys")
        self._keys = [store.key(f"journal:{part}") for part in parts]
        self._records, _, self._open, self._by_stripe_key, _ = self._keys
        self._begin = store.script(_BEGIN)
        self._swap = store.script(_SWAP)

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        is_step = int(record.whole is not None)
        limits = (self._now() - KEPT_SECONDS, self._records_max, REDIS_AT_ONCE_MAX, is_step)
        answer, *known = await self._begin(self._keys, *_arguments(record), *limits)
        if answer == b"full":
            raise JournalFull("the write journal is full")
        return decoded_record(known[0]) if known else None

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        answer, *present = await self._swap(self._keys, *_arguments(record), version)
        if answer == b"missing":
            raise RecordGone(record.stripe_key)
        return decoded_record(present[0]) if present else None

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        name = await self._store.command("HGET", self._by_stripe_key, stripe_key)
        if name is None:
            return None
        body = await self._store.command("HGET", self._records, name)
        return None if body is None else decoded_record(body)

    async def open_records(self) -> list[WriteRecord]:
        names: list[Any] = await self._store.command("ZRANGE", self._open, 0, -1)
        if not names:
            return []
        bodies = await self._store.command("HMGET", self._records, *names)
        records = readable(body for body in bodies if body is not None)
        return [record for record in records if record.is_open]


def _arguments(record: WriteRecord) -> tuple[str | int, ...]:
    name, body = orjson.dumps(record.name).decode(), encoded_record(record)
    return name, record.stripe_key, body, record.recorded_at, int(record.is_open)
