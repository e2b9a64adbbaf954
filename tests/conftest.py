"""What tests of several folders share because it is slow to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.workers import made_once, run_folder

pytest_plugins = ["tests.support.leak_net"]


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites in JavaScript with their clients from npm installed, once for all workers."""
    from tests.support.npm import install_clients

    return made_once(run_folder(tmp_path_factory.getbasetemp()) / "npm", install_clients)
