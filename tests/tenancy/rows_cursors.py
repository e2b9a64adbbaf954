"""Rows of the matrix that name somebody else's object in a cursor of one's own list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schema.node import encode_cursor
from schema.ports import ListFilter, list_digest
from tests.tenancy.account import SHARED, Owned
from tests.tenancy.row import PAGE, Row


def cursor(name: str, parent_id: str | None, object_id: str, **where: Any) -> str:
    """A cursor of this list at any object; whoever has seen one can make others."""
    return encode_cursor(list_digest(name, parent_id, ListFilter(**where)), object_id)


def _root_cursor(direction: str) -> Row:
    size = "first" if direction == "after" else "last"
    return Row(
        f"invoices {direction}",
        f"query ($at: String) {{ invoices({size}: 3, {direction}: $at) {PAGE} }}",
        lambda own, other: {"at": cursor("invoices", None, other.paid)},
        "CURSOR_GONE",
        (f"Query.invoices.{direction}",),
    )


def _payments_cursor(direction: str) -> Row:
    size = "first" if direction == "after" else "last"
    return Row(
        f"invoicePayments {direction}",
        f"""query ($at: String) {{ invoicePayments({size}: 3, {direction}: $at,
              filter: {{paymentRecordId: "{SHARED}"}}) {PAGE} }}""",
        lambda own, other: {
            "at": cursor("invoice_payments", None, other.share, payment_record_id=SHARED)
        },
        "CURSOR_GONE",
        (f"Query.invoicePayments.{direction}",),
    )


def _cursor_below(
    place: str,
    direction: str,
    parent: Callable[[Owned], str],
    named: Callable[[Owned], str],
    listing: str,
) -> Row:
    """A cursor of the list below one's own object, at an object of somebody else's."""
    type_name, field = place.split(".")
    size = "first" if direction == "after" else "last"
    return Row(
        f"{place} {direction}",
        f"""query ($id: ID!, $at: String) {{ node(id: $id) {{ ... on {type_name} {{
              {field}({size}: 3, {direction}: $at) {PAGE} }} }} }}""",
        lambda own, other: {"id": parent(own), "at": cursor(listing, parent(own), named(other))},
        "CURSOR_GONE",
        (f"{place}.{direction}",),
    )


CURSORS = [
    *(_root_cursor(direction) for direction in ("after", "before")),
    *(_payments_cursor(direction) for direction in ("after", "before")),
    *(
        _cursor_below(
            "Customer.invoices",
            direction,
            lambda own: own.customer_id,
            lambda other: other.paid,
            "invoices",
        )
        for direction in ("after", "before")
    ),
    *(
        _cursor_below(
            "Invoice.payments",
            direction,
            lambda own: own.recorded,
            lambda other: other.payment,
            "payments",
        )
        for direction in ("after", "before")
    ),
    _cursor_below(
        "Customer.paymentIntents",
        "after",
        lambda own: own.customer_id,
        lambda other: other.intent,
        "payment_intents",
    ),
    _cursor_below(
        "Invoice.creditNotes",
        "after",
        lambda own: own.paid,
        lambda other: other.note,
        "credit_notes",
    ),
    _cursor_below(
        "Invoice.lines", "after", lambda own: own.open, lambda other: other.line, "lines"
    ),
    _cursor_below(
        "PaymentIntent.invoicePayments",
        "after",
        lambda own: own.intent,
        lambda other: other.paying,
        "invoice_payments",
    ),
    _cursor_below(
        "PaymentRecord.invoicePayments",
        "after",
        lambda own: own.record,
        lambda other: other.payment,
        "invoice_payments",
    ),
]
