"""Callers who may not introspect learn no name of the schema from its errors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.documents import broken_queries
from tests.support.long_form import examples
from tests.support.running import OPERATOR, SCHEMA, Running

STRANGER = replace(OPERATOR, scopes=OPERATOR.scopes - {"schema:introspect"})

PUBLIC = {"ID", "Int", "String", "Boolean", "Float", "Query", "Mutation", "Subscription"}
KINDS = [kind for kind in SCHEMA._schema.type_map.values() if not kind.name.startswith("__")]
NAMES = {kind.name for kind in KINDS} - PUBLIC
NAMES |= {name for kind in KINDS for name in getattr(kind, "fields", {})}
NAMES |= {name for kind in KINDS for name in getattr(kind, "values", {})}
NAMES |= {
    argument
    for kind in KINDS
    for definition in getattr(kind, "fields", {}).values()
    for argument in getattr(definition, "args", {})
}


def learnt(message: str, sent: str) -> set[str]:
    """The names of the schema in a message that the caller did not know.

    Plain words such as `type` are also English, and count only where they are quoted as names.
    """
    words = set(re.findall(r"\w+", message))
    plain = {word for word in words if word.islower()}
    quoted = set(re.findall(r"['.@\[(](\w+)", message))
    return (words & NAMES - (plain - quoted)) - set(re.findall(r"\w+", sent))


WRONG = {
    "field": "{ invoise(id: 1) { id } }",
    "field of a type": '{ invoice(id: "in_1") { totl { formatted } } }',
    "field of another type": '{ node(id: "in_1") { amountDue { formatted } } }',
    "type": "{ ...A } fragment A on Invoic { id }",
    "type of a variable": "query ($a: Invoce) { gateway { version } }",
    "argument": '{ invoice(idd: "in_1") { id } }',
    "argument left out": "{ invoice { id } }",
    "directive": "{ gateway @skp(if: true) { version } }",
    "argument of a directive": "{ gateway @skip(iff: true) { version } }",
    "enum value": '{ customer(id: "cus_1") { invoices(status: OPN) { nodes { id } } } }',
    "enum value as text": '{ customer(id: "cus_1") { invoices(status: "OPEN") { nodes { id } } } }',
    "input field": '{ creditNotePreview(input: {invoiceIdd: "in_1"}) { type } }',
    "input fields left out": "{ creditNotePreview(input: {}) { type } }",
    "input of another type": "{ creditNotePreview(input: 7) { type } }",
    "one of": 'mutation { attachPayment(input: {invoiceId: "in_1", payment: {}, '
    'idempotencyKey: "k"}) { replayed } }',
    "value": "{ invoices(first: true) { nodes { id } } }",
    "leaf with fields": '{ invoice(id: "in_1") { number { id } } }',
    "object without fields": '{ invoice(id: "in_1") { amountDue } }',
    "variable of another type": 'query ($a: String) { invoice(id: $a) { id } }',
    "impossible fragment": "{ gateway { ... on Customer { id } } }",
    "fields that conflict": '{ invoice(id: "in_1") { a: amountDue { formatted } a: number } }',
    "introspection": "{ __schema { types { name } } }",
    "type by name": '{ __type(name: "Invoice") { name } }',
}  # fmt: skip


@pytest.mark.parametrize("query", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_document_teaches_no_name(query: str) -> None:
    """Neither suggestions nor the type, the argument or the value that would have been right."""
    body = await Running().ask(query, STRANGER)

    assert body["errors"]
    for error in body["errors"]:
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "Did you mean" not in error["message"]
        assert learnt(error["message"], query) == set()


DETACH = "mutation ($v: DetachPaymentInput!) { detachPayment(input: $v) { replayed } }"
ATTACH = "mutation ($v: AttachPaymentInput!) { attachPayment(input: $v) { replayed } }"
PREVIEW = "query ($v: CreditNoteInput!) { creditNotePreview(input: $v) { type } }"
INVOICE = "query ($v: ID!) { invoice(id: $v) { id } }"
STATUS = """query ($v: InvoiceStatus) {
  customer(id: "cus_1") { invoices(status: $v) { nodes { id } } }
}"""

VARIABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "enum value": (STATUS, {"v": "OPN"}),
    "enum value of another kind": (STATUS, {"v": 7}),
    "input field": (PREVIEW, {"v": {"invoiceIdd": "in_1"}}),
    "input fields left out": (PREVIEW, {"v": {}}),
    "one of": (ATTACH, {"v": {"invoiceId": "in_1", "payment": {"x": 1}, "idempotencyKey": "k"}}),
    "scalar": (DETACH, {"v": {"ifAmountPaidMinorUnits": "1e3"}}),
    "nothing": (INVOICE, {}),
    "null": (INVOICE, {"v": None}),
}


@pytest.mark.parametrize(("query", "variables"), VARIABLES.values(), ids=VARIABLES.keys())
async def test_wrong_variables_teach_no_name(query: str, variables: dict[str, Any]) -> None:
    """The same holds for what stands beside the document."""
    body = await Running().ask(query, STRANGER, **variables)

    assert body["errors"]
    for error in body["errors"]:
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "Did you mean" not in error["message"]
        assert learnt(error["message"], f"{query} {variables}") == set()


async def test_a_caller_who_may_introspect_is_helped() -> None:
    """Whoever may read the schema gets graphql-core's suggestions as they are."""
    running = Running()

    wrong_field = await running.ask("{ invoise(id: 1) { id } }")
    wrong_value = await running.ask(STATUS, v="OPN")

    assert "Did you mean 'invoice'" in wrong_field["errors"][0]["message"]
    assert "Did you mean the enum value 'OPEN'" in wrong_value["errors"][0]["message"]


async def test_one_document_is_told_to_each_as_they_may_see_it() -> None:
    """The memory of documents keeps both answers apart."""
    running = Running()
    query = "{ invoise(id: 1) { id } }"

    told = [
        (await running.ask(query, viewer))["errors"][0]["message"]
        for viewer in (STRANGER, OPERATOR, STRANGER)
    ]

    assert ["Did you mean" in message for message in told] == [False, True, False]


async def test_a_null_that_a_default_let_in_is_told_at_its_path() -> None:
    """A variable with a default may be null where an argument may not: found while running."""
    query = 'query ($id: ID = "in_1") { invoice(id: $id) { id } }'

    body = await Running().ask(query, STRANGER, id=None)

    assert body["data"] == {"invoice": None}
    assert body["errors"][0]["path"] == ["invoice"]
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert learnt(body["errors"][0]["message"], query) == set()


async def test_a_null_for_a_directive_is_no_mistake_of_ours() -> None:
    """Fields cannot be collected without knowing whether they are wanted."""
    query = "query ($on: Boolean = true) { gateway @include(if: $on) { version } }"

    body = await Running().ask(query, on=None)

    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@given(query=broken_queries())
@settings(max_examples=examples(150), deadline=None)
async def test_no_broken_document_teaches_a_name(query: str) -> None:
    """Documents with one violation of the schema each, whatever it is."""
    body = await Running().ask(query, STRANGER)

    for error in body["errors"]:
        assert learnt(error["message"], query) == set()
