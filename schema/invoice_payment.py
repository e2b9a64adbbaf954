"""InvoicePayment: the link between one invoice and one thing that pays it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any, Union

import strawberry

from schema import records
from schema.cost import Cost
from schema.fields import field, instant_field, is_record, optional_instant_field, plain, recognize
from schema.invoice_status import InvoiceStatus
from schema.money import Money, amount_field, money, optional_amount_field
from schema.node import Node
from schema.payment_intent import PaymentIntent
from schema.payment_record import Charge, PaymentRecord
from schema.ports import Computed, Link, Loaded, RefusalCode

if TYPE_CHECKING:
    from schema.invoice import Invoice

LazyInvoice = Annotated["Invoice", strawberry.lazy("schema.invoice")]

INVOICE = Link("invoice")
SOURCE = Link("source")
PAYMENT_INTENT = Link("payment_intent")
DETACH_PREVIEW = Computed("detach_preview")

PaymentSource = Annotated[
    Union[PaymentIntent, PaymentRecord, Charge],  # noqa: UP007  # Strawberry names Annotated unions.
    strawberry.union("PaymentSource", description="What pays an invoice."),
]


@strawberry.enum(description="How far an invoice payment has come.")
class InvoicePaymentStatus(enum.Enum):
    OPEN = "open"
    PAID = "paid"
    CANCELED = "canceled"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="The kind of thing that pays.")
class PaymentSourceType(enum.Enum):
    PAYMENT_INTENT = "payment_intent"
    PAYMENT_RECORD = "payment_record"
    CHARGE = "charge"
    UNRECOGNIZED = "UNRECOGNIZED"


strawberry.enum(
    RefusalCode,
    name="PaymentErrorCode",
    description="Why a write was refused, in order of precedence: of two broken rules the first "
    "is named. FORBIDDEN: a missing scope, nothing else (what is not yours is NOT_FOUND). "
    "UPSTREAM_UNAVAILABLE: certainly not sent. UPSTREAM_OUTCOME_UNKNOWN: perhaps done; repeat "
    "with the same key.",
)


def invoice_need() -> Link:
    return INVOICE


def source_need() -> Link:
    return SOURCE


def payment_intent_need() -> Link:
    return PAYMENT_INTENT


def detach_preview_need() -> Computed:
    return DETACH_PREVIEW


@strawberry.type(description="May a payment be detached now, and what would follow?")
class DetachPreview:
    allowed: bool = plain("Whether detachPayment would be accepted now.")

    @field("Every rule that stands against it, in order of precedence.")
    @staticmethod
    def blocked_by(parent: strawberry.Parent[Any]) -> list[RefusalCode]:
        return [RefusalCode(code) for code in parent.record.blocked_by]

    @field("The invoice's status afterwards; null when not allowed.")
    @staticmethod
    def status_after(parent: strawberry.Parent[Any]) -> InvoiceStatus | None:
        raw = parent.record.status_after
        return None if raw is None else recognize(InvoiceStatus, raw)

    @field("What the invoice would then ask for; null when not allowed.")
    @staticmethod
    def amount_remaining_after(parent: strawberry.Parent[Any]) -> Money | None:
        record: records.DetachPreview = parent.record
        after = record.amount_remaining_after
        return None if after is None else money(after, record.currency)

    creates_default_payment_intent: bool = plain(
        "Stripe makes a fresh default PaymentIntent when a balance reopens."
    )


@strawberry.type(description="The link between one invoice and one thing that pays it.")
class InvoicePayment(Node):
    is_type_of = is_record(records.InvoicePayment)

    @field(
        "The invoice that is paid. Null, with an entry in errors, when only this fetch failed.",
        needs=invoice_need,
    )
    @staticmethod
    def invoice(parent: strawberry.Parent[Loaded[Any]]) -> LazyInvoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    invoice_id: strawberry.ID = plain("Id of the invoice that is paid.")

    @field("How far it has come. UNRECOGNIZED: see rawStatus.")
    @staticmethod
    def status(parent: strawberry.Parent[Any]) -> InvoicePaymentStatus:
        return recognize(InvoicePaymentStatus, parent.record.status)

    @field("Stripe's spelling of the status.")
    @staticmethod
    def raw_status(parent: strawberry.Parent[Any]) -> str:
        return str(parent.record.status)

    is_default: bool = plain(
        "The payment that Stripe made at finalization and keeps in step with amountRemaining; its "
        "PaymentIntent can't be edited or canceled directly."
    )
    amount_requested = amount_field("amount_requested", "What it is meant to pay of the invoice.")
    amount_paid = optional_amount_field("amount_paid", "Null until the payment is PAID.")

    @field("Always answerable, even when the object behind it could not be fetched.")
    @staticmethod
    def source_type(parent: strawberry.Parent[Any]) -> PaymentSourceType:
        return recognize(PaymentSourceType, parent.record.source_type)

    source_id: strawberry.ID = plain("Id of what pays.")

    @field(
        "What pays. Null, with an entry in errors, when only this fetch failed.",
        needs=source_need,
        directives=[Cost(weight="2")],
    )
    @staticmethod
    def source(parent: strawberry.Parent[Loaded[Any]]) -> PaymentSource | None:
        return parent.child(SOURCE)  # type: ignore[no-any-return]

    @field(
        "The source when it is a PaymentIntent, else null.",
        needs=payment_intent_need,
        directives=[Cost(weight="2")],
    )
    @staticmethod
    def payment_intent(parent: strawberry.Parent[Loaded[Any]]) -> PaymentIntent | None:
        return parent.child(PAYMENT_INTENT)  # type: ignore[no-any-return]

    created_at = instant_field("created", "When the payment was attached.")
    paid_at = optional_instant_field("paid_at", "Null until the payment is PAID.")
    canceled_at = optional_instant_field("canceled_at", "Null unless it was canceled.")

    @field(
        "May it be detached now, and what would follow? Computed here; costs no "
        "upstream write. Null, with an entry in errors, when it could not be computed.",
        needs=detach_preview_need,
    )
    @staticmethod
    def detach_preview(parent: strawberry.Parent[Loaded[Any]]) -> DetachPreview | None:
        return parent.child(DETACH_PREVIEW)  # type: ignore[no-any-return]
