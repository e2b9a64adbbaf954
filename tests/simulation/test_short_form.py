"""The short form of the simulation: two thousand histories, on every core, in every check.

`make test-simulation-of-faults` is the long form; both print the seeds that break a promise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HISTORIES = 2_000
ROOT = Path(__file__).parents[2]
SECONDS_MAX = 600
"""Half a minute on two idle cores; a busy machine gets the time that it needs."""


def test_no_promise_is_broken_in_two_thousand_histories() -> None:
    """Users meet two faults at once: whatever meets, each key is done at most once and told so."""
    command = [sys.executable, "-m", "tests.simulation", "--histories", str(HISTORIES)]

    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
