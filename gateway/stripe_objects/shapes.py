"""What each of Stripe's objects holds, as far as a record knows it: the one place that says so.

A shape says, for every field of a record, where it stands in Stripe's JSON and of what kind it is.
Reading Stripe's answers (`reading`), reading fixtures (`gateway.sandbox.fixtures`) and writing
(`writing`) follow from it. Shapes are those of 2026-10-28.endive; see `older_versions` for others.
Source: https://docs.stripe.com/api/invoices/object and its siblings.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.ledger.lifecycle import NEXT
from schema import records

Shaped = records.Record | records.CreditNoteRefund
R = TypeVar("R", bound=Shaped, covariant=True)


class Kind(enum.Enum):
    """What stands at a place, and what becomes of it in a record."""

    TEXT = "a string"
    CURRENCY = "a currency code"
    """In lower case; one that Stripe adds tomorrow is taken as it is."""
    FLAG = "true or false"
    AMOUNT = "a whole number"
    """Of the currency's smallest unit."""
    INSTANT = "epoch seconds"
    REFERENCE = "an id"
    """Of another object, which may stand there itself, expanded."""
    METADATA = "an object of strings"
    QUANTITY = "a decimal"
    """In `quantity_decimal`, and where it is whole in `quantity` as well."""
    CREDIT_BALANCE = "an object of amounts by currency"
    SOURCE_TYPE = "an object of a type and an id"
    """What pays: the type, which the one id that is there implies."""
    SOURCE_ID = "an object of a type and an id, of what pays"
    REFUNDS = "a list of refunds"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. The path is dotted, from the object that holds it."""

    name: str
    path: str
    kind: Kind = Kind.TEXT
    needed: bool = False
    """Stripe always sends it, and without it the object means nothing."""
    implied: bool = False
    """A fixtures file may leave it out all the same: it follows from the rest."""
    otherwise: str | int | None = None
    """What stands in a record where Stripe says nothing; None stays None."""
    least: int | None = None
    """The least amount that a fixtures file may state."""
    words: tuple[str, ...] = ()
    """Stripe's words as they are today; Stripe may send others tomorrow, a fixtures file not."""
    prefixes: tuple[str, ...] = ()
    """How ids of what a reference may name begin."""
    null_above: bool = False
    """Where there is none, null stands for the object around it."""


@dataclass(frozen=True, slots=True)
class Shape(Generic[R]):
    """One of Stripe's objects. `kind` is its name in `object`; ids are part of every shape."""

    record: type[R]
    kind: str
    fields: tuple[Field, ...]


def _text(name: str, *words: str, needed: bool = False, otherwise: str | None = None) -> Field:
    return Field(name, name, needed=needed, implied=needed, otherwise=otherwise, words=words)


def _amount(name: str, *, least: int | None = None, otherwise: int | None = None) -> Field:
    return Field(name, name, Kind.AMOUNT, least=least, otherwise=otherwise)


def _needed_amount(
    name: str, path: str | None = None, *, least: int | None = None, implied: bool = False
) -> Field:
    return Field(name, path or name, Kind.AMOUNT, needed=True, implied=implied, least=least)


def _instant(name: str, within: str = "") -> Field:
    return Field(name, within + name, Kind.INSTANT)


def _alone(name: str, path: str, prefix: str) -> Field:
    """A reference without which the object around it is null."""
    return Field(name, path, Kind.REFERENCE, prefixes=(prefix,), null_above=True)


def _customer(path: str = "customer") -> Field:
    return Field("customer_id", path, Kind.REFERENCE, prefixes=("cus",))


_CREATED = Field("created", "created", Kind.INSTANT, needed=True, implied=True)
_CURRENCY = Field("currency", "currency", Kind.CURRENCY, needed=True)
_IMPLIED_CURRENCY = replace(_CURRENCY, implied=True)
_INVOICE = Field("invoice_id", "invoice", Kind.REFERENCE, needed=True, prefixes=("in",))
_LIVEMODE = Field("livemode", "livemode", Kind.FLAG)
_METADATA = Field("metadata", "metadata", Kind.METADATA)

SOURCE_TYPES = ("payment_intent", "payment_record", "charge")
COLLECTION_METHODS = ("charge_automatically", "send_invoice")
UNCOLLECTIBLE_REASONS = (
    "max_payment_attempts",
    "payment_not_received",
    "subscription_canceled",
    "subscription_paused",
    "user_forgiven",
)
CREDIT_NOTE_TYPES = ("pre_payment", "post_payment", "mixed")

CUSTOMER = Shape(
    records.Customer,
    "customer",
    (
        _CREATED,
        _LIVEMODE,
        _text("name"),
        _text("email"),
        Field("currency", "currency", Kind.CURRENCY),
        Field("credit_balance", "invoice_credit_balance", Kind.CREDIT_BALANCE),
        _METADATA,
    ),
)
INVOICE = Shape(
    records.Invoice,
    "invoice",
    (
        _CREATED,
        _CURRENCY,
        _customer(),
        _text("status", "draft", "open", "paid", "uncollectible", "void"),
        _LIVEMODE,
        _text("number"),
        _text("collection_method", *COLLECTION_METHODS, otherwise=COLLECTION_METHODS[0]),
        _text("description"),
        _text("customer_name"),
        _text("customer_email"),
        _text("account_name"),
        _alone("subscription_id", "parent.subscription_details.subscription", "sub"),
        _amount("subtotal", otherwise=0),
        _needed_amount("total", implied=True),
        _amount("starting_balance", otherwise=0),
        _amount("ending_balance"),
        _needed_amount("amount_due", implied=True),
        _needed_amount("amount_paid", implied=True),
        _needed_amount("amount_remaining", implied=True),
        _amount("amount_overpaid", otherwise=0),
        _amount("pre_payment_credit_notes_amount", otherwise=0),
        _amount("post_payment_credit_notes_amount", otherwise=0),
        _instant("due_date"),
        _instant("finalized_at", "status_transitions."),
        _instant("paid_at", "status_transitions."),
        _instant("voided_at", "status_transitions."),
        _instant("marked_uncollectible_at", "status_transitions."),
        Field(
            "uncollectible_reason",
            "status_details.uncollectible.reason",
            words=UNCOLLECTIBLE_REASONS,
            null_above=True,
        ),
        _text("hosted_invoice_url"),
        _text("invoice_pdf"),
        _METADATA,
    ),
)
LINE_ITEM = Shape(
    records.InvoiceLineItem,
    "line_item",
    (
        replace(_INVOICE, implied=True),
        _needed_amount("amount"),
        _IMPLIED_CURRENCY,
        _text("description"),
        Field("quantity", "quantity_decimal", Kind.QUANTITY),
        Field("period_start", "period.start", Kind.INSTANT),
        Field("period_end", "period.end", Kind.INSTANT),
    ),
)
INVOICE_PAYMENT = Shape(
    records.InvoicePayment,
    "invoice_payment",
    (
        _CREATED,
        _IMPLIED_CURRENCY,
        _INVOICE,
        _text("status", "open", "paid", "canceled", needed=True),
        Field("source_type", "payment", Kind.SOURCE_TYPE, needed=True),
        Field("source_id", "payment", Kind.SOURCE_ID),
        _needed_amount("amount_requested", least=1, implied=True),
        _amount("amount_paid", least=0),
        Field("is_default", "is_default", Kind.FLAG),
        _instant("paid_at", "status_transitions."),
        _instant("canceled_at", "status_transitions."),
        _LIVEMODE,
    ),
)
PAYMENT_INTENT = Shape(
    records.PaymentIntent,
    "payment_intent",
    (
        _CREATED,
        _CURRENCY,
        _text("status", *NEXT, needed=True),
        _needed_amount("amount", least=1),
        _amount("amount_received", least=0, otherwise=0),
        _customer(),
        _text("description"),
        _instant("canceled_at"),
        _text("cancellation_reason"),
        Field("payment_record_id", "payment_record", Kind.REFERENCE, prefixes=("pr",)),
        _LIVEMODE,
        _METADATA,
    ),
)
PAYMENT_RECORD = Shape(
    records.PaymentRecord,
    "payment_record",
    (
        _CREATED,
        Field("currency", "amount.currency", Kind.CURRENCY, needed=True),
        _needed_amount("amount", "amount.value", least=1),
        _customer("customer_details.customer"),
        _text("description"),
        Field("reference", "processor_details.custom.payment_reference"),
        _LIVEMODE,
        _METADATA,
    ),
)
CHARGE = Shape(
    records.Charge,
    "charge",
    (_CREATED, _CURRENCY, _needed_amount("amount", least=1), _customer()),
)
CREDIT_NOTE = Shape(
    records.CreditNote,
    "credit_note",
    (
        _CREATED,
        _IMPLIED_CURRENCY,
        _INVOICE,
        _customer(),
        _needed_amount("amount", least=1),
        _amount("pre_payment_amount", least=0, otherwise=0),
        _amount("post_payment_amount", least=0, otherwise=0),
        _text("type", *CREDIT_NOTE_TYPES, needed=True),
        _text("status", "issued", "void", otherwise="issued"),
        _text("number"),
        _text("reason"),
        _text("memo"),
        _amount("credit_amount", least=0, otherwise=0),
        _amount("out_of_band_amount", least=0),
        Field("refunds", "refunds", Kind.REFUNDS),
        _instant("voided_at"),
        _LIVEMODE,
    ),
)
REFUND = Shape(
    records.CreditNoteRefund,
    "credit_note_refund",
    (
        _needed_amount("amount_refunded", least=0),
        Field("refund_id", "refund", Kind.REFERENCE, prefixes=("re", "pyr")),
        _alone("payment_record_id", "payment_record_refund.payment_record", "pr"),
    ),
)
"""One of a credit note's refunds, which has no id of its own."""

_PAYING = (PAYMENT_INTENT, PAYMENT_RECORD, CHARGE)

SHAPES: Mapping[str, Shape[records.Record]] = {
    one.kind: one for one in (CUSTOMER, *_PAYING, INVOICE, LINE_ITEM, INVOICE_PAYMENT, CREDIT_NOTE)
}
"""The shapes of everything that has an id, by Stripe's name of it."""
