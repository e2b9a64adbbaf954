"""Documents are measured before anything else is done with them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from gateway.execution.document_limits import NESTING_MAX, excesses_of, input_depth
from gateway.execution.operation import Answer, OperationKind, OperationRequest
from gateway.settings import Limits
from tests.support.running import OPERATOR, Running

FAN_OUT_LEVELS = 40
"""Two spreads a level: a limiter that walks each spread would never come to an end."""


def spread(names: Iterable[str], definitions: Iterable[str]) -> str:
    """A query of one invoice whose fields all stand in fragments."""
    spreads = " ".join(f"...{name}" for name in names)
    return f'{{ invoice(id: "in_1") {{ {spreads} }} }} ' + " ".join(definitions)


def fan_out(levels: int) -> str:
    definitions = [
        f"fragment F{level} on Invoice {{ ...F{level + 1} ...F{level + 1} }}"
        for level in range(levels)
    ]
    return spread(["F0"], [*definitions, f"fragment F{levels} on Invoice {{ id }}"])


def chain(levels: int) -> str:
    definitions = [f"fragment F{level} on Invoice {{ ...F{level + 1} }}" for level in range(levels)]
    return spread(["F0"], [*definitions, f"fragment F{levels} on Invoice {{ id }}"])


def nested(levels: int) -> str:
    """Fields in each other: three times the levels, and two."""
    inner = "id"
    for _ in range(levels):
        inner = f"payments(first: 1) {{ nodes {{ invoice {{ {inner} }} }} }}"
    return f'{{ invoice(id: "in_1") {{ {inner} }} }}'


def repeated(text: str, times: int) -> str:
    return " ".join(text.format(n) for n in range(times))


def lists(levels: int) -> str:
    return "[" * levels + '"in_1"' + "]" * levels


SKIP = "@skip(if: false)"

TOO_MUCH = {
    "tokens": ("{ gateway { " + "version " * 1100 + "} }", "more than 1000 tokens; at most 1000"),
    "tokens in comments": ("#\n" * 1100 + "{ gateway { version } }", "more than 1000 tokens"),
    "operations": (repeated("query Q{} {{ gateway {{ version }} }}", 1000), "tokens"),
    "depth": (nested(5), "17 levels of fields; at most 15"),
    "depth over fragments": (
        '{ invoice(id: "in_1") { ...A } } fragment A on Invoice { payments { nodes { ...B } } } '
        "fragment B on InvoicePayment { invoice { payments { nodes { ...C } } } } "
        "fragment C on InvoicePayment { invoice { payments { nodes { ...D } } } } "
        "fragment D on InvoicePayment { invoice { payments { nodes { ...E } } } } "
        "fragment E on InvoicePayment { invoice { payments { nodes { ...F } } } } "
        "fragment F on InvoicePayment { invoice { total { formatted } } }",
        "18 levels of fields; at most 15",
    ),
    "nesting of inline fragments": (
        "{ gateway " + "{ ... " * 70 + "{ version }" + " }" * 70 + " }",
        "levels of fields and fragments in each other; at most 60",
    ),
    "nesting of fragments": (chain(80), "levels of fields and fragments in each other"),
    "nesting below a fragment that was seen higher up": (
        "{ ...A gateway " + "{ ... " * 40 + "{ ...A }" + " }" * 40 + " } "
        "fragment A on Query " + "{ ... " * 40 + "{ __typename }" + " }" * 40,
        "levels of fields and fragments in each other",
    ),
    "nesting beyond the parser": ("{ a " * 300 + "}" * 300, "nests more levels than can be read"),
    "aliases": ("{ " + repeated("a{}: __typename", 16) + " }", "16 aliases"),
    "aliases over fragments": (
        spread(
            ["A", "B"],
            (f"fragment {name} on Invoice {{ {repeated(name + '{}: id', 8)} }}" for name in "AB"),
        ),
        "16 aliases with fragments spread out; at most 15",
    ),
    "aliases in a fragment that is spread often": (
        spread(["A"] * 8, ["fragment A on Invoice { a: id b: number }"]),
        "16 aliases",
    ),
    "aliases in a fragment that nothing spreads": (
        "{ gateway { version } } fragment A on Invoice { " + repeated("a{}: id", 16) + " }",
        "16 aliases",
    ),
    "root fields": ("{ " + "gateway { version } " * 26 + "}", "26 root fields"),
    "root fields in a fragment": (
        "{ ...A } fragment A on Query { " + "gateway { version } " * 26 + "}",
        "26 root fields in an operation; at most 25",
    ),
    "root fields in inline fragments": (
        "{ " + "... { gateway { version } } " * 26 + "}",
        "26 root fields",
    ),
    "root fields of a mutation": (
        "mutation { " + "attachPayment { replayed } " * 26 + "}",
        "26 root fields",
    ),
    "directives on a field": (
        "{ gateway { version " + f"{SKIP} " * 11 + "} }",
        "11 directives in one place; at most 10",
    ),
    "directives on an operation": (
        "query " + "@a " * 11 + "{ gateway { version } }",
        "11 directives in one place",
    ),
    "directives on a variable": (
        "query ($a: Int " + "@a " * 11 + ") { gateway { version } }",
        "11 directives in one place",
    ),
    "directives on a fragment": (
        spread(["A"], ["fragment A on Invoice " + "@a " * 11 + "{ id }"]),
        "11 directives in one place",
    ),
    "directives on a spread": (
        spread(["A " + "@a " * 11], ["fragment A on Invoice { id }"]),
        "11 directives in one place",
    ),
    "directives on an inline fragment": (
        "{ ... " + "@a " * 11 + "{ gateway { version } } }",
        "11 directives in one place",
    ),
    "directives in all": (
        "{ gateway { " + f"version {SKIP} " * 51 + "} }",
        "51 directives; at most 50",
    ),
    "directives over fragments": (
        spread(["A"] * 6, ["fragment A on Invoice { " + f"id {SKIP} " * 9 + "}"]),
        "54 directives",
    ),
    "unknown directives": ("{ gateway { version @a @b @c " + "@d " * 8 + "} }", "in one place"),
    "fields over fragments": (
        spread(["A"] * 50, ["fragment A on Invoice { " + "id " * 50 + "}"]),
        "2501 fields with fragments spread out; at most 2000",
    ),
    "fragments that fan out": (fan_out(22), "1000000 or more fields"),
    "fragments that fan out for ever": (fan_out(FAN_OUT_LEVELS), "1000000 or more fields"),
    "lists in an argument": (
        "{ nodes(ids: " + lists(11) + ") { id } }",
        "11 levels of lists and objects; at most 10",
    ),
    "5000 lists in an argument": (
        "{ nodes(ids: " + lists(5000) + ") { id } }",
        "nests more levels",
    ),
    "objects in an argument": (
        "{ invoices(filter: " + "{a: " * 11 + "1" + "}" * 11 + ") { nodes { id } } }",
        "11 levels of lists and objects",
    ),
    "lists in a default": (
        "query ($a: [ID!]! = " + lists(11) + ") { nodes(ids: $a) { id } }",
        "11 levels of lists and objects",
    ),
    "lists in a directive": (
        "{ gateway { version @skip(if: " + lists(11) + ") } }",
        "11 levels of lists and objects",
    ),
    "equal fields": (
        '{ invoice(id: "in_1") { ' + "id " * 900 + "} }",
        "asks for the same fields too often",
    ),
    "equal objects": (
        '{ invoice(id: "in_1") { ' + "total { formatted } " * 240 + "} }",
        "asks for the same fields too often",
    ),
    "introspection deeper than any tool goes": (
        "{ __schema { queryType { " + "ofType { " * 19 + "name" + " }" * 19 + " } } }",
        "22 levels of introspection; at most 20",
    ),
    "introspection under many names": (
        "{ __schema { " + repeated("t{}: types {{ name }}", 3) + " } }",
        "3 aliases within introspection; at most 0",
    ),
    "the schema under many names": (
        "{ a: __schema { types { name } } b: __schema { types { name } } }",
        "2 aliases within introspection",
    ),
    "introspection under many names in a fragment": (
        "{ __schema { types { ...T } } } fragment T on __Type { a: name b: name }",
        "2 aliases within introspection",
    ),
    "page in page": (
        "{ invoices(first: 100) { nodes { payments(first: 100) { nodes { id } } } } }",
        "objects; at most 5000 are allowed: ask for smaller pages",
    ),
}


@pytest.mark.parametrize(("query", "words"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_a_document_beyond_a_ceiling_is_refused(query: str, words: str) -> None:
    """One error names the limit, the count and the ceiling, and nothing is loaded."""
    running = Running()

    body = await running.ask(query)

    assert [error["extensions"]["code"] for error in body["errors"]] == ["QUERY_TOO_COMPLEX"]
    assert words in body["errors"][0]["message"]
    assert "data" not in body
    assert running.backend.loads == []


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"ids": json.loads(lists(11))}, id="lists"),
        pytest.param({"ids": json.loads(lists(900))}, id="lists beyond the stack"),
        pytest.param({"ids": [], "unused": json.loads('{"a":' * 11 + "1" + "}" * 11)}, id="unused"),
    ],
)
async def test_variables_nested_too_deep_are_refused(variables: dict[str, Any]) -> None:
    """Also where no variable of the operation would take them."""
    running = Running()

    body = await running.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", **variables)

    assert body["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "levels of lists and objects; at most 10" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ " + repeated("a{}: __typename", 15) + " }", id="15 aliases"),
        pytest.param("{ " + "gateway { version } " * 25 + "}", id="25 root fields"),
        pytest.param("{ gateway { " + f"version {SKIP} " * 50 + "} }", id="50 directives"),
        pytest.param("{ gateway " + "{ ... " * 57 + "{ version }" + " }" * 57 + " }", id="nesting"),
        pytest.param(spread(["A"] * 40, ["fragment A on Invoice { id number }"]), id="fragments"),
        pytest.param("{ a: __type(name: \"Money\") { name } b: __type(name: \"Node\") { name } }",
                     id="two types"),
    ],
)  # fmt: skip
async def test_a_document_at_a_ceiling_runs(query: str) -> None:
    """Ceilings are what is allowed, not what is refused."""
    running = Running()
    running.stage.open_invoice(invoice_id="in_1")

    body = await running.ask(query)

    assert "errors" not in body


async def test_each_operation_has_root_fields_of_its_own() -> None:
    """Only one operation of a document runs, so two of 20 root fields are not 40."""
    twenty = "gateway { version } " * 20

    document = parse(f"query A {{ {twenty} }} query B {{ {twenty} }}")

    assert excesses_of(document, Limits()) == []


async def test_a_fragment_that_spreads_itself_is_left_to_validation() -> None:
    """It has no measure; the answer says what is wrong with it."""
    body = await Running().ask(spread(["A"], ["fragment A on Invoice { ...B }",
                                              "fragment B on Invoice { ...A }"]))  # fmt: skip

    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "itself" in body["errors"][0]["message"]


async def test_a_subscription_has_one_root_field() -> None:
    """The specification's rule, over fragments too."""
    query = (
        "subscription { ...A ...B } "
        "fragment A on Subscription { a: invoicePaymentEvents { __typename } } "
        "fragment B on Subscription { b: invoicePaymentEvents { __typename } }"
    )

    body = await Running().ask(query)

    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "must select only one top level field" in body["errors"][0]["message"]


TOOLS = {
    "graphql-core": get_introspection_query(),
    "graphql-core and graphql-js with all options": get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
    ),
    "Apollo's and older ones, without descriptions": get_introspection_query(descriptions=False),
    "GraphiQL's deepest": get_introspection_query(
        schema_description=True, input_value_deprecation=True, type_depth=13
    ),
    "a name beside data": "{ __schema { queryType { name } } gateway { version } }",
}


@pytest.mark.parametrize("query", TOOLS.values(), ids=TOOLS.keys())
async def test_the_introspection_of_tools_passes(query: str) -> None:
    """GraphiQL and code generators need it whole."""
    body = await Running().ask(query)

    assert "errors" not in body


@pytest.mark.parametrize("query", TOOLS.values(), ids=TOOLS.keys())
async def test_introspection_is_a_right(query: str) -> None:
    """Without the scope not even the standard query is answered."""
    viewer = replace(OPERATOR, scopes=OPERATOR.scopes - {"schema:introspect"})

    body = await Running().ask(query, viewer)

    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_introspection_that_goes_in_circles_is_refused_with_the_right_too() -> None:
    """Each round multiplies the answer by the size of the schema."""
    circle = "fields { type { fields { type { fields { name } } } } }"

    body = await Running().ask(f"{{ __schema {{ types {{ {circle} }} }} }}")

    assert body["errors"][0]["message"] == "Maximum introspection depth exceeded"
    assert "data" not in body


WARNED = Limits(limits_mode="warn")

TOLD = {
    "depth": nested(5),
    "aliases": "{ " + repeated("a{}: __typename", 16) + " }",
    "root_fields": "{ " + "gateway { version } " * 26 + "}",
    "directives": "{ gateway { " + f"version {SKIP} " * 51 + "} }",
    "cost": "{ invoices(first: 100) { nodes { payments(first: 100) { nodes { id } } } } }",
}


@pytest.mark.parametrize(("limit", "query"), TOLD.items(), ids=TOLD.keys())
async def test_warn_mode_runs_tells_and_counts(
    limit: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator learns whom a limit would hit before it hits them."""
    running = Running(limits=WARNED)

    first, _ = await running.ask(query), await running.ask(query)

    assert "QUERY_TOO_COMPLEX" not in str(first)
    assert "data" in first
    assert running.exceeded == [(limit, False)] * 2
    assert f"limit {limit} is exceeded, and only told" in caplog.text
    assert "at most" in caplog.text


ALWAYS = {
    "tokens": TOO_MUCH["tokens"][0],
    "nesting": TOO_MUCH["nesting of fragments"][0],
    "fields": TOO_MUCH["fragments that fan out"][0],
    "input_depth": TOO_MUCH["lists in an argument"][0],
    "introspection_aliases": TOO_MUCH["introspection under many names"][0],
    "comparisons": TOO_MUCH["equal fields"][0],
}


@pytest.mark.parametrize(("limit", "query"), ALWAYS.items(), ids=ALWAYS.keys())
async def test_warn_mode_still_protects_the_process(limit: str, query: str) -> None:
    """What would take the process down is refused in every mode, and counted as refused."""
    running = Running(limits=WARNED)

    body = await running.ask(query)

    assert body["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert running.exceeded == [(limit, True)]


async def test_what_is_refused_is_counted_each_time() -> None:
    """A flood of one bad document costs one look, and is seen for what it is."""
    running = Running()
    query = TOLD["aliases"]

    await running.ask(query)
    await running.ask(query)

    assert running.exceeded == [("aliases", True)] * 2


async def test_the_deepest_document_of_warn_mode_is_answered() -> None:
    """The ceiling of nesting leaves the planner and the executor enough of Python's stack."""
    running = Running(limits=WARNED)
    invoice_id, _ = running.stage.paid_by(1000)
    query = nested((NESTING_MAX - 2) // 3).replace("in_1", invoice_id)

    body = await running.ask(query)

    assert "errors" not in body


async def test_a_chain_longer_than_the_stack_is_refused() -> None:
    """Where an operator allows more tokens, fragments can be chained by the thousand."""
    running = Running(limits=Limits(tokens_max=20_000))

    body = await running.ask(chain(2000))

    assert body["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert running.exceeded == [("nesting", True)]


async def test_at_most_five_errors_are_told() -> None:
    """Four hundred wrong fields are one mistake, not four hundred lines."""
    running = Running(limits=Limits(root_fields_max=500))

    body = await running.ask("{ " + repeated("wrong{}", 400) + " }")

    assert len(body["errors"]) == 5


async def test_at_most_five_errors_of_variables_are_told() -> None:
    """The same holds for four hundred wrong values."""
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    body = await Running().ask(query, ids=[{"not": "an id"}] * 400)

    assert len(body["errors"]) == 5
    assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}


LONG = {
    "field": "{ " + "x" * 50_000 + " }",
    "alias of a wrong field": "{ " + "x" * 50_000 + ": wrong }",
    "string": '{ invoices(first: "' + "x" * 50_000 + '") { nodes { id } } }',
    "operation": "query " + "x" * 50_000 + " { wrong }",
    "directive": "{ gateway { version @" + "x" * 50_000 + " } }",
    "fragment": "{ ..." + "x" * 50_000 + " }",
    "no GraphQL": "x" * 50_000,
}


@pytest.mark.parametrize("query", LONG.values(), ids=LONG.keys())
async def test_messages_are_cut(query: str) -> None:
    """graphql-core repeats a name or value as long as it is; the answer does not."""
    body = await Running().ask(query)

    assert all(len(error["message"]) <= 300 for error in body["errors"])
    assert body["errors"]


def test_depth_of_input_is_counted_without_recursion() -> None:
    """JSON may nest deeper than Python's stack; counting must not."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    assert input_depth(value) == 100_001


async def test_an_operation_tells_its_cost() -> None:
    """What a caller's budget is charged for: at least 1, for introspection too."""
    running = Running()

    async def cost(query: str) -> int:
        prepared = await running.runner.prepare(OperationRequest(query), OPERATOR)
        assert not isinstance(prepared, Answer)
        assert prepared.kind is OperationKind.QUERY
        return prepared.cost

    assert await cost("{ invoices(first: 7) { nodes { id } } }") == 7
    assert await cost("{ __typename }") == 1
    assert await cost("{ gateway { version } }") == 1
    assert await cost('{ __type(name: "Money") { name } }') == 10
    assert await cost("{ __schema { queryType { name } } }") == 100
