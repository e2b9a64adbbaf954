"""`invoice-payments-live`, the client half as a package of its own, in its published form."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from gateway.console import console_directory
from tests.support.browser import IS_REQUIRED, NOT_BUILT
from tests.support.npm import SUITES, run_suite

PROJECT = SUITES.parents[2]
PUBLISHED = PROJECT / "gateway" / "console" / "live" / "dist"
ENTRY = PUBLISHED / "index.js"
GZIP_BYTES_MAX = 3_000

pytestmark = pytest.mark.skipif(console_directory() is None and not IS_REQUIRED, reason=NOT_BUILT)


def test_it_is_small_and_typed_and_imports_nothing() -> None:
    """All of its code together; what a page pays for being live."""
    code = {path.name: path.read_text() for path in PUBLISHED.glob("*.js")}

    assert sorted(code) == ["apollo.js", "index.js", "urql.js"]
    assert all((PUBLISHED / name).with_suffix(".d.ts").is_file() for name in code)
    assert len(gzip.compress("".join(code.values()).encode())) <= GZIP_BYTES_MAX
    assert not any("import" in text for text in code.values())


def test_the_screen_equals_a_fresh_query_whatever_is_lost(npm_clients: Path) -> None:
    """In virtual time: an hour offline, and a server that is killed 50 times."""
    run_suite(npm_clients, "live/virtual.test.mjs", "", LIVE=ENTRY.as_uri())


def test_it_survives_a_real_gateway_that_is_killed(npm_clients: Path) -> None:
    """Over urql and over Apollo Client, with the log and the journal in SQLite."""
    run_suite(
        npm_clients,
        "live/killed.test.mjs",
        "",
        LIVE=ENTRY.as_uri(),
        PYTHON=sys.executable,
        PROJECT=str(PROJECT),
    )
