"""A restart is no event: order, epoch, cursors and known facts are what they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.events.feed import Feed
from gateway.events.log import EventLog
from gateway.events.redis_log import RedisEventLog
from schema.ports import EventFilter, Viewer
from tests.events.entries import entry
from tests.storage.durable import redis_store, sqlite_log
from tests.storage.redis_server import RedisServer
from tests.support.time_and_ids import ManualClock

OPERATOR = Viewer("operator")


@dataclass(slots=True)
class Place:
    """Where a log lives. Each `running` is one run of everything: gateway, store, server."""

    running: Callable[[], AbstractAsyncContextManager[EventLog]]


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Place:
    if request.param == "sqlite":
        return Place(lambda: sqlite_log(tmp_path, clock.now))
    directory = tmp_path / "redis"
    directory.mkdir()
    server = RedisServer(directory)

    @asynccontextmanager
    async def running() -> AsyncIterator[EventLog]:
        server.start()
        try:
            async with redis_store(server.url) as store:
                yield await RedisEventLog.open(store, epoch_if_new="redis", now=clock.now)
        finally:
            server.stop()

    return Place(running)


async def test_a_restart_keeps_order_epoch_and_facts(place: Place) -> None:
    """What comes after a restart stands after what came before it, and is not taken in twice."""
    async with place.running() as log:
        epoch = log.epoch
        before = [await log.append(entry(f"event:{n}")) for n in range(5)]

    async with place.running() as log:
        repeated = [await log.append(entry(f"event:{n}")) for n in range(5)]
        after = [await log.append(entry(f"event:{n}")) for n in range(5, 8)]

        assert log.epoch == epoch
        assert repeated == [None] * 5
        assert await log.read(0, 100) == before + after


async def test_a_cursor_of_before_the_restart_goes_on_where_it_was(place: Place) -> None:
    """Clients keep cursors for weeks, and gateways are updated on every day of them."""
    async with place.running() as log:
        for n in range(4):
            await log.append(entry(f"event:{n}"))
        first = await Feed(log).page(OPERATOR, first=2, after=None, where=EventFilter())

    async with place.running() as log:
        second = await Feed(log).page(OPERATOR, first=9, after=first.end, where=EventFilter())

    cursors = [one.cursor for one in (*first.events, *second.events)]
    assert len(cursors) == len(set(cursors)) == 4
