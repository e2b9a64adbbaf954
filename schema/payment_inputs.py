"""What the payment mutations are given, and the commands that it becomes.

A malformed input is a broken call: BAD_USER_INPUT, naming the argument.
"""

from __future__ import annotations

import strawberry

from schema.credit_note import CreditNoteInput, credit_note_draft
from schema.fields import described, optional
from schema.node import checked_id
from schema.ports import (
    GATEWAY_KEY,
    IDEMPOTENCY_KEY_LENGTH_MAX,
    METADATA_ENTRIES_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_VALUE_LENGTH_MAX,
    AttachPayment,
    CreateCreditNote,
    DetachPayment,
    OutOfBandPayment,
    bad_input,
)
from schema.scalars import CurrencyCode, DateTime, MinorUnits

REFERENCE_LENGTH_MAX = 5000
KEY = "Chosen by the caller for this one attempt; repeat it to retry. 1 to 255 characters."


@strawberry.input(description="One key and value of metadata.")
class MetadataInput:
    key: str = described("1 to 40 characters, without square brackets, and each key once.")
    value: str = described("At most 500 characters. An empty value sets nothing, as in Stripe.")


@strawberry.input(description="The facts of a payment made elsewhere.")
class OutOfBandPaymentInput:
    amount_minor_units: MinorUnits = described("What was paid; above zero.")
    currency: CurrencyCode = described("Must be the invoice's currency.")
    paid_at: DateTime = described("When it was paid; part of what a retry must repeat.")
    reference: str | None = optional("Number of the transfer, the cheque or the like.")
    metadata: list[MetadataInput] | None = optional(
        "At most 50 entries. Their order means nothing."
    )


@strawberry.input(
    one_of=True,
    description="Exactly one: an intent, a payment record already reported to Stripe, or the facts "
    "of a payment made elsewhere.",
)
class PaymentRef:
    payment_intent_id: strawberry.ID | None = optional("A PaymentIntent (pi_).", strawberry.UNSET)
    payment_record_id: strawberry.ID | None = optional(
        "A payment record (pr_) that Stripe knows already.", strawberry.UNSET
    )
    out_of_band: OutOfBandPaymentInput | None = optional(
        "A payment that Stripe is to be told about now.", strawberry.UNSET
    )


@strawberry.input(description="Attach a payment to an invoice.")
class AttachPaymentInput:
    invoice_id: strawberry.ID = described("An open or uncollectible invoice.")
    payment: PaymentRef = described("What pays.")
    amount_requested_minor_units: MinorUnits | None = optional(
        "Share of the payment to apply to this invoice; the whole of it when absent. "
        "Preview in Stripe."
    )
    idempotency_key: str = described(KEY)


@strawberry.input(description="Detach a PaymentIntent from an invoice.")
class DetachPaymentInput:
    invoice_id: strawberry.ID = described("The invoice it pays.")
    payment_intent_id: strawberry.ID = described("The intent to be freed.")
    idempotency_key: str = described(KEY)
    if_amount_paid_minor_units: MinorUnits | None = optional(
        "Refuse when the invoice moved on since the caller last read it: checked by a "
        "fresh read just before (Stripe has no conditional write)."
    )


@strawberry.input(description="Issue a credit note.")
class CreateCreditNoteInput:
    credit_note: CreditNoteInput = described("What is to be issued.")
    idempotency_key: str = described(KEY)


def checked_key(key: str) -> str:
    """Raises `Failed` BAD_USER_INPUT."""
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise bad_input(
            f"input.idempotencyKey must have 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} characters, "
            f"got {len(key)}"
        )
    if not key.isprintable():
        raise bad_input("input.idempotencyKey must be printable characters, without line breaks")
    return key


def attach_command(given: AttachPaymentInput) -> AttachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    ref = given.payment
    intent, record = ref.payment_intent_id or None, ref.payment_record_id or None
    if intent is not None:
        checked_id("PaymentIntent", intent, "input.payment.paymentIntentId")
    if record is not None:
        checked_id("PaymentRecord", record, "input.payment.paymentRecordId")
    outside = ref.out_of_band or None
    if (intent, record, outside) == (None, None, None):
        raise bad_input("input.payment must name one payment; an empty id names none")
    return AttachPayment(
        invoice_id=checked_id("Invoice", given.invoice_id, "input.invoiceId"),
        idempotency_key=checked_key(given.idempotency_key),
        payment_intent_id=intent,
        payment_record_id=record,
        out_of_band=None if outside is None else _out_of_band(outside),
        amount_requested=given.amount_requested_minor_units,
    )


def _out_of_band(given: OutOfBandPaymentInput) -> OutOfBandPayment:
    where = "input.payment.outOfBand"
    if given.reference is not None and len(given.reference) > REFERENCE_LENGTH_MAX:
        raise bad_input(f"{where}.reference must have at most {REFERENCE_LENGTH_MAX} characters")
    return OutOfBandPayment(
        amount=given.amount_minor_units,
        currency=given.currency.lower(),
        paid_at=given.paid_at,
        reference=given.reference or None,
        metadata=_metadata(given.metadata or [], f"{where}.metadata"),
    )


def _metadata(entries: list[MetadataInput], where: str) -> tuple[tuple[str, str], ...]:
    """As Stripe would keep them. Raises `Failed` BAD_USER_INPUT."""
    if len(entries) > METADATA_ENTRIES_MAX:
        raise bad_input(f"{where} must have at most {METADATA_ENTRIES_MAX} entries")
    seen: set[str] = set()
    for entry in entries:
        _check_entry(entry, where)
        if entry.key in seen:
            raise bad_input(f"{where} must have each key once, got {entry.key!r} twice")
        seen.add(entry.key)
    return tuple((entry.key, entry.value) for entry in entries if entry.value)


def _check_entry(entry: MetadataInput, where: str) -> None:
    if not 1 <= len(entry.key) <= METADATA_KEY_LENGTH_MAX:
        raise bad_input(f"{where} keys must have 1 to {METADATA_KEY_LENGTH_MAX} characters")
    if "[" in entry.key or "]" in entry.key:
        raise bad_input(
            f"{where} keys must not contain square brackets, which Stripe refuses: {entry.key!r}"
        )
    if entry.key == GATEWAY_KEY:
        raise bad_input(f"{where} must not have the key {entry.key!r}, which the gateway sets")
    if len(entry.value) > METADATA_VALUE_LENGTH_MAX:
        raise bad_input(f"{where} values must have at most {METADATA_VALUE_LENGTH_MAX} characters")


def detach_command(given: DetachPaymentInput) -> DetachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return DetachPayment(
        invoice_id=checked_id("Invoice", given.invoice_id, "input.invoiceId"),
        payment_intent_id=checked_id(
            "PaymentIntent", given.payment_intent_id, "input.paymentIntentId"
        ),
        idempotency_key=checked_key(given.idempotency_key),
        if_amount_paid=given.if_amount_paid_minor_units,
    )


def credit_note_command(given: CreateCreditNoteInput) -> CreateCreditNote:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return CreateCreditNote(
        draft=credit_note_draft(given.credit_note),
        idempotency_key=checked_key(given.idempotency_key),
    )
