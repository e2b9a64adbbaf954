"""The write journal in Redis, beside the event log, shared by all replicas.

Each step is one script, so that of two replicas that begin or move a write one alone succeeds.
Old records go when their room is needed, and no others ever do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from gateway.backends.journal.codec import decoded_record, encoded_record, readable
from gateway.backends.journal.records import (
    KEPT_SECONDS,
    RECORDS_MAX,
    JournalFull,
    RecordGone,
    WriteRecord,
)
from gateway.storage.redis_store import RedisStore

AT_ONCE_MAX = 100
"""Old records that one write forgets at most: other clients of Redis wait meanwhile."""

# KEYS: bodies by name, names by age, names of the open ones by age, names by Stripe key, Stripe
# keys by name. ARGV: name, Stripe key, body, recorded_at, is_open; then for begin: horizon,
# records_max, at_once; for swap: version.
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
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) then return {{'full'}} end
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
    """See `gateway.backends.journal.JournalStore`."""

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
        horizon = self._now() - KEPT_SECONDS
        limits = (horizon, self._records_max, AT_ONCE_MAX)
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
    name = orjson.dumps([record.tenant, record.operation, record.key]).decode()
    body = encoded_record(record)
    return name, record.stripe_key, body, record.recorded_at, int(record.is_open)
