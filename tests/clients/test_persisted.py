"""A frontend that is newer than the manifest: the links of Apollo and urql send the text then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import running
from tests.support.npm import SUITES, run_suite

KNOWN = "query Known {\n  gateway {\n    version\n    __typename\n  }\n}"
_SUITES = sorted(path.name for path in (SUITES / "persisted").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def with_manifest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a gateway that trusts one document."""
    manifest: Path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    manifest.write_text(json.dumps({"known": KNOWN}))
    with running("serve", "--port", "0", GATEWAY_TRUSTED_DOCUMENTS_FILE=str(manifest)) as url:
        yield url


@pytest.fixture(scope="module")
def without_manifest() -> Iterator[str]:
    """The endpoint of a gateway that has never heard of any document."""
    with running("serve", "--port", "0") as url:
        yield url


@pytest.mark.parametrize("client", _SUITES)
def test_a_link_sends_the_text_of_what_the_manifest_lacks(
    npm_clients: Path, with_manifest: str, client: str
) -> None:
    """And no text of what it has."""
    run_suite(npm_clients, f"persisted/{client}", with_manifest, GATEWAY_KNOWS=KNOWN)


@pytest.mark.parametrize("client", _SUITES)
def test_a_link_goes_on_without_a_manifest(
    npm_clients: Path, without_manifest: str, client: str
) -> None:
    run_suite(npm_clients, f"persisted/{client}", without_manifest)
