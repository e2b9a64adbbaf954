"""Hive's router over this gateway and another subgraph, which both libraries compose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import COMMANDS, running
from tests.support.npm import run_suite


@pytest.mark.parametrize("backend", COMMANDS)
def test_a_router_answers_across_subgraphs_and_passes_streams_on(
    npm_clients: Path, backend: str
) -> None:
    with running(*COMMANDS[backend], GATEWAY_FEDERATION="on") as url:
        run_suite(npm_clients, "federation/router.test.mjs", url)
