"""Stripe may have a state tomorrow that we do not know today; it is told, and is no error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphql import GraphQLEnumType, GraphQLObjectType, get_named_type

from schema.cost import field_definition
from schema.fields import EnumField
from schema.root import make_schema
from tests.support.served import Served

TOMORROW = "of_tomorrow"
EVERYTHING = """{
  invoice(id: "in_demo_credited") {
    status rawStatus collectionMethod
    creditNotes(first: 1) { nodes { type status reason } }
  }
  invoicePayment(id: "inpay_demo_two_a") {
    status rawStatus sourceType paymentIntent { status rawStatus }
  }
}"""


async def test_what_stripe_names_tomorrow_is_unrecognized_and_told_as_it_is(served: Served) -> None:
    """The client has `rawStatus` to go on with, and the rest of the answer stands."""
    twin = served.twin
    changed: list[tuple[Any, Any, dict[str, str]]] = [
        (twin.invoices, twin.invoice("in_demo_credited"), {"collection_method": TOMORROW}),
        (twin.credit_notes, twin.credit_notes.get("cn_demo_mixed"), {"type": TOMORROW}),
        (twin.invoice_payments, twin.invoice_payments.get("inpay_demo_two_a"), {}),
        (twin.payment_intents, twin.intent("pi_demo_two_a"), {}),
    ]
    for table, record, more in changed:
        table.put(replace(record, status=TOMORROW, **more))

    data = await served.data(EVERYTHING)

    unrecognized = {"status": "UNRECOGNIZED", "rawStatus": TOMORROW}
    (note,) = data["invoice"].pop("creditNotes")["nodes"]
    assert note == {
        "type": "UNRECOGNIZED",
        "status": "UNRECOGNIZED",
        "reason": "PRODUCT_UNSATISFACTORY",
    }
    assert data["invoice"] == {**unrecognized, "collectionMethod": "UNRECOGNIZED"}
    assert data["invoicePayment"] == {
        **unrecognized,
        "sourceType": "PAYMENT_INTENT",
        "paymentIntent": unrecognized,
    }


def test_every_field_of_such_an_enumeration_knows_what_is_of_tomorrow() -> None:
    """A field that showed the attribute as it is would fail on the first new value."""
    unprepared = [
        f"{kind.name}.{name}"
        for kind in make_schema()._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name, definition in kind.fields.items()
        if isinstance(named := get_named_type(definition.type), GraphQLEnumType)
        and "UNRECOGNIZED" in named.values
        and not isinstance(field_definition(definition), EnumField)
    ]

    assert unprepared == []
