"""Processes killed in the middle of appends: what was acknowledged is there, once, in its place."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.events.log import EventLog, LogEntry
from gateway.events.redis_log import RedisEventLog
from gateway.storage import StoreUnavailable
from tests.events.entries import entry
from tests.storage.durable import redis_store, sqlite_log
from tests.storage.redis_server import RedisServer
from tests.support.time_and_ids import ManualClock


def killed_in_the_middle(directory: Path, seed: int) -> dict[str, int]:
    """What a process acknowledged before it was killed: name and position of each append."""
    words = [sys.executable, "-m", "tests.storage.appender", str(directory), str(seed)]
    wanted = random.Random(seed).randint(1, 400)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(wanted)]
        process.kill()
        told += process.stdout.readlines()
    whole = [line.split() for line in told if line.endswith("\n")]
    return {name: int(position) for name, position in whole}


async def all_of(log: EventLog) -> list[LogEntry]:
    found: list[LogEntry] = []
    while batch := await log.read(found[-1].position if found else 0, 1000):
        found += batch
    return found


def assert_each_once(acknowledged: dict[str, int], held: list[LogEntry]) -> None:
    """In one order without a hole, nothing twice, and every acknowledged name where it was said."""
    places = {one.dedupe[0]: one.position for one in held}

    assert [one.position for one in held] == list(range(1, len(held) + 1))
    assert len(places) == len(held)
    assert places.items() >= acknowledged.items()


@pytest.mark.parametrize("first_seed", [1, 101])
async def test_no_acknowledged_append_is_lost_by_a_killed_process(
    tmp_path: Path, first_seed: int
) -> None:
    """Killed and started again, three times over the same file."""
    acknowledged: dict[str, int] = {}
    for seed in range(first_seed, first_seed + 3):
        print(f"seed {seed}")  # noqa: T201 - repeats a failure
        acknowledged |= killed_in_the_middle(tmp_path, seed)

        async with sqlite_log(tmp_path, ManualClock().now) as log:
            held = await all_of(log)
            again = [await log.append(entry(name)) for name in acknowledged]

        assert_each_once(acknowledged, held)
        assert again == [None] * len(acknowledged)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_acknowledged_append_is_lost_by_a_killed_redis(
    server: RedisServer, clock: ManualClock, seed: int
) -> None:
    """Some appends fail; those that did not are there when Redis is back, once."""
    print(f"seed {seed}")  # noqa: T201 - repeats a failure
    kill_after = random.Random(seed).randint(20, 120)
    acknowledged: dict[str, int] = {}

    async def append(log: RedisEventLog, name: str) -> None:
        placed = await log.append(entry(name))
        assert placed is not None
        acknowledged[name] = placed.position
        if len(acknowledged) == kill_after:
            server.kill()

    async with redis_store(server.url) as store:
        log = await RedisEventLog.open(store, epoch_if_new="redis", now=clock.now)
        appends = (append(log, f"kill:{n}") for n in range(200))
        answers = await asyncio.gather(*appends, return_exceptions=True)
        await asyncio.to_thread(server.start)
        held = await all_of(log)
        again = [await log.append(entry(name)) for name in acknowledged]

    assert {type(one) for one in answers} <= {type(None), StoreUnavailable}
    assert len(acknowledged) >= kill_after
    assert_each_once(acknowledged, held)
    assert again == [None] * len(acknowledged)
