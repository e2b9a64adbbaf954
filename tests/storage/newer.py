"""A newer release beside this one: what it appends has another version, as its entries have
another shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.events import redis_log, sqlite_log
from gateway.events.log import EventLog, LogEntry, Logged, Unreadable
from gateway.storage.record_codec import RecordCodec
from tests.events.entries import entry

VERSION = 2
CODEC = RecordCodec(version=VERSION, kinds=[LogEntry])


def _encoded(fact: LogEntry) -> str:
    return CODEC.encoded(replace(fact, position=0))


async def append_by_newer(log: EventLog, fact: LogEntry) -> LogEntry | None:
    """Append as the newer release does; whoever reads meanwhile is of this one."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (redis_log, sqlite_log):
            patch.setattr(kind, "encoded_entry", _encoded)
        return await log.append(fact)


async def append_all(log: EventLog, kinds: str) -> None:
    """One fact after the other: `r` of this release, `n` of the newer one."""
    for number, kind in enumerate(kinds, start=1):
        fact = entry(f"event:{number}")
        await (log.append(fact) if kind == "r" else append_by_newer(log, fact))


def kinds_of(batch: list[Logged]) -> str:
    """What stands at the positions of a batch."""
    return "".join("n" if isinstance(one, Unreadable) else "r" for one in batch)
