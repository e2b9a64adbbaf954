"""The clients that people really use, from npm, against a server process of its own.

Each suite in the folder `clients` is one client; that of graphql-http holds all of its audits.
What they do with a whole gateway is told in `tests/clients`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.npm import SUITES, run_suite

_PROJECT = Path(__file__).parents[2]
_NAMES = sorted(path.name for path in SUITES.glob("*.test.mjs"))

_STOP_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint of a server with the peer runner, in a process of its own."""
    command = [sys.executable, "-m", "tests.web.serve_peer"]
    with subprocess.Popen(command, cwd=_PROJECT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        assert server.wait(_STOP_SECONDS_MAX) == 0


@pytest.mark.parametrize("suite", _NAMES)
def test_a_client_from_npm_is_served(npm_clients: Path, url: str, suite: str) -> None:
    """What its makers promise their users works with this gateway."""
    run_suite(npm_clients, suite, url)
