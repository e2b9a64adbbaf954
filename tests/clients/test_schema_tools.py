"""Generators, compilers and caches that read the schema: GraphQL Code Generator with TypeScript,
Relay's compiler, urql's Graphcache, Apollo Client."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import COMMANDS, running
from tests.support.npm import run_suite


def test_the_schema_is_taken_by_the_tools_that_read_it(npm_clients: Path) -> None:
    with running(*COMMANDS["memory"]) as url:
        run_suite(npm_clients, "tools/schema.test.mjs", url)
