"""The clients from npm that the tests in JavaScript use, and a way to run one of their suites.

They are installed into a folder of the caller's, by the versions of the lock file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gateway.console.build import find_node

SUITES = Path(__file__).parents[1] / "web" / "clients"

_INSTALL_SECONDS_MAX = 300
_SUITE_SECONDS_MAX = 240

_FOUND = find_node()
assert _FOUND is not None, "install requirements-dev.lock: it brings Node.js where there is none"
NODE = _FOUND
ENVIRONMENT = {**os.environ, "PATH": f"{NODE.folder}{os.pathsep}{os.environ['PATH']}"}


def install_clients(folder: Path) -> None:
    """Copy the suites there and install their clients; one that fails is a failed test."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SUITES, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [*NODE.npm, "ci", "--loglevel=error", "--no-audit", "--no-fund", "--prefer-offline"]
    _run(command, folder, ENVIRONMENT, _INSTALL_SECONDS_MAX)


def run_suite(folder: Path, suite: str, url: str, **more: str) -> None:
    """Run one suite against the endpoint; what it says is the failure. `more` is what else stands
    in its environment."""
    environment = {**ENVIRONMENT, "GATEWAY_URL": url, **more}
    _run(["node", "--test", suite], folder, environment, _SUITE_SECONDS_MAX)


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
