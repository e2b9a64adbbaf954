"""A process that appends to the SQLite log and says so line by line, until it is killed.

    python -m tests.storage.appender DIRECTORY SEED

Each line is the name of a fact and its position, written after the append was acknowledged.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from gateway.events.sqlite_log import SqliteEventLog
from gateway.storage import StoreRefused
from tests.events.entries import entry
from tests.storage.durable import sqlite_log
from tests.support.time_and_ids import ManualClock


async def append_until_killed(directory: Path, seed: int) -> None:
    """Waves of appends at once, of random sizes."""
    chance, count = random.Random(seed), 0
    async with sqlite_log(directory, ManualClock().now) as log:
        while True:
            wave = range(count, count + chance.randint(1, 40))
            count = wave.stop
            await asyncio.gather(*(append(log, f"kill:{seed}:{n}") for n in wave))


async def append(log: SqliteEventLog, name: str) -> None:
    placed = await log.append(entry(name))
    assert placed is not None
    print(name, placed.position, flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    try:
        asyncio.run(append_until_killed(Path(sys.argv[1]), int(sys.argv[2])))
    except StoreRefused as refused:
        sys.exit(str(refused))
