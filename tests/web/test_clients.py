"""The clients that people really use, from npm, against a server process of its own.

Each suite in the folder `clients` is one client; that of graphql-http holds all of its audits.
They are installed into a temporary folder, by the versions of the lock file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.console.build import find_node

_CLIENTS = Path(__file__).parent / "clients"
_PROJECT = Path(__file__).parents[2]
_SUITES = sorted(path.name for path in _CLIENTS.glob("*.test.mjs"))

_INSTALL_SECONDS_MAX = 300
_SUITE_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 10

_FOUND = find_node()
assert _FOUND is not None, "install requirements-dev.lock: it brings Node.js where there is none"
NODE = _FOUND
ENVIRONMENT = {**os.environ, "PATH": f"{NODE.folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suites with their clients installed; an installation that fails is a failed test."""
    folder = tmp_path_factory.mktemp("clients") / "suites"
    shutil.copytree(_CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    _run([*NODE.npm, "ci", "--loglevel=error"], folder, ENVIRONMENT, _INSTALL_SECONDS_MAX)
    return folder


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint of a server with the peer runner, in a process of its own."""
    command = [sys.executable, "-m", "tests.web.serve_peer"]
    with subprocess.Popen(command, cwd=_PROJECT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        assert server.wait(_STOP_SECONDS_MAX) == 0


@pytest.mark.parametrize("suite", _SUITES)
def test_a_client_from_npm_is_served(clients: Path, url: str, suite: str) -> None:
    """What its makers promise their users works with this gateway."""
    environment = {**ENVIRONMENT, "GATEWAY_URL": url}
    _run(["node", "--test", suite], clients, environment, _SUITE_SECONDS_MAX)


def _run(command: list[str], folder: Path, environment: Mapping[str, str], seconds: int) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
