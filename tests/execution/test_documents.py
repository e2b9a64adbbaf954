"""Each document is looked at once, and what is remembered of documents is bounded."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from gateway.execution.documents import (
    CHARACTERS_MAX,
    DOCUMENTS_MAX,
    Document,
    Documents,
)
from gateway.settings import Limits
from schema.cost import cost_of
from tests.support.running import SCHEMA, Running


def documents() -> Documents:
    return Documents(SCHEMA._schema, Limits())


def test_a_document_is_looked_at_once() -> None:
    """Good and bad ones alike: the second answer is the first."""
    known = documents()
    good, bad = "{ gateway { version } }", "{ wrong }"

    first = [known.get(text, may_introspect=True) for text in (good, bad)]
    second = [known.get(text, may_introspect=True) for text in (good, bad)]

    assert first[0] is second[0]
    assert first[1] is second[1]


def test_the_latest_documents_are_remembered() -> None:
    """A flood of documents pushes out the oldest, not the one that everybody uses."""
    known = documents()
    used = known.get("{ gateway { version } }", may_introspect=True)

    for number in range(DOCUMENTS_MAX + 10):
        known.get(f"query Q{number} {{ gateway {{ version }} }}", may_introspect=True)
        known.get("{ gateway { version } }", may_introspect=True)

    assert known.get("{ gateway { version } }", may_introspect=True) is used
    assert len(known._known) == DOCUMENTS_MAX


def test_long_documents_are_bounded_together() -> None:
    """A thousand texts of the largest body would be 100 MB, and their trees much more."""
    known = documents()

    for number in range(20):
        known.get(f"# {number}" + "x" * 50_000 + "\n{ gateway { version } }", may_introspect=True)

    kept = sum(len(text) for text, _ in known._known)
    assert kept == known._characters
    assert CHARACTERS_MAX - 51_000 < kept <= CHARACTERS_MAX


def test_a_document_larger_than_the_memory_is_still_answered() -> None:
    """It is only not remembered."""
    known = documents()
    text = "#" + "x" * CHARACTERS_MAX + "\n{ gateway { version } }"

    assert isinstance(known.get(text, may_introspect=True), Document)
    assert known._characters == 0


NOT_GRAPHQL = {
    "nothing": "",
    "spaces": "  \n",
    "text": "hello",
    "an open brace": "{",
    "empty selection": "{ }",
    "a schema": "type Query { a: Int }",
    "NUL": "{ a\x00b }",
    "a lone quote": '{ a(b: ") }',
}


@pytest.mark.parametrize("text", NOT_GRAPHQL.values(), ids=NOT_GRAPHQL.keys())
def test_what_is_no_document_is_refused(text: str) -> None:
    """Each error has a code of the closed list."""
    found = documents().get(text, may_introspect=True)

    assert isinstance(found, list)
    assert {(error.extensions or {})["code"] for error in found} <= {
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
    }


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        pytest.param("query A { a } query B { b }", None, "must name one", id="not named"),
        pytest.param("query A { a }", "B", "no operation named 'B'", id="unknown"),
        pytest.param("query A { a }", "", "no operation named ''", id="empty"),
        pytest.param("query A { a }", "x" * 5000, "no operation named 'xxx", id="long"),
    ],
)
def test_the_operation_must_be_named_where_there_are_several(
    text: str, name: str | None, words: str
) -> None:
    """The message says what there is to choose from, and repeats no long name."""
    text = text.replace("{ a }", "{ gateway { version } }").replace("{ b }", "{ __typename }")
    found = documents().get(text, may_introspect=True)
    assert isinstance(found, Document)

    with pytest.raises(GraphQLError, match=words) as refused:
        found.operation(name)

    assert len(refused.value.message) < 300


async def test_one_operation_of_several_runs() -> None:
    """Documents of several operations are allowed, and the others do not run."""
    query = "query A { gateway { version } } query B { __typename }"
    running = Running()
    found = running.runner._documents.get(query, may_introspect=True)
    assert isinstance(found, Document)

    operation = found.operation("B")

    assert operation.name is not None
    assert operation.name.value == "B"


def test_a_cost_that_is_known_is_that_of_the_sizes_that_are_asked_for() -> None:
    """It is kept for each size of a list, however the size was given."""
    known = documents().get(
        "query ($n: Int, $ids: [ID!]!) { invoices(first: $n) { nodes { id } } "
        "nodes(ids: $ids) { id } }",
        may_introspect=True,
    )
    assert isinstance(known, Document)
    operation = known.operation(None)

    for values in ({"n": 5, "ids": ["a"]}, {"n": 7, "ids": ["b", "c"]}, {"ids": []}, {"n": None}):
        for _ in range(2):
            told = known.cost(SCHEMA._schema, operation, values)
            assert told == cost_of(SCHEMA._schema, known.node, operation, values)


ATTACHED = """attachPayment(input: {
  invoiceId: "in_1", idempotencyKey: "k", payment: {paymentIntentId: $intent}
}) { replayed }"""


@pytest.mark.parametrize(
    "text",
    [
        f"mutation {{ {ATTACHED} }}",
        f"fragment F on Mutation {{ {ATTACHED} }} mutation {{ ...F }}",
        f"mutation {{ ...F }} fragment F on Mutation {{ {ATTACHED} }}",
    ],
    ids=["operation", "fragment before", "fragment after"],
)
def test_an_undefined_variable_is_told_where_one_of_several_is_asked_for(text: str) -> None:
    """Strawberry's rule about such inputs raised a KeyError for it, which is our fault and not the
    client's."""
    errors = documents().get(text, may_introspect=True)

    assert isinstance(errors, list)
    assert ["'$intent' is not defined" in one.message for one in errors] == [True]
