"""The event log in Redis: shared by processes, and there again when Redis is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.events.log import CLAIM_SECONDS, LogEntry, LogReplaced
from gateway.events.redis_log import RedisEventLog
from tests.events.entries import entry
from tests.storage.durable import redis_log, redis_store
from tests.storage.redis_server import RedisServer
from tests.support.time_and_ids import ManualClock

PATIENCE_SECONDS = 60.0
"""A test that waits longer has failed."""


@asynccontextmanager
async def opened(server: RedisServer, *, seconds_max: float = 5.0) -> AsyncIterator[RedisEventLog]:
    async with redis_store(server.url, seconds_max=seconds_max) as store:
        yield await RedisEventLog.open(store, epoch_if_new="redis", now=ManualClock().now)


async def taken(tail: AsyncGenerator[LogEntry, None], count: int) -> list[str]:
    """The names of the next entries of the tail."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [(await anext(tail)).dedupe[0] for _ in range(count)]


async def test_two_processes_append_to_one_total_order(tmp_path: Path, clock: ManualClock) -> None:
    """Each is told positions that the other is not, and both read the same."""
    async with redis_log(tmp_path, clock.now) as one, redis_log(tmp_path, clock.now) as two:
        appends = [log.append(entry(f"{n}")) for n in range(50) for log in (one, two)]
        placed = [answer for answer in await asyncio.gather(*appends) if answer is not None]
        read = [await log.read(0, 1000) for log in (one, two)]

    assert one.epoch == two.epoch
    assert sorted(answer.position for answer in placed) == list(range(1, 51))
    assert read[0] == read[1] == sorted(placed, key=lambda answer: answer.position)


async def test_a_claim_ends_by_itself(tmp_path: Path, clock: ManualClock) -> None:
    """Whoever has it may be gone."""
    async with redis_log(tmp_path, clock.now) as log:
        await log.claim(["event:1"], "gone")

        (key,) = log._claim_keys(["event:1"])
        seconds = await log._store.command("TTL", key)

    assert 0 < seconds <= CLAIM_SECONDS


async def test_a_tail_brings_what_others_append(tmp_path: Path, clock: ManualClock) -> None:
    """A replica's subscribers see the webhooks that came to another, from a position on."""
    async with redis_log(tmp_path, clock.now) as here, redis_log(tmp_path, clock.now) as there:
        for name in ("seen", "missed"):
            await there.append(entry(name))
        tail = here.tail(1)
        first = await taken(tail, 1)
        await there.append(entry("live"))
        await here.append(entry("own"))

        assert first + await taken(tail, 2) == ["missed", "live", "own"]
        await tail.aclose()


async def test_a_tail_goes_on_when_redis_is_back(server: RedisServer) -> None:
    """Nothing twice, nothing left out, and no restart of the gateway."""
    async with opened(server) as log:
        await log.append(entry("before"))
        tail = log.tail(0)
        assert await taken(tail, 1) == ["before"]

        coming = asyncio.ensure_future(taken(tail, 2))
        await asyncio.to_thread(server.stop)
        with pytest.raises(OSError, match="Redis"):
            await log.append(entry("away"))
        await asyncio.to_thread(server.start)
        await log.append(entry("after"))
        await log.append(entry("away"))

        assert await coming == ["after", "away"]
        await tail.aclose()


async def test_a_log_works_again_when_redis_is_back(server: RedisServer) -> None:
    """Away is an `OSError` for every call, and every call works afterwards."""
    async with opened(server) as log:
        before = await log.append(entry("before"))
        await asyncio.to_thread(server.stop)
        for call in (log.append(entry("away")), log.read(0, 9), log.bounds(), log.forget_old()):
            with pytest.raises(OSError, match="Redis"):
                await call
        await asyncio.to_thread(server.start)

        after = await log.append(entry("after"))
        assert await log.read(0, 9) == [before, after]


async def test_a_redis_that_hangs_is_not_waited_for(server: RedisServer) -> None:
    """The wait is bounded; what was sent may come late, and then the repeat is known."""
    async with opened(server, seconds_max=0.2) as log:
        server.freeze()
        with pytest.raises(OSError, match="Redis"):
            await log.append(entry("late"))
        server.thaw()
        await log.append(entry("late"))

        assert [one.dedupe for one in await log.read(0, 9)] == [("late",)]


async def test_a_full_redis_refuses_and_nothing_is_half_done(server: RedisServer) -> None:
    """No name may be known without its entry: the event would be lost when it comes again."""
    async with redis_store(server.url) as store:
        log = await RedisEventLog.open(store, epoch_if_new="redis", now=ManualClock().now)
        await store.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(OSError, match="maxmemory"):
            await log.append(entry("event:1", "twin:1"))
        await store.command("CONFIG", "SET", "maxmemory", "0")

        assert await log.append(entry("event:1", "twin:1")) is not None


async def test_a_log_that_was_emptied_by_others_is_not_appended_to(server: RedisServer) -> None:
    """Its positions would begin again under cursors that clients hold: better none than wrong."""
    async with redis_store(server.url) as store:
        log = await RedisEventLog.open(store, epoch_if_new="redis", now=ManualClock().now)
        await log.append(entry())
        await store.command("FLUSHALL")

        for call in (log.append(entry()), log.bounds(), log.forget_old()):
            with pytest.raises(LogReplaced, match="restart the gateway"):
                await call


async def test_a_tail_tells_when_redis_has_gone_back(server: RedisServer, tmp_path: Path) -> None:
    """A restored backup lacks the newest entries: new ones would take their positions unseen."""
    directory, backup = tmp_path / "redis", tmp_path / "backup"
    async with opened(server, seconds_max=2.0) as log:
        await log.append(entry("kept"))
        await asyncio.to_thread(server.stop)
        shutil.copytree(directory, backup)
        await asyncio.to_thread(server.start)
        await log.append(entry("lost"))
        tail = log.tail(0)
        assert await taken(tail, 2) == ["kept", "lost"]

        await asyncio.to_thread(server.stop)
        shutil.rmtree(directory)
        shutil.copytree(backup, directory)
        await asyncio.to_thread(server.start)

        with pytest.raises(LogReplaced):
            await taken(tail, 1)
