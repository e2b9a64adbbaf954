"""The write journal in Redis, beside the event log, shared by all replicas.

Each step is one script, so that of two replicas that begin a write one alone is told to send it.
Old records go when new ones come, and no others ever do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from gateway.backends.journal.codec import decoded_record, encoded_record, is_unfinished
from gateway.backends.journal.records import KEPT_SECONDS, RECORDS_MAX, JournalFull, WriteRecord
from gateway.storage.redis_store import RedisStore

AT_ONCE_MAX = 100
"""Old records that one write forgets at most: other clients of Redis wait meanwhile."""

# KEYS: bodies by name, names by age, names of the unfinished by age, names by Stripe key, Stripe
# keys by name. ARGV: name, Stripe key, body, recorded_at, is_unfinished, horizon, records_max,
# at_once.
_KEEP = """
local function keep()
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
{_KEEP}
local function forget(name)
  for stripe_key in string.gmatch(redis.call('HGET', KEYS[5], name) or '', '%S+') do
    redis.call('HDEL', KEYS[4], stripe_key)
  end
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
  redis.call('HDEL', KEYS[5], name)
end
local before = '(' .. ARGV[6]
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', before, 'LIMIT', 0, ARGV[8])
for _, name in ipairs(old) do forget(name) end
local recorded_at = redis.call('ZSCORE', KEYS[2], ARGV[1])
if recorded_at and tonumber(recorded_at) < tonumber(ARGV[6]) then forget(ARGV[1]) end
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return {{'known', known}} end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) then return {{'full'}} end
keep()
return {{'begun'}}
"""
_KEEP_ONLY = f"{_KEEP}keep()"


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
        self._records, _, self._unfinished, self._by_stripe_key, _ = self._keys
        self._begin = store.script(_BEGIN)
        self._keep = store.script(_KEEP_ONLY)

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        horizon = self._now() - KEPT_SECONDS
        limits = (horizon, self._records_max, AT_ONCE_MAX)
        answer, *known = await self._begin(self._keys, *_arguments(record), *limits)
        if answer == b"full":
            raise JournalFull("the write journal is full")
        return decoded_record(known[0]) if known else None

    async def keep(self, record: WriteRecord) -> None:
        await self._keep(self._keys, *_arguments(record))

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        name = await self._store.command("HGET", self._by_stripe_key, stripe_key)
        if name is None:
            return None
        body = await self._store.command("HGET", self._records, name)
        return None if body is None else decoded_record(body)

    async def unfinished(self) -> list[WriteRecord]:
        """Writes of which it is not known how they ended, oldest first. Raises `OSError`."""
        names: list[Any] = await self._store.command("ZRANGE", self._unfinished, 0, -1)
        if not names:
            return []
        bodies = await self._store.command("HMGET", self._records, *names)
        records = [decoded_record(body) for body in bodies if body is not None]
        return [record for record in records if is_unfinished(record)]


def _arguments(record: WriteRecord) -> tuple[str | int, ...]:
    name = orjson.dumps([record.tenant, record.operation, record.key]).decode()
    body = encoded_record(record)
    return name, record.stripe_key, body, record.recorded_at, int(is_unfinished(record))
