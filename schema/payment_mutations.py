"""Attach, detach, reallocate, credit and void: for each its input, its command and its payload.

A malformed input is a broken call: BAD_USER_INPUT, naming the argument.
"""

import enum

import strawberry

from schema.credit_note import CreditNote, CreditNoteInput, credit_note_draft
from schema.fields import derived, described, linked, optional, plain
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment, PaymentIntent
from schema.node import checked_id, optional_id
from schema.payloads import ERRORS, REPLAYED, PaymentError, written
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
    Placed,
    ReallocatePayment,
    VoidCreditNote,
    bad_input,
)
from schema.scalars import CurrencyCode, DateTime, MinorUnits

REFERENCE_LENGTH_MAX = 5000
KEY = "Chosen by the caller for this one attempt; repeat it to retry. 1 to 255 characters."


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


def attach_command(input: AttachPaymentInput) -> AttachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    ref, at = input.payment, "input.payment"
    intent = optional_id("PaymentIntent", ref.payment_intent_id or None, f"{at}.paymentIntentId")
    record = optional_id("PaymentRecord", ref.payment_record_id or None, f"{at}.paymentRecordId")
    outside = ref.out_of_band or None
    if (intent, record, outside) == (None, None, None):
        raise bad_input(f"{at} must name one payment; an empty id names none")
    return AttachPayment(
        invoice_id=checked_id("Invoice", input.invoice_id, "input.invoiceId"),
        idempotency_key=checked_key(input.idempotency_key),
        payment_intent_id=intent,
        payment_record_id=record,
        out_of_band=None if outside is None else _out_of_band(outside),
        amount_requested=input.amount_requested_minor_units,
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


@strawberry.type(description="What attaching did.")
class AttachPaymentPayload:
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    invoice: Invoice | None = linked("The invoice after the change; null on refusal.")
    invoice_payment: InvoicePayment | None = linked(
        "The new link; null on refusal, or once it is detached again."
    )


@strawberry.input(description="Detach a PaymentIntent from an invoice.")
class DetachPaymentInput:
    invoice_id: strawberry.ID = described("The invoice it pays.")
    payment_intent_id: strawberry.ID = described("The intent to be freed.")
    idempotency_key: str = described(KEY)
    if_amount_paid_minor_units: MinorUnits | None = optional(
        "Refuse when the invoice moved on since the caller last read it: checked by a "
        "fresh read just before (Stripe has no conditional write)."
    )


def detach_command(input: DetachPaymentInput) -> DetachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return DetachPayment(
        invoice_id=checked_id("Invoice", input.invoice_id, "input.invoiceId"),
        payment_intent_id=checked_id(
            "PaymentIntent", input.payment_intent_id, "input.paymentIntentId"
        ),
        idempotency_key=checked_key(input.idempotency_key),
        if_amount_paid=input.if_amount_paid_minor_units,
    )


@strawberry.type(description="What detaching did.")
class DetachPaymentPayload:
    detached_invoice_payment_id: strawberry.ID | None = derived(
        "Id of the link that is gone; null on refusal.",
        lambda payload: payload.done and payload.done.invoice_payment_id,
    )
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    invoice: Invoice | None = linked(
        "The invoice after the change: reopened where a balance came back."
    )
    payment_intent: PaymentIntent | None = linked("The freed intent, ready for another invoice.")
    new_default_payment: InvoicePayment | None = linked(
        "The default payment that took over the reopened balance, where there is one."
    )


@strawberry.input(description="Issue a credit note.")
class CreateCreditNoteInput:
    credit_note: CreditNoteInput = described("What is to be issued.")
    idempotency_key: str = described(KEY)


def credit_note_command(input: CreateCreditNoteInput) -> CreateCreditNote:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return CreateCreditNote(
        draft=credit_note_draft(input.credit_note),
        idempotency_key=checked_key(input.idempotency_key),
    )


@strawberry.type(description="What issuing a credit note did.")
class CreateCreditNotePayload:
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    credit_note: CreditNote | None = linked("The credit note; null on refusal.")
    invoice: Invoice | None = linked("The invoice after the change; null on refusal.")


@strawberry.input(description="Take a credit note back.")
class VoidCreditNoteInput:
    invoice_id: strawberry.ID = described("The open invoice whose balance the note lowered.")
    credit_note_id: strawberry.ID = described("The note to be voided.")
    idempotency_key: str = described(KEY)


def void_command(input: VoidCreditNoteInput) -> VoidCreditNote:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return VoidCreditNote(
        invoice_id=checked_id("Invoice", input.invoice_id, "input.invoiceId"),
        credit_note_id=checked_id("CreditNote", input.credit_note_id, "input.creditNoteId"),
        idempotency_key=checked_key(input.idempotency_key),
    )


@strawberry.type(description="What voiding a credit note did.")
class VoidCreditNotePayload:
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    credit_note: CreditNote | None = linked("The voided credit note; null on refusal.")
    invoice: Invoice | None = linked(
        "The invoice after the change, which asks again for what the note took off; null on "
        "refusal."
    )


@strawberry.input(description="Move a PaymentIntent from one invoice to another.")
class ReallocatePaymentInput:
    payment_intent_id: strawberry.ID = described("The intent that pays the wrong invoice.")
    from_invoice_id: strawberry.ID = described("The invoice that it pays.")
    to_invoice_id: strawberry.ID = described(
        "The open or uncollectible invoice that it is to pay, of the same customer."
    )
    amount_requested_minor_units: MinorUnits | None = optional(
        "Share of the payment to apply to the other invoice; the whole of it when absent. "
        "Preview in Stripe."
    )
    if_from_amount_paid_minor_units: MinorUnits | None = optional(
        "Refuse when fromInvoiceId moved on since the caller last read it: checked by a "
        "fresh read just before (Stripe has no conditional write)."
    )
    idempotency_key: str = described(KEY)


def reallocate_command(input: ReallocatePaymentInput) -> ReallocatePayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return ReallocatePayment(
        payment_intent_id=checked_id(
            "PaymentIntent", input.payment_intent_id, "input.paymentIntentId"
        ),
        from_invoice_id=checked_id("Invoice", input.from_invoice_id, "input.fromInvoiceId"),
        to_invoice_id=checked_id("Invoice", input.to_invoice_id, "input.toInvoiceId"),
        idempotency_key=checked_key(input.idempotency_key),
        amount_requested=input.amount_requested_minor_units,
        if_from_amount_paid=input.if_from_amount_paid_minor_units,
    )


@strawberry.enum(description="Where a payment is that was to be moved to another invoice.")
class ReallocationOutcome(enum.Enum):
    DONE = strawberry.enum_value(Placed.DONE.value, description="It pays toInvoiceId.")
    PUT_BACK = strawberry.enum_value(
        Placed.PUT_BACK.value,
        description="It pays fromInvoiceId again: the other invoice changed meanwhile, and would "
        "not take it any more. `errors` says why.",
    )
    FREE = strawberry.enum_value(
        Placed.FREE.value,
        description="It pays neither: both invoices changed meanwhile. `errors` says why. Attach "
        "it to an open invoice with attachPayment, or give the money back.",
    )


@strawberry.type(description="What moving a payment did.")
class ReallocatePaymentPayload:
    outcome: ReallocationOutcome | None = derived(
        "Where the payment is now; null when it was refused, and nothing was changed.",
        lambda payload: payload.done and payload.done.placed.value,
    )
    detached_invoice_payment_id: strawberry.ID | None = derived(
        "Id of fromInvoiceId's link that is gone; null on refusal.",
        lambda payload: payload.done and payload.done.detached_payment_id,
    )
    errors: list[PaymentError] = plain(
        "Why nothing was done, or why the payment was put back or is free; empty when it is DONE."
    )
    replayed: bool = plain(REPLAYED)
    from_invoice: Invoice | None = linked(
        "The invoice that was left, after the change; null on refusal."
    )
    to_invoice: Invoice | None = linked("The other invoice after the change; null on refusal.")
    invoice_payment: InvoicePayment | None = linked(
        "The new link: to toInvoiceId when DONE, to fromInvoiceId when PUT_BACK. Null when FREE, "
        "on refusal, or once it is detached again."
    )
    payment_intent: PaymentIntent | None = linked("The intent that was moved; null on refusal.")


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    attach_payment: AttachPaymentPayload | None = written(
        "Attach a payment to an open invoice. It counts at once if it has already succeeded.",
        attach_command,
    )
    detach_payment: DetachPaymentPayload | None = written(
        "Free a PaymentIntent from an invoice. A paid invoice reopens when a balance comes back.",
        detach_command,
    )
    reallocate_payment: ReallocatePaymentPayload | None = written(
        "Move a PaymentIntent from one invoice to another, as one write: all rules of detaching "
        "and attaching are checked before anything is changed, and whatever happens then it ends "
        "on the other invoice, or back on the first one. Needs the capabilities DETACH and "
        "ATTACH_PAYMENT_INTENT. Its events are DETACHED and then ATTACHED, both with its "
        "idempotencyKey.",
        reallocate_command,
    )
    create_credit_note: CreateCreditNotePayload | None = written(
        "Issue a credit note: it first lowers what is still asked for, the rest is "
        "settled as the input says.",
        credit_note_command,
    )
    void_credit_note: VoidCreditNotePayload | None = written(
        "Void a credit note that lowered what an open invoice asks for. What a note gave back "
        "after payment cannot be taken back.",
        void_command,
    )
