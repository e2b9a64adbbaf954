"""CreditNote: what lowers an invoice's balance, or gives money back after it was paid."""

import strawberry

from schema import records
from schema.customer import LazyInvoice
from schema.enums import CreditNoteReason, CreditNoteStatus, CreditNoteType, spelling
from schema.fields import derived, described, enumerated, linked, optional, plain
from schema.money import Money, amount_field, money
from schema.node import Node, checked_id
from schema.ports import Computed, CreditNoteDraft, bad_input
from schema.scalars import DateTime, MinorUnits


@strawberry.type(description="One refund that settles part of a credit note.")
class CreditNoteRefund:
    amount_refunded: Money = described("How much of it was refunded.")
    refund_id: strawberry.ID | None = described(
        "The refund, when it was made through Stripe; else null."
    )
    payment_record_id: strawberry.ID | None = described(
        "The payment record, when the refund was made outside Stripe; else null."
    )


def _id(value: str | None) -> strawberry.ID | None:
    return strawberry.ID(value) if value else None


def _refunds(note: records.CreditNote) -> list[CreditNoteRefund]:
    return [
        CreditNoteRefund(
            amount_refunded=money(refund.amount_refunded, note.currency),
            refund_id=_id(refund.refund_id),
            payment_record_id=_id(refund.payment_record_id),
        )
        for refund in note.refunds
    ]


@strawberry.type(
    description="A credit note. Its amount first lowers the invoice's amountRemaining; the rest "
    "is refunded, credited to the customer or settled out of band."
)
class CreditNote(Node):
    number: str | None = plain("Human-readable number; null while Stripe has given none.")
    memo: str | None = plain("Text that the customer sees; null when there is none.")
    invoice_id: strawberry.ID = plain("Id of the invoice it belongs to.")
    type: CreditNoteType = enumerated(CreditNoteType, "Which part of the invoice it touched.")
    status: CreditNoteStatus = enumerated(CreditNoteStatus, "Whether it stands.")
    reason: CreditNoteReason | None = enumerated(
        CreditNoteReason, "Why it was issued; null when no reason was given."
    )
    invoice: LazyInvoice | None = linked(
        "The invoice it belongs to. Null, with an entry in errors, when only this fetch failed."
    )
    amount: Money = amount_field("The whole of it: prePaymentAmount plus postPaymentAmount.")
    pre_payment_amount: Money = amount_field(
        "The part that lowered the invoice's amountRemaining, never below 0."
    )
    post_payment_amount: Money = amount_field(
        "The rest: refunded, credited to the customer or settled out of band."
    )
    out_of_band_amount: Money | None = amount_field(
        "The part settled outside Stripe; null when there is none."
    )

    refunds: list[CreditNoteRefund] = derived(
        "The refunds that settle part of it, possibly none.", _refunds
    )
    created_at: DateTime = plain("When it was issued.", of="created")
    voided_at: DateTime | None = plain("Null unless it was voided.")


@strawberry.type(description="What a credit note would do, before it is issued.")
class CreditNotePreview:
    type: CreditNoteType = enumerated(CreditNoteType, "Which part of the invoice it would touch.")
    amount: Money = amount_field("The whole of it.")
    pre_payment_amount: Money = amount_field("The part that would lower amountRemaining.")
    post_payment_amount: Money = amount_field(
        "The rest, to be refunded, credited or settled out of band."
    )
    amount_remaining_after: Money = amount_field("What the invoice would still ask for.")


@strawberry.input(description="A credit note to be issued or previewed.")
class CreditNoteInput:
    invoice_id: strawberry.ID = described("The open or paid invoice.")
    amount_minor_units: MinorUnits = described(
        "The whole amount, in the invoice's smallest unit; above zero."
    )
    reason: CreditNoteReason | None = optional("Why; left out when none fits.")
    memo: str | None = optional("Text that the customer sees.")
    refund_minor_units: MinorUnits | None = optional(
        "How the part beyond amountRemaining is settled: given back through Stripe. "
        "The three must add up to that part."
    )
    credit_minor_units: MinorUnits | None = optional("Credited to the customer's balance.")
    out_of_band_minor_units: MinorUnits | None = optional("Settled outside Stripe.")


MEMO_LENGTH_MAX = 5000
"""Stripe's limit for a memo, in characters (OpenAPI 2026-09-30.preview)."""


def credit_note_draft(input: CreditNoteInput) -> CreditNoteDraft:
    """The command behind the input. Raises `Failed` BAD_USER_INPUT."""
    if input.memo is not None and len(input.memo) > MEMO_LENGTH_MAX:
        raise bad_input(f"memo must have at most {MEMO_LENGTH_MAX} characters")
    return CreditNoteDraft(
        invoice_id=checked_id("Invoice", input.invoice_id, "invoiceId"),
        amount=input.amount_minor_units,
        reason=None if input.reason is None else spelling(input.reason, "reason"),
        memo=input.memo or None,
        refund=input.refund_minor_units or None,
        credit=input.credit_minor_units or None,
        out_of_band=input.out_of_band_minor_units or None,
    )


def credit_note_preview(input: CreditNoteInput) -> Computed:
    """The need of a preview. Raises `Failed` BAD_USER_INPUT."""
    return Computed("credit_note_preview", credit_note_draft(input))
