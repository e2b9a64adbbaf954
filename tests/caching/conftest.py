"""A Redis for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), {"appendonly": "no"})
    server.start()
    yield server.url
    server.stop()
