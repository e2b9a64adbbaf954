"""What tests of several folders share because it is slow to make."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tests.support.leak_net"]


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites in JavaScript with their clients from npm installed."""
    from tests.support.npm import install_clients

    folder = tmp_path_factory.mktemp("clients") / "suites"
    install_clients(folder)
    return folder
