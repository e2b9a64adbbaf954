"""What pages of other origins can make a browser do here, and what they cannot."""

from __future__ import annotations

import pytest

from tests.web.serving import Serve

GETS = {
    "nothing": ({}, 400),
    "an accepted type only": ({"Accept": "application/graphql-response+json"}, 400),
    "apollo's preflight header": ({"Apollo-Require-Preflight": "true"}, 200),
    "apollo's operation name": ({"X-Apollo-Operation-Name": "Hello"}, 200),
    "graphql's preflight header": ({"GraphQL-Preflight": "1"}, 200),
    "an empty preflight header": ({"GraphQL-Preflight": ""}, 400),
    "a content type": ({"Content-Type": "application/json"}, 200),
    "a form's content type": ({"Content-Type": "text/plain"}, 400),
    "fetch of the own page": ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}, 200),
    "fetch of no page": ({"Sec-Fetch-Mode": "cors"}, 200),
    "fetch of a foreign page": (
        {"Sec-Fetch-Mode": "cors", "Origin": "https://evil.example"},
        400,
    ),
    "fetch of an allowed page": (
        {"Sec-Fetch-Mode": "cors", "Origin": "https://shop.example"},
        200,
    ),
    "script of a foreign page": ({"Sec-Fetch-Mode": "no-cors", "Accept": "*/*"}, 400),
    "link of a foreign page": ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, 400),
}


@pytest.mark.parametrize(("headers", "status"), GETS.values(), ids=GETS.keys())
async def test_a_get_needs_what_a_foreign_page_cannot_send(
    serve: Serve, headers: dict[str, str], status: int
) -> None:
    """A query is harmless to run but its time and load are not, so no page may cause it."""
    gateway = await serve(allowed_origins=("https://shop.example",))
    url = gateway.url / "graphql"

    async with gateway.session.get(url, params={"query": "{ hello }"}, headers=headers) as response:
        pass

    assert response.status == status
    assert len(gateway.runner.executed) == (status == 200)


PREFLIGHT_REQUEST = {"Access-Control-Request-Method": "POST"}
CORS = {
    "allowed": ("https://shop.example", "https://shop.example"),
    "foreign": ("https://evil.example", None),
    "suffix of an allowed one": ("https://shop.example.evil", None),
    "null": ("null", None),
}


@pytest.mark.parametrize(("origin", "allowed"), CORS.values(), ids=CORS.keys())
async def test_only_allowed_origins_may_read_answers(
    serve: Serve, origin: str, allowed: str | None
) -> None:
    """A browser asks before a foreign page may send JSON, and again before it may read."""
    gateway = await serve(allowed_origins=("https://shop.example/",))
    headers = {"Origin": origin, **PREFLIGHT_REQUEST}

    async with gateway.session.options(gateway.url / "graphql", headers=headers) as asked:
        pass
    response = await gateway.post("{ hello }", headers={"Origin": origin})

    assert asked.status == 204
    assert asked.headers.get("Access-Control-Allow-Origin") == allowed
    assert ("Access-Control-Allow-Headers" in asked.headers) == (allowed is not None)
    assert response.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize(
    "name",
    [
        *("baggage", "sentry-trace", "traceparent", "x-datadog-trace-id", "b3", "newrelic"),
        *("apollographql-client-name", "x-requested-with", "authorization", "x-shop-page"),
        *("graphql-client-name", "accept", "x-dtpc", "x-datadog-sampled"),
    ],
)
async def test_a_page_may_send_what_its_tools_add(serve: Serve, name: str) -> None:
    """One header that is not named, and the browser sends nothing at all."""
    gateway = await serve(
        allowed_origins=("https://shop.example",), allowed_headers=("X-Shop-Page",)
    )
    headers = {**PREFLIGHT_REQUEST, "Origin": "https://shop.example"}
    headers["Access-Control-Request-Headers"] = f"content-type,{name}"

    async with gateway.session.options(gateway.url / "graphql", headers=headers) as asked:
        pass

    named = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", name} <= set(named)
