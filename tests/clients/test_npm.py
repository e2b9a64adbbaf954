"""The clients from npm: graphql-ws, graphql-sse, urql, Apollo, and the audits of graphql-http."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.npm import SUITES, run_suite

_STORIES = sorted(path.name for path in (SUITES / "story").glob("*.test.mjs"))


@pytest.mark.parametrize("client", _STORIES)
def test_a_page_reads_writes_listens_and_resumes(npm_clients: Path, url: str, client: str) -> None:
    """The same story with each client: its own write comes back as an echo that it knows, and
    what happened while it was away is there once and in order when it comes again."""
    run_suite(npm_clients, f"story/{client}", url)


def test_every_audit_of_graphql_over_http_passes(npm_clients: Path, url: str) -> None:
    """All 61, as the web layer alone passes them too."""
    run_suite(npm_clients, "graphql-http.test.mjs", url)
