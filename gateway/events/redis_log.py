"""The event log in a Redis stream, where many processes have one total order.

Positions are our own and dense, because the last one is kept beside the stream; they are its ids:
position 7 is `7-0`. Dedupe, position and append are one script, so the store does all of it or
nothing.
Source: https://redis.io/docs/latest/develop/data-types/streams/ and
https://redis.io/docs/latest/develop/programmability/eval-intro/, Redis 6.2.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.events.log import (
    AT_ONCE_MAX,
    CLAIM_SECONDS,
    Bounds,
    Claim,
    LogEntry,
    Logged,
    LogReplaced,
    Retention,
    UnreadableCount,
    encoded_entry,
    logged,
)

if TYPE_CHECKING:
    from gateway.storage.redis_store import RedisStore

log = logging.getLogger(__name__)

TAIL_BATCH = 200
"""Entries that one read of the tail brings."""
PAUSE_SECONDS_MIN = 0.05
PAUSE_SECONDS_MAX = 2.0
"""Between two tries to reach a Redis that is away: soon at first, then without pressing it."""

# KEYS: stream, facts, names. ARGV: epoch, now, horizon, entries_max, at_once, names_seconds, body.
_SAME_LOG = """
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return -1 end
"""
_FORGET = """
local surplus = redis.call('XLEN', KEYS[1])
local kept = math.min(surplus, tonumber(ARGV[4]))
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[5])
for at, entry in ipairs(oldest) do
  if tonumber(entry[2][2]) >= tonumber(ARGV[3]) then break end
  kept = math.min(kept, surplus - at)
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', math.max(kept, 1))
"""
_APPEND = f"""
{_SAME_LOG}
local is_known = false
for at = 3, #KEYS do
  is_known = is_known or redis.call('EXISTS', KEYS[at]) == 1
end
for at = 3, #KEYS do
  redis.call('SET', KEYS[at], '', 'EX', ARGV[6])
end
if is_known then return 0 end
local position = redis.call('HINCRBY', KEYS[2], 'last', 1)
local id = string.format('%.0f-0', position)
redis.call('XADD', KEYS[1], id, 'at', ARGV[2], 'body', ARGV[7])
{_FORGET}
return position
"""
# KEYS: facts, names, and as many claims. ARGV: epoch, names_seconds, owner, claim_seconds.
_CLAIM = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return -1 end
local last_name = #KEYS
if ARGV[3] then last_name = (#KEYS + 1) / 2 end
for known = 2, last_name do
  if redis.call('EXISTS', KEYS[known]) == 1 then
    for at = 2, last_name do
      redis.call('SET', KEYS[at], '', 'EX', ARGV[2])
    end
    return 1
  end
end
for at = last_name + 1, #KEYS do
  local owner = redis.call('GET', KEYS[at])
  if owner and owner ~= ARGV[3] then return 2 end
end
for at = last_name + 1, #KEYS do
  redis.call('SET', KEYS[at], ARGV[3], 'EX', ARGV[4])
end
return 0
"""
_CLAIMS = (Claim.OURS, Claim.KNOWN, Claim.OTHERS)
"""By what the script answers."""
# KEYS: claims. ARGV: owner.
_RELEASE = """
for at = 1, #KEYS do
  if redis.call('GET', KEYS[at]) == ARGV[1] then redis.call('DEL', KEYS[at]) end
end
"""
_TRIM = f"{_SAME_LOG}{_FORGET}"
_BOUNDS = f"""
{_SAME_LOG}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return {{first[1] and first[1][1] or '0-0', redis.call('HGET', KEYS[2], 'last') or '0'}}
"""


class RedisEventLog:
    """See `gateway.events.log.EventLog`. `tail_trouble` is why the tail waits, while it does."""

    def __init__(
        self, store: RedisStore, *, epoch: str, now: Callable[[], int], retention: Retention
    ) -> None:
        self.epoch = epoch
        self.unreadable = UnreadableCount()
        self.tail_trouble: OSError | None = None
        self._store = store
        self._now = now
        self._retention = retention
        self._stream = store.key("log")
        self._facts = store.key("log:facts")
        self._keys = [self._stream, self._facts]
        self._append = store.script(_APPEND)
        self._claim = store.script(_CLAIM)
        self._release = store.script(_RELEASE)
        self._trim = store.script(_TRIM)
        self._bounds = store.script(_BOUNDS)

    @classmethod
    async def open(
        cls,
        store: RedisStore,
        *,
        epoch_if_new: str,
        now: Callable[[], int],
        retention: Retention = Retention(),
    ) -> RedisEventLog:
        """The log of this store, which others may open too. Raises `OSError`."""
        facts = store.key("log:facts")
        await store.command("HSETNX", facts, "epoch", epoch_if_new)
        epoch: bytes = await store.command("HGET", facts, "epoch")
        return cls(store, epoch=epoch.decode(), now=now, retention=retention)

    async def append(self, entry: LogEntry) -> LogEntry | None:
        """See the port. After an `OSError` the entry may be there all the same, if the answer was
        lost: a repeat then answers None, and `tail` brings the entry."""
        names = self._name_keys(entry.dedupe)
        limits = self._limits(at_once=2)  # one comes, so two may go
        given = (*limits, self._retention.names_seconds, encoded_entry(entry))
        position = _own(await self._append([*self._keys, *names], *given))
        return replace(entry, position=position) if position else None

    async def knows(self, names: Sequence[str]) -> bool:
        keys = [self._facts, *self._name_keys(names)]
        return bool(_own(await self._claim(keys, self.epoch, self._retention.names_seconds)))

    async def claim(self, names: Sequence[str], owner: str) -> Claim:
        keys = [self._facts, *self._name_keys(names), *self._claim_keys(names)]
        given = (self.epoch, self._retention.names_seconds, owner, CLAIM_SECONDS)
        return _CLAIMS[_own(await self._claim(keys, *given))]

    async def release(self, names: Sequence[str], owner: str) -> None:
        await self._release(self._claim_keys(names), owner)

    def _name_keys(self, names: Sequence[str]) -> list[str]:
        return [self._store.key(f"log:name:{name}") for name in names]

    def _claim_keys(self, names: Sequence[str]) -> list[str]:
        return [self._store.key(f"log:claim:{name}") for name in names]

    async def read(self, after: int, limit: int) -> list[Logged]:
        words = ("XRANGE", self._stream, f"{after + 1}-0", "+", "COUNT", limit)
        return self.unreadable.noting(map(_logged, await self._store.command(*words)))

    async def bounds(self) -> Bounds:
        answer = _own(await self._bounds(self._keys, self.epoch))
        first, last = (int(text.split(b"-")[0]) for text in answer)
        return Bounds(first, last, first - 1) if first else Bounds(0, last, last)

    async def forget_old(self) -> None:
        """As in SQLite."""
        _own(await self._trim(self._keys, *self._limits(at_once=AT_ONCE_MAX)))

    def _limits(self, *, at_once: int) -> tuple[str | int, ...]:
        now, retention = self._now(), self._retention
        return (self.epoch, now, now - retention.age_seconds_max, retention.entries_max, at_once)

    async def tail(self, after: int) -> AsyncGenerator[Logged, None]:
        """Everything after a position, whoever appended it, as it comes; it never ends.

        While Redis is away it waits, and goes on where it was. Raises `LogReplaced`.
        """
        pause, is_sure = PAUSE_SECONDS_MIN, False
        while True:
            try:
                if not is_sure:
                    await self._check_reaches(after)
                batch = await self._next(after)
            except LogReplaced:
                raise
            except OSError as trouble:
                self.tail_trouble = trouble
                log.warning("the tail of the event log waits: %s", trouble)
                await asyncio.sleep(pause)
                pause, is_sure = min(2 * pause, PAUSE_SECONDS_MAX), False
                continue
            self.tail_trouble = None
            pause, is_sure = PAUSE_SECONDS_MIN, bool(batch)
            for entry in batch:
                after = entry.position
                yield entry

    async def _check_reaches(self, position: int) -> None:
        """Raises `LogReplaced` where Redis has gone back behind what this process has seen."""
        if (await self.bounds()).last < position:
            raise LogReplaced

    async def _next(self, after: int) -> list[Logged]:
        """What stands after the position; waits for it as long as a command may take."""
        wait = int(self._store.seconds_max * 500)
        words = ("XREAD", "COUNT", TAIL_BATCH, "BLOCK", wait, "STREAMS", self._stream, f"{after}-0")
        answer = await self._store.command(*words)
        return self.unreadable.noting(_logged(row) for _, rows in answer or [] for row in rows)


def _own(answer: Any) -> Any:
    if answer == -1:
        raise LogReplaced
    return answer


def _logged(row: tuple[bytes, dict[bytes, bytes]]) -> Logged:
    id, fields = row
    return logged(fields.get(b"body", b""), int(id.split(b"-")[0]))
