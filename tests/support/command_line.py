"""Commands of the gateway run to their end: in this process, or in one of their own.

A process takes a second to start. One test of each kind of command has one; what a command does and
says is the same here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.commands import app
from tests.support.log_lines import log_given_back

ROOT = Path(__file__).parents[2]
PROCESS_SECONDS_MAX = 120


def run_here(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; of the environment's settings for a gateway
    only those that are given."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith(("GATEWAY_", "STRIPE_")))
    with log_given_back():
        ended = CliRunner().invoke(app, arguments, env={**unset, **variables})
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, ended.stdout, ended.stderr


def run_apart(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """The same by `python -m gateway`."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS_MAX,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr
