"""What an operation costs can be computed from the printed schema, by anybody.

The referee below reads `schema/schema.graphql` with graphql-core and knows nothing of our code: it
must find the very cost that is enforced and charged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    build_schema,
    get_directive_values,
    get_named_type,
    parse,
    validate,
    value_from_ast_untyped,
)
from hypothesis import given, settings

from schema.cost import COST_COUNTED_MAX, PRICES, cost_of, field_definition
from schema.fields import LoadedField
from tests.support.documents import SDL, valid_queries
from tests.support.long_form import examples
from tests.support.running import SCHEMA

PRINTED = build_schema(SDL)
OURS = SCHEMA._schema

PAGE_MAX, IDS_MAX = 100, 50
"""As the description of `@listSize` says."""


class Referee:
    """Prices a document as the printed schema says."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.variables = dict(variables)
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def price(self, operation: OperationDefinitionNode) -> int:
        root = PRINTED.get_root_type(operation.operation)
        assert root is not None
        return max(1, self.selections(operation, root))

    def selections(self, parent: Any, on: Any) -> int:
        return sum(self.selection(node, on) for node in parent.selection_set.selections)

    def selection(self, node: Any, on: Any) -> int:
        if isinstance(node, FragmentSpreadNode):
            return self.selection(self.fragments[node.name.value], on)
        if not isinstance(node, FieldNode):
            condition = node.type_condition
            return self.selections(
                node, PRINTED.type_map[condition.name.value] if condition else on
            )
        if node.name.value == "__typename":
            return 0
        definition = on.fields[node.name.value]
        below = self.selections(node, get_named_type(definition.type)) if node.selection_set else 0
        return self.size(node, definition) * (weight(definition) + below)

    def size(self, node: FieldNode, definition: GraphQLField) -> int:
        sized = directive("listSize", definition)
        if sized is None:
            return 1
        given = {
            argument.name.value: value_from_ast_untyped(argument.value, self.variables)
            for argument in node.arguments or ()
        }
        sizes = [
            max(1, min(len(value), IDS_MAX) if isinstance(value, list) else min(value, PAGE_MAX))
            for name in sized["slicingArguments"]
            if isinstance(value := given.get(name), list | int)
        ]
        return max(sizes, default=sized["assumedSize"])


def directive(name: str, definition: GraphQLField) -> dict[str, Any] | None:
    assert definition.ast_node is not None
    found = PRINTED.get_directive(name)
    assert found is not None
    return get_directive_values(found, definition.ast_node)


def weight(definition: GraphQLField) -> int:
    cost = directive("cost", definition)
    return 0 if cost is None else int(cost["weight"])


def agreed(query: str, **variables: Any) -> int:
    """The cost of the only operation, on which both agree."""
    document = parse(query)
    assert validate(OURS, document) == []
    (operation,) = (
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    )
    ours = cost_of(OURS, document, operation, variables)
    assert ours == min(Referee(document, variables).price(operation), COST_COUNTED_MAX)
    return ours


PRICED = {
    "one object": ('{ invoice(id: "in_1") { id } }', 1),
    "nothing that needs a fetch": ("{ gateway { version } }", 1),
    "what comes along": ('{ invoice(id: "in_1") { total { formatted } number } }', 1),
    "a page of the usual size": ("{ invoices { nodes { id } } }", 10),
    "a page as large as asked for": ("{ invoices(first: 7) { nodes { id } } }", 7),
    "a page from its end": ('{ invoices(last: 7, before: "c") { nodes { id } } }', 7),
    "both sizes, which is refused later": ("{ invoices(last: 7, first: 9) { nodes { id } } }", 9),
    "no page is larger than a hundred": ("{ invoices(first: 1000000000) { nodes { id } } }", 100),
    "no page is smaller than one": ("{ invoices(first: -5) { nodes { id } } }", 1),
    "null is the usual size": ("{ invoices(first: null) { nodes { id } } }", 10),
    "the log's usual page": ("{ invoicePaymentEvents { nodes { type } } }", 50),
    "two ids": ('{ nodes(ids: ["in_1", "in_2"]) { id } }', 2),
    "a heavier field": (
        '{ invoice(id: "in_1") { payments(first: 3) { nodes { paymentIntent { id } } } } }',
        1 + 3 * (1 + 2),
    ),
    "pages in pages": (
        "{ invoices(first: 4) { nodes { payments(first: 5) { nodes { id } } } } }",
        4 * (1 + 5),
    ),
    "edges as nodes": (
        "{ invoices(first: 4) { edges { node { payments(first: 5) { edges { cursor } } } } } }",
        4 * (1 + 5),
    ),
    "the same field under two names": (
        '{ a: invoice(id: "in_1") { id } b: invoice(id: "in_2") { id } }',
        2,
    ),
    "fragments, each time": (
        '{ a: invoice(id: "in_1") { ...P } b: invoice(id: "in_2") { ...P } } '
        "fragment P on Invoice { payments(first: 3) { nodes { id } } }",
        2 * (1 + 3),
    ),
    "fragments on an interface": (
        '{ node(id: "in_1") { ... on Invoice { payments(first: 3) { nodes { id } } } ...C } } '
        "fragment C on Customer { invoices(first: 2) { nodes { id } } }",
        1 + 3 + 2,
    ),
    "what is skipped, as only variables tell": (
        'query ($no: Boolean!) { invoice(id: "in_1") { customer @include(if: $no) { id } } }',
        2,
    ),
    "a mutation": (
        "mutation ($input: DetachPaymentInput!) { detachPayment(input: $input) "
        "{ invoice { payments(first: 2) { nodes { id } } } } }",
        10 + 1 + 2,
    ),
    "one item of a stream": (
        "subscription { invoicePaymentEvents { ... on InvoicePaymentEvent { invoice { id } } } }",
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "cost"), PRICED.values(), ids=PRICED.keys())
def test_cost_counts_the_objects_that_may_come(query: str, cost: int) -> None:
    """Read the table: each row is what a client should expect to pay."""
    assert agreed(query) == cost


def test_sizes_from_variables_are_counted() -> None:
    """A variable is no way around the cost."""
    inner = "payments(first: $n) { nodes { id } }"
    page = f"query ($n: Int!) {{ invoices(first: $n) {{ nodes {{ {inner} }} }} }}"
    ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    assert agreed(page, n=3) == 3 * (1 + 3)
    assert agreed(page, n=10**9) == 100 * (1 + 100)
    assert agreed(ids, ids=["in_1"] * 20) == 20
    assert agreed(ids, ids=["in_1"] * 400) == 50


def test_a_product_that_overflows_stops_being_counted() -> None:
    """Nested pages multiply to hundreds of digits, and nobody wants to compute or read those."""
    inner = "id"
    for _ in range(40):
        inner = f"payments(first: 100) {{ nodes {{ invoice {{ {inner} }} }} }}"

    invoice = f'invoice(id: "in_1") {{ {inner} }}'

    assert agreed(f"{{ {invoice} }}") == COST_COUNTED_MAX
    assert agreed(f"{{ a: {invoice} b: {invoice} }}") == COST_COUNTED_MAX


def test_a_size_of_thousands_of_digits_is_only_large() -> None:
    """Python refuses to read it as a number; validation refuses it, and pricing must not fail."""
    document = parse("{ invoices(first: " + "9" * 5000 + ") { nodes { id } } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)

    assert cost_of(OURS, document, operation, {}) == 100


def test_everything_that_may_need_a_fetch_has_a_price() -> None:
    """What needs nothing beyond its parent is free, and nothing else is."""
    free = {
        f"{kind.name}.{name}"
        for kind in OURS.type_map.values()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        for name, definition in kind.fields.items()
        if isinstance(field_definition(definition), LoadedField)
        and OURS.extensions[PRICES][kind.name, name].weight < 1
    }

    assert free == set()


def test_a_list_that_is_sized_says_by_what() -> None:
    """A default page of 50 that is priced as one of 10 would be 40 objects for nothing."""
    for kind in PRINTED.type_map.values():
        for name, definition in getattr(kind, "fields", {}).items():
            is_field = isinstance(definition, GraphQLField) and not kind.name.startswith("__")
            sized = directive("listSize", definition) if is_field else None
            if sized is not None:
                defaults = {
                    int(node.default_value.value)
                    for slicing in sized["slicingArguments"]
                    if (node := definition.args[slicing].ast_node).default_value is not None
                }
                assert defaults <= {sized["assumedSize"]}, f"{kind.name}.{name}"


@given(query=valid_queries())
@settings(max_examples=examples(150), deadline=None)
def test_any_document_costs_what_the_printed_schema_says(query: str) -> None:
    """Whatever a client asks, it can tell beforehand what it will be charged."""
    document = parse(query)
    for operation in document.definitions:
        assert isinstance(operation, OperationDefinitionNode)
        ours = cost_of(OURS, document, operation, {})
        assert ours == min(Referee(document, {}).price(operation), COST_COUNTED_MAX)
