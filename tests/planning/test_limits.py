"""Documents are measured and priced before anything is fetched."""

from __future__ import annotations

import pytest

from schema.limits import Limits
from tests.support.running import Running

FAN_OUT_LEVELS = 22
"""Two spreads a level: 4 million visits for a limiter that walks each spread."""


def fan_out() -> str:
    fragments = [
        f"fragment F{level} on Invoice {{ ...F{level + 1} ...F{level + 1} }}"
        for level in range(FAN_OUT_LEVELS)
    ]
    last = f"fragment F{FAN_OUT_LEVELS} on Invoice {{ id }}"
    return '{ invoice(id: "in_1") { ...F0 } } ' + " ".join([*fragments, last])


def nested(levels: int) -> str:
    inner = "id"
    for _ in range(levels):
        inner = f"payments {{ nodes {{ invoice {{ {inner} }} }} }}"
    return f'{{ invoice(id: "in_1") {{ {inner} }} }}'


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        pytest.param(nested(6), "QUERY_TOO_COMPLEX", "levels deep", id="too deep"),
        pytest.param(
            "{ " + " ".join(f"a{n}: __typename" for n in range(16)) + " gateway { version } }",
            "QUERY_TOO_COMPLEX",
            "aliases",
            id="too many aliases",
        ),
        pytest.param(
            "{ " + "gateway { version } " * 26 + "}",
            "QUERY_TOO_COMPLEX",
            "root fields",
            id="too many root fields",
        ),
        pytest.param(
            "{ gateway { " + "version " * 1100 + "} }",
            "QUERY_TOO_COMPLEX",
            "token",
            id="too many tokens",
        ),
        pytest.param(
            "{ gateway { version " + "@skip(if: false) " * 11 + "} }",
            "QUERY_TOO_COMPLEX",
            "directives",
            id="too many directives in one place",
        ),
        pytest.param(
            "{ invoices(first: 100) { nodes { payments(first: 100) { nodes { id } } } } }",
            "QUERY_TOO_COMPLEX",
            "smaller pages",
            id="too many objects",
        ),
        pytest.param(
            "{ invoice(id: 1) { ...A } } fragment A on Invoice { ...A }",
            "GRAPHQL_VALIDATION_FAILED",
            "itself",
            id="fragment that spreads itself",
        ),
    ],
)
async def test_documents_beyond_a_ceiling_are_refused(query: str, code: str, word: str) -> None:
    """Each refusal names the ceiling, and nothing is loaded."""
    running = Running()

    body = await running.ask(query)

    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == code
    assert word in body["errors"][0]["message"]
    assert running.backend.loads == []


async def test_fragments_that_fan_out_are_measured_once_each() -> None:
    """22 levels of two spreads are 44 looks, not four million; the count of fields refuses them."""
    running = Running()

    body = await running.ask(fan_out())

    assert body["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_page_size_from_a_variable_is_priced() -> None:
    """A variable is no way around the cost."""
    running = Running()
    payments = "payments(first: $n) { nodes { id } }"
    query = f"query ($n: Int!) {{ invoices(first: $n) {{ nodes {{ {payments} }} }} }}"

    small, large = await running.ask(query, n=3), await running.ask(query, n=100)

    assert "errors" not in small
    assert large["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_ordinary_page_is_well_within_the_cost() -> None:
    """Fifty invoices with their payments and intents are what a frontend asks for."""
    running = Running()

    body = await running.ask(
        "{ invoices(first: 50) { nodes { total { formatted } payments { nodes { id "
        "amountPaid { formatted } paymentIntent { id amount { formatted } } } } } } }"
    )

    assert "errors" not in body


async def test_standard_introspection_passes_the_limits() -> None:
    """GraphiQL and code generators need it whole."""
    from graphql import get_introspection_query

    running = Running()

    body = await running.ask(
        get_introspection_query(input_value_deprecation=True, schema_description=True)
    )

    assert "errors" not in body


async def test_at_most_five_errors_are_told() -> None:
    """Four hundred wrong fields are one mistake, not four hundred lines."""
    running = Running(limits=Limits(tokens_max=5000))

    body = await running.ask("{ " + " ".join(f"wrong{n}" for n in range(20)) + " }")

    assert len(body["errors"]) == 5


async def test_messages_are_cut() -> None:
    """graphql-core repeats a name as long as it is; the answer does not."""
    running = Running()

    body = await running.ask("{ " + "x" * 50_000 + " }")

    assert len(body["errors"][0]["message"]) <= 300
