"""A clock that the test moves, a Redis of the test's own, and a SQLite store in its directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.storage.sqlite_store import SqliteStore
from tests.storage.durable import sqlite_store
from tests.storage.redis_server import KINDS, OUTLIVES_ITS_PROCESS, RedisServer
from tests.support.time_and_ids import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=KINDS)
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that the test may stop, kill and misconfigure, of each kind."""
    directory = tmp_path / "redis"
    directory.mkdir()
    started = RedisServer(directory, OUTLIVES_ITS_PROCESS, kind=request.param)
    started.start()
    yield started
    started.stop()


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    async with sqlite_store(tmp_path) as opened:
        yield opened
