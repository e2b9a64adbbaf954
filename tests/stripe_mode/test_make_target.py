"""`make test-stripe` refuses before it installs or sends anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LIVE, RESTRICTED_LIVE = ("_".join((kind, "live", "")) for kind in ("sk", "rk"))
"""In parts, so that no scanner takes a made-up key for a lost one."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("", "needs a key", id="none"),
        pytest.param(LIVE + "notarealkey", "nothing was sent", id="live"),
        pytest.param(RESTRICTED_LIVE + "notarealkey", "nothing was sent", id="restricted live"),
        pytest.param("pk_test_notarealkey", "nothing was sent", id="publishable"),
    ],
)
def test_make_refuses_what_is_no_test_key(key: str, words: str) -> None:
    """A sentence, and never the key."""
    made = subprocess.run(
        ["make", "test-stripe"],
        cwd=ROOT,
        env={**os.environ, "STRIPE_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    said = made.stdout + made.stderr
    assert made.returncode != 0
    assert words in said
    assert not key or key not in said
