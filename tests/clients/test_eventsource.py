"""A browser's own way to listen: a URL, and `Last-Event-ID` when it comes back to it."""

from __future__ import annotations

from pathlib import Path

from tests.support.npm import run_suite


def test_an_eventsource_that_is_cut_gets_everything_once(npm_clients: Path, url: str) -> None:
    """Its URL names the position of the first visit for ever; the newer one counts."""
    run_suite(npm_clients, "cuts/eventsource.test.mjs", url)
