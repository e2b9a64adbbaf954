"""Whatever is not one GraphQL request is refused as such, whoever sends it."""

from __future__ import annotations

import pytest

from tests.web.serving import Served

JSON = {"Content-Type": "application/json"}
DIGITS = b"9" * 5000

NOT_A_REQUEST = {
    "empty": b"",
    "no json": b"{hello}",
    "cut json": b'{"query": "{ hello',
    "bad utf-8": b'{"query": "\xff\xfe"}',
    "lone surrogate": b'{"query": "\\ud800"}',
    "NaN": b'{"query": "{ hello }", "variables": {"n": NaN}}',
    "5000 digits": b'{"query": "{ hello }", "variables": {"n": %b}}' % DIGITS,
    "nested lists": b"[" * 50_000,
    "nested objects": b'{"query":' * 11_000,
    "null": b"null",
    "number": b"7",
    "string": b'"x"',
    "empty batch": b"[]",
    "batch": b'[{"query": "{ hello }"}, {"query": "{ hello }"}]',
    "mixed batch": b"[1, null]",
    "no query": b'{"variables": {}}',
    "null query": b'{"query": null}',
    "number as query": b'{"query": 7}',
    "list as query": b'{"query": ["{ hello }"]}',
    "empty query": b'{"query": ""}',
    "list as variables": b'{"query": "{ hello }", "variables": [1]}',
    "string as variables": b'{"query": "{ hello }", "variables": "{}"}',
    "false as variables": b'{"query": "{ hello }", "variables": false}',
    "number as operation name": b'{"query": "{ hello }", "operationName": 1}',
    "list as extensions": b'{"query": "{ hello }", "extensions": []}',
}


@pytest.mark.parametrize("body", NOT_A_REQUEST.values(), ids=NOT_A_REQUEST.keys())
async def test_a_body_that_is_no_request_is_refused(gateway: Served, body: bytes) -> None:
    """The sender reads what is wrong in a GraphQL error, and nothing is executed."""
    async with gateway.session.post(gateway.url / "graphql", data=body, headers=JSON) as response:
        answer = await response.json()

    assert response.status == 400
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert gateway.runner.executed == []


async def test_a_batch_is_told_what_to_do_instead(gateway: Served) -> None:
    """Clients that batch by configuration need to learn which switch to turn."""
    async with gateway.session.post(gateway.url / "graphql", json=[]) as response:
        answer = await response.json()

    message = answer["errors"][0]["message"]
    assert message == "Batching is off: send one operation per request."


async def test_null_parameters_count_as_absent(gateway: Served) -> None:
    """The specification lets clients send null for every optional parameter."""
    response = await gateway.post("{ hello }", variables=None, operationName=None, extensions=None)

    assert await response.json() == {"data": {"hello": "Hello world"}}


async def test_unknown_parameters_are_ignored(gateway: Served) -> None:
    """The specification reserves further parameters, so a newer client must not fail here."""
    response = await gateway.post("{ hello }", documentVersion=3)

    assert response.status == 200


async def test_a_query_string_is_decoded_like_a_body(gateway: Served) -> None:
    """A GET carries its variables as JSON text, and empty parameters count as absent."""
    parameters = {
        "query": "query Greet($name: String) { hello(name: $name) }",
        "variables": '{"name": "Ada"}',
        "operationName": "",
    }
    headers = {"GraphQL-Preflight": "1"}
    url = gateway.url / "graphql"

    async with gateway.session.get(url, params=parameters, headers=headers) as response:
        answer = await response.json()

    assert answer == {"data": {"hello": "Hello Ada"}}


@pytest.mark.parametrize("variables", ["[]", "7", "{", "NaN"])
async def test_bad_variables_in_a_query_string_are_refused(gateway: Served, variables: str) -> None:
    """The same rules hold for text in a URL as for a body."""
    parameters = {"query": "{ hello }", "variables": variables}
    headers = {"GraphQL-Preflight": "1"}
    url = gateway.url / "graphql"

    async with gateway.session.get(url, params=parameters, headers=headers) as response:
        answer = await response.json()

    assert response.status == 400
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
