"""The README is true: its snippets run, in order, against a gateway with the demo data."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import Served, serving

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


async def test_graphql_snippets_answer_without_errors() -> None:
    """A newcomer who pastes them one after the other sees what the text says."""
    queries = [one for one in snippets("graphql") if not one.startswith("subscription")]

    async with serving() as served:
        answers = [await served.data(query) for query in queries]

    assert answers[0]["invoice"]["status"] == "PAID"
    assert answers[1]["detachPayment"]["invoice"]["status"] == "OPEN"
    assert answers[1]["detachPayment"]["errors"] == []


async def test_subscription_snippet_begins_with_a_checkpoint() -> None:
    """The stream of the first screen starts at once."""
    (subscription,) = [one for one in snippets("graphql") if one.startswith("subscription")]

    async with serving() as served:
        first = await first_sse_item(served, subscription)

    assert first["data"]["invoicePaymentEvents"]["__typename"] == "StreamCheckpoint"


async def first_sse_item(served: Served, query: str) -> dict[str, Any]:
    headers = {"Accept": "text/event-stream"}
    async with served.session.post(
        served.url / "graphql", json={"query": query}, headers=headers
    ) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                item: dict[str, Any] = json.loads(line[6:])
                return item
    raise AssertionError("the stream ended without an item")


async def test_curl_snippet_is_answered() -> None:
    """The command line that is shown sends what the gateway takes."""
    (curl,) = [one for one in snippets("sh") if one.startswith("curl")]
    words = shlex.split(curl.replace("\\\n", " "))
    body = words[words.index("-d") + 1]
    name, _, value = words[words.index("-H") + 1].partition(": ")

    async with (
        serving() as served,
        served.session.post(served.url / "graphql", data=body, headers={name: value}) as response,
    ):
        answer = await response.json()

    assert "errors" not in answer
    assert len(answer["data"]["invoices"]["nodes"]) == 3


async def test_python_snippet_receives_an_item() -> None:
    """The client code that is shown works as it stands."""
    (snippet,) = snippets("python")
    names: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec"), names)  # The README is ours.

    async with serving() as served:
        item = await names["first_item"](str(served.url.with_scheme("ws") / "graphql"))

    assert item == {"__typename": "StreamCheckpoint"}


def test_make_targets_exist() -> None:
    """Each `make` that the README names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"`make ([a-z-]+)", README))

    assert named
    assert named <= targets


@pytest.mark.parametrize("demo_id", sorted(set(re.findall(r"`(\w+_demo_\w+)`", README))))
async def test_named_demo_objects_exist(demo_id: str) -> None:
    """The ids in the README are the ids in the demo data."""
    async with serving() as served:
        data = await served.data("query ($id: ID!) { node(id: $id) { id } }", id=demo_id)

    assert data["node"]["id"] == demo_id


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_linked_files_exist(link: str) -> None:
    """No link of the README leads nowhere."""
    assert (ROOT / link).exists()
