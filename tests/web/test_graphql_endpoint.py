"""GraphQL over HTTP as clients and attackers meet it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.web.app import SHUTDOWN
from tests.web.serving import Serve, Served

PREFLIGHT = {"GraphQL-Preflight": "1"}


async def test_a_query_is_answered(gateway: Served) -> None:
    """The plainest request gets its data."""
    response = await gateway.post("{ hello }")

    assert await response.json() == {"data": {"hello": "Hello world"}}


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused(gateway: Served, method: str) -> None:
    """The answer says which methods there are."""
    async with gateway.session.request(method, gateway.url / "graphql") as response:
        pass

    assert response.status == 405
    assert response.headers["Allow"] == "GET, POST"


async def test_a_mutation_over_get_is_not_executed(gateway: Served) -> None:
    """Links are followed, prefetched and logged; nothing may change by them."""
    parameters = {"query": "mutation { pay }"}
    url = gateway.url / "graphql"

    async with gateway.session.get(url, params=parameters, headers=PREFLIGHT) as response:
        pass

    assert response.status == 405
    assert response.headers["Allow"] == "POST"
    assert gateway.runner.executed == []


async def test_a_browser_gets_the_page(gateway: Served) -> None:
    """Whoever opens the endpoint in a browser wants to look around, under a strict policy."""
    headers = {"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"}

    async with gateway.session.get(gateway.url / "graphql", headers=headers) as response:
        page = await response.text()

    assert page == "<p>the page</p>"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in response.headers["Content-Security-Policy"]


async def test_a_missing_page_says_how_to_build_it(serve: Serve) -> None:
    """A checkout without the built page still helps whoever looks."""
    gateway = await serve(page=None)

    async with gateway.session.get(
        gateway.url / "graphql", headers={"Accept": "text/html"}
    ) as response:
        page = await response.text()

    assert "run <code>make console</code>" in page


REQUEST_IDS = {
    "harmless": ("trace-1.a_B", "trace-1.a_B"),
    "longest": ("a" * 64, "a" * 64),
    "too long": ("a" * 65, "id-1"),
    "empty": ("", "id-1"),
    "with a blank": ("a b", "id-1"),
    "with markup": ("<b>", "id-1"),
}


@pytest.mark.parametrize(("theirs", "ours"), REQUEST_IDS.values(), ids=REQUEST_IDS.keys())
async def test_the_request_id_comes_back(gateway: Served, theirs: str, ours: str) -> None:
    """A client's id is kept where it can do no harm in a log."""
    response = await gateway.post("{ hello }", headers={"X-Request-Id": theirs})

    assert response.headers["X-Request-Id"] == ours


@pytest.mark.parametrize("path", ["/graphql", "/nowhere", "/livez"])
async def test_every_response_carries_the_security_headers(gateway: Served, path: str) -> None:
    """Errors and health pages are responses too."""
    async with gateway.session.get(gateway.url.with_path(path)) as response:
        pass

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in response.headers


async def test_an_unknown_path_is_a_json_error(gateway: Served) -> None:
    """A client's reader of errors works for a wrong URL as well."""
    async with gateway.session.get(gateway.url / "nowhere") as response:
        answer = await response.json()

    assert response.status == 404
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_our_mistake_tells_the_client_an_id_and_the_log_the_rest(
    gateway: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """The text of an exception may hold anything, so it stays with us."""
    with caplog.at_level(logging.ERROR, logger="gateway.web"):
        response = await gateway.post("{ broken }", headers={"X-Request-Id": "find-me"})

    assert await response.json() == {
        "errors": [
            {
                "message": "Internal error",
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "find-me"},
            }
        ]
    }
    assert response.status == 500
    assert "find-me" in caplog.text
    assert "the secret of line 1" in caplog.text


async def test_a_query_ends_with_its_client(gateway: Served) -> None:
    """Nobody is left to read the answer, so nobody should pay for it."""
    request = asyncio.create_task(gateway.post("{ wait }"))
    await gateway.runner.waiting.wait()

    request.cancel()

    await asyncio.wait_for(gateway.runner.cancelled.wait(), timeout=20)


async def test_a_mutation_outlives_its_client(gateway: Served) -> None:
    """A payment under way is finished whoever hangs up."""
    request = asyncio.create_task(gateway.post("mutation { pay }"))
    await gateway.runner.asked_to_pay.wait()

    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    gateway.runner.may_pay.set()
    await gateway.app[SHUTDOWN].finish(timeout_seconds=5)

    assert gateway.runner.paid == 1


async def test_mutations_under_way_have_a_ceiling(serve: Serve) -> None:
    """They outlive their clients, so hanging up must not make room for more."""
    gateway = await serve(mutations_under_way_max=1)
    first = asyncio.create_task(gateway.post("mutation { pay }"))
    await gateway.runner.asked_to_pay.wait()

    second = await gateway.post("mutation { pay }")
    gateway.runner.may_pay.set()
    await first

    assert second.status == 429
    assert (await second.json())["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert gateway.runner.paid == 1


async def test_introspection_is_a_right_of_the_caller(gateway: Served) -> None:
    """The viewer of development may ask for the schema; the runner decides by the viewer."""
    response = await gateway.post("{ __schema { queryType { name } } }")

    assert (await response.json())["data"]["__schema"]["queryType"]["name"] == "Query"
