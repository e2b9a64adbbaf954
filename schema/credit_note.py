"""CreditNote: what lowers an invoice's balance, or gives money back after it was paid."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from schema import records
from schema.fields import (
    field,
    instant_field,
    is_record,
    optional_instant_field,
    plain,
    recognize,
    recognized,
)
from schema.money import Money, amount_field, money, optional_amount_field
from schema.node import Node, checked_id
from schema.ports import Computed, CreditNoteDraft, Link, Loaded, bad_input
from schema.scalars import MinorUnits

if TYPE_CHECKING:
    from schema.invoice import Invoice

LazyInvoice = Annotated["Invoice", strawberry.lazy("schema.invoice")]

INVOICE = Link("invoice")


@strawberry.enum(description="Which part of the invoice a credit note touched.")
class CreditNoteType(enum.Enum):
    PRE_PAYMENT = "pre_payment"
    POST_PAYMENT = "post_payment"
    MIXED = "mixed"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Whether a credit note stands.")
class CreditNoteStatus(enum.Enum):
    ISSUED = "issued"
    VOID = "void"
    UNRECOGNIZED = "UNRECOGNIZED"


@strawberry.enum(description="Why a credit note was issued.")
class CreditNoteReason(enum.Enum):
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    ORDER_CHANGE = "order_change"
    PRODUCT_UNSATISFACTORY = "product_unsatisfactory"
    UNRECOGNIZED = "UNRECOGNIZED"


def invoice_need() -> Link:
    return INVOICE


@strawberry.type(description="One refund that settles part of a credit note.")
class CreditNoteRefund:
    amount_refunded: Money = strawberry.field(description="How much of it was refunded.")
    refund_id: strawberry.ID | None = strawberry.field(
        description="The refund, when it was made through Stripe; else null."
    )
    payment_record_id: strawberry.ID | None = strawberry.field(
        description="The payment record, when the refund was made outside Stripe; else null."
    )


@strawberry.type(
    description="A credit note. Its amount first lowers the invoice's amountRemaining; the rest "
    "is refunded, credited to the customer or settled out of band."
)
class CreditNote(Node):
    is_type_of = is_record(records.CreditNote)

    number: str | None = plain("Human-readable number; null while Stripe has given none.")

    @field("Which part of the invoice it touched.")
    @staticmethod
    def type(parent: strawberry.Parent[Any]) -> CreditNoteType:
        return recognize(CreditNoteType, parent.record.type)

    @field("Whether it stands.")
    @staticmethod
    def status(parent: strawberry.Parent[Any]) -> CreditNoteStatus:
        return recognize(CreditNoteStatus, parent.record.status)

    @field("Why it was issued; null when no reason was given.")
    @staticmethod
    def reason(parent: strawberry.Parent[Any]) -> CreditNoteReason | None:
        raw = parent.record.reason
        return None if raw is None else recognize(CreditNoteReason, raw)

    memo: str | None = plain("Text that the customer sees; null when there is none.")

    @field(
        "The invoice it belongs to. Null, with an entry in errors, when only this fetch failed.",
        needs=invoice_need,
    )
    @staticmethod
    def invoice(parent: strawberry.Parent[Loaded[Any]]) -> LazyInvoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    invoice_id: strawberry.ID = plain("Id of the invoice it belongs to.")
    amount = amount_field("amount", "The whole of it: prePaymentAmount plus postPaymentAmount.")
    pre_payment_amount = amount_field(
        "pre_payment_amount", "The part that lowered the invoice's amountRemaining, never below 0."
    )
    post_payment_amount = amount_field(
        "post_payment_amount",
        "The rest: refunded, credited to the customer or settled out of band.",
    )
    out_of_band_amount = optional_amount_field(
        "out_of_band_amount", "The part settled outside Stripe; null when there is none."
    )

    @field("The refunds that settle part of it, possibly none.")
    @staticmethod
    def refunds(parent: strawberry.Parent[Any]) -> list[CreditNoteRefund]:
        record: records.CreditNote = parent.record
        return [
            CreditNoteRefund(
                amount_refunded=money(refund.amount_refunded, record.currency),
                refund_id=strawberry.ID(refund.refund_id) if refund.refund_id else None,
                payment_record_id=(
                    strawberry.ID(refund.payment_record_id) if refund.payment_record_id else None
                ),
            )
            for refund in record.refunds
        ]

    created_at = instant_field("created", "When it was issued.")
    voided_at = optional_instant_field("voided_at", "Null unless it was voided.")


@strawberry.type(description="What a credit note would do, before it is issued.")
class CreditNotePreview:
    @field("Which part of the invoice it would touch.")
    @staticmethod
    def type(parent: strawberry.Parent[Any]) -> CreditNoteType:
        return recognize(CreditNoteType, parent.record.type)

    amount = amount_field("amount", "The whole of it.")
    pre_payment_amount = amount_field(
        "pre_payment_amount", "The part that would lower amountRemaining."
    )
    post_payment_amount = amount_field(
        "post_payment_amount", "The rest, to be refunded, credited or settled out of band."
    )
    amount_remaining_after = amount_field(
        "amount_remaining_after", "What the invoice would still ask for."
    )


@strawberry.input(description="A credit note to be issued or previewed.")
class CreditNoteInput:
    invoice_id: strawberry.ID = strawberry.field(description="The open or paid invoice.")
    amount_minor_units: MinorUnits = strawberry.field(
        description="The whole amount, in the invoice's smallest unit; above zero."
    )
    reason: CreditNoteReason | None = strawberry.field(
        default=None, description="Why; left out when none fits."
    )
    memo: str | None = strawberry.field(default=None, description="Text that the customer sees.")
    refund_minor_units: MinorUnits | None = strawberry.field(
        default=None,
        description="How the part beyond amountRemaining is settled: given back through Stripe. "
        "The three must add up to that part.",
    )
    credit_minor_units: MinorUnits | None = strawberry.field(
        default=None, description="Credited to the customer's balance."
    )
    out_of_band_minor_units: MinorUnits | None = strawberry.field(
        default=None, description="Settled outside Stripe."
    )


MEMO_LENGTH_MAX = 5000
"""Stripe's limit for a memo, in characters (OpenAPI 2026-09-30.preview)."""


def credit_note_draft(input: CreditNoteInput) -> CreditNoteDraft:
    """The command behind the input. Raises `Failed` BAD_USER_INPUT."""
    if input.memo is not None and len(input.memo) > MEMO_LENGTH_MAX:
        raise bad_input(f"memo must have at most {MEMO_LENGTH_MAX} characters")
    return CreditNoteDraft(
        invoice_id=checked_id("Invoice", input.invoice_id, "invoiceId"),
        amount=input.amount_minor_units,
        reason=None if input.reason is None else recognized(input.reason, "reason"),
        memo=input.memo or None,
        refund=input.refund_minor_units or None,
        credit=input.credit_minor_units or None,
        out_of_band=input.out_of_band_minor_units or None,
    )


def credit_note_preview_need(input: CreditNoteInput) -> Computed:
    return Computed("credit_note_preview", credit_note_draft(input))
