"""The short form of the simulation: two thousand histories in every check.

They come in parts of one process each, so that the workers of a parallel check share them, and
are mostly small.

`make test-simulation-of-faults` is the long form; both print the seeds that break a promise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PART = 1_000
FIRST_SEEDS = (0, 5_000)
ROOT = Path(__file__).parents[2]
SECONDS_MAX = 600
"""Of a part, under a minute on an idle core; a busy machine gets the time that it needs, and
so does shrinking what fails."""


@pytest.mark.parametrize("first", FIRST_SEEDS)
def test_no_promise_is_broken_in_two_thousand_histories(first: int) -> None:
    """Users meet two faults at once: whatever meets, each key is done at most once and told so."""
    command = [sys.executable, "-m", "tests.simulation", "--processes", "1", "--small"]
    command += ["--first", str(first), "--histories", str(PART)]

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
