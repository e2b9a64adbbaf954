"""What tests of several folders share because it is slow to make."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.redis_server import end_shared_servers
from tests.support.workers import made_once, run_folder

pytest_plugins = ["tests.support.leak_net"]


def pytest_configure() -> None:
    """Cycles are looked for a tenth as often: it took a fifth of the time."""
    gc.set_threshold(10_000)


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end, and are not looked through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites in JavaScript with their clients from npm installed, once for all workers."""
    from tests.support.npm import install_clients

    return made_once(run_folder(tmp_path_factory.getbasetemp()) / "npm", install_clients)


@pytest.fixture(scope="session", autouse=True)
def shared_redis_ends() -> Iterator[None]:
    """No server is left when the tests are over."""
    yield
    end_shared_servers()
