"""The pages in docs/ are true: their GraphQL runs, page by page, and no code is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schema.ports import ErrorCode, RefusalCode
from tests.house.test_readme import first_sse_item
from tests.support.served import serving

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md"))
GRAPHQL = re.compile(r"^```graphql\n(.*?)^```", re.DOTALL | re.MULTILINE)
SNIPPETS = {path.stem: found for path in PAGES if (found := GRAPHQL.findall(path.read_text()))}
REFUSED = re.compile(r"# refused: (\w+)")
ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
ERRORS = (DOCS / "errors.md").read_text()


@pytest.mark.parametrize("page", SNIPPETS)
async def test_graphql_of_a_page_runs_in_order_against_the_demo(page: str) -> None:
    """Nobody who pastes it meets an error but the one that the page announces."""
    async with serving() as served:
        for snippet in SNIPPETS[page]:
            if snippet.lstrip().startswith("subscription"):
                item = await first_sse_item(served, snippet)
                assert item["data"]["invoicePaymentEvents"]["__typename"] == "StreamCheckpoint"
                continue
            data = await served.data(snippet)
            told = [
                error["code"]
                for payload in data.values()
                if isinstance(payload, dict)
                for error in payload.get("errors", ())
            ]
            assert told == REFUSED.findall(snippet), snippet


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_error_code_is_told_with_what_to_do() -> None:
    """In the order of the contract; the tables name nothing that there is none of."""
    refused, broken = ERRORS.split("## Broken calls")

    assert ROW.findall(refused) == [code.value for code in RefusalCode]
    assert ROW.findall(broken) == [code.value for code in ErrorCode]


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()

    assert [one.name for one in PAGES if f"({one.name})" not in index] == ["README.md"]
