"""What the auditor graphql-cop looks for, as a stranger and as a partner: none of it is there.

The checks are told in our own words, as the tool is not installed here.
Source: https://github.com/dolevf/graphql-cop (read November 2026)
"""

from __future__ import annotations

import json

import pytest

from tests.reliability.public import CI, PARTNER, Public, assert_polite

WHO: list[str | None] = [None, PARTNER]
who = pytest.mark.parametrize("token", WHO, ids=["stranger", "partner"])

DOCUMENTS = {
    "alias overloading": "query { " + " ".join(f"alias{i}: __typename" for i in range(101)) + " }",
    "field duplication": "query { " + "__typename " * 500 + "}",
    "directive overloading": "query { __typename " + "@aa" * 10 + " }",
    "circular fragment": (
        "query { __schema { ...A } } fragment A on __Schema { __typename ...B } "
        "fragment B on __Schema { ...A }"
    ),
    "circular introspection": (
        "query { __schema { types { fields { type { fields { type { fields { type { fields { type "
        "{ name } } } } } } } } } } }"
    ),
    "introspection": "query { __schema { types { name fields { name } } } }",
    "field suggestions": "query { __schema { directive } }",
    "unhandled error": "qwerty cop { abc }",
}


@who
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_document_of_the_auditor_is_refused(
    public: Public, document: str, token: str | None
) -> None:
    """Without data, without a suggestion, without an exception's story, in a few errors."""
    told = await public.ask(document, token=token)

    assert told.status == (401 if token is None else 400)
    assert "data" not in told.body
    assert "Did you mean" not in told.text
    assert all(error["extensions"].keys() == {"code"} for error in told.errors)
    assert_polite(told)


@pytest.mark.parametrize("name", ["circular fragment", "circular introspection"])
async def test_circles_are_refused_to_who_may_introspect_too(public: Public, name: str) -> None:
    told = await public.ask(DOCUMENTS[name], token=CI)

    assert told.status == 400
    assert "data" not in told.body


@who
async def test_array_batch_of_the_auditor_is_refused(public: Public, token: str | None) -> None:
    told = await public.send(json.dumps([{"query": "query { __typename }"}] * 11), token=token)

    assert told.status == (401 if token is None else 400)
    assert isinstance(told.body, dict)
    assert "data" not in told.body


CROSS_SITE = {
    "GET query": ("GET", "query { __typename }", ""),
    "GET mutation": ("GET", "mutation { __typename }", ""),
    "POST with the query in the URL": ("POST", "query { __typename }", ""),
    "POST of a form": ("POST", "query { __typename }", "application/x-www-form-urlencoded"),
}


@who
@pytest.mark.parametrize(("method", "document", "type_"), CROSS_SITE.values(), ids=CROSS_SITE)
async def test_request_that_a_foreign_page_can_make_is_refused(
    public: Public, method: str, document: str, type_: str, token: str | None
) -> None:
    """It may carry what the browser knows of its user, so it must not be carried out."""
    told = await public.send(
        "" if method == "POST" else None,
        method=method,
        query={"query": document},
        token=token,
        Content_Type=type_,
    )

    assert 400 <= told.status < 500
    assert "data" not in told.body
    assert_polite(told)


@pytest.mark.parametrize("path", ["/graphiql", "/playground", "/console", "/graphql"])
async def test_no_ide_is_found(public: Public, path: str) -> None:
    told = await public.send(None, method="GET", token=None, path=path, Accept="*/*")

    assert told.status >= 400
    assert "graphi" not in told.text.lower()


async def test_no_tracing_is_found(public: Public) -> None:
    told = await public.ask("query { __typename }")

    assert told.data == {"__typename": "Query"}
    assert "tracing" not in told.text
    assert "stacktrace" not in told.text.lower()
