"""A Redis for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.redis_server import KINDS, RedisServer


@pytest.fixture(scope="session", params=KINDS)
def redis_url(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    directory = tmp_path_factory.mktemp(request.param)
    server = RedisServer(directory, {"appendonly": "no"}, kind=request.param)
    server.start()
    yield server.url
    server.stop()
