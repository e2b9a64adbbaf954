"""What can be written, and what came of it. Plain."""

from __future__ import annotations

from dataclasses import dataclass

IDEMPOTENCY_KEY_LENGTH_MAX = 255
"""Stripe's own limit for an Idempotency-Key, in characters."""

METADATA_ENTRIES_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500
"""Stripe's limits. Source: https://docs.stripe.com/api/metadata, 2026-10-28.endive."""

GATEWAY_KEY = "gateway_idempotency_key"
"""The metadata by which a write of ours is recognised at Stripe: never shown to callers, and nobody
else may set it."""


@dataclass(frozen=True, slots=True)
class OutOfBandPayment:
    """The facts of a payment made elsewhere; `paid_at` in epoch seconds."""

    amount: int
    currency: str
    paid_at: int
    reference: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AttachPayment:
    """Attach exactly one of the three sources. `amount_requested` None means the whole of it."""

    invoice_id: str
    idempotency_key: str
    payment_intent_id: str | None = None
    payment_record_id: str | None = None
    out_of_band: OutOfBandPayment | None = None
    amount_requested: int | None = None


@dataclass(frozen=True, slots=True)
class DetachPayment:
    """Detach one PaymentIntent; `if_amount_paid` refuses when the invoice has moved on."""

    invoice_id: str
    payment_intent_id: str
    idempotency_key: str
    if_amount_paid: int | None = None


@dataclass(frozen=True, slots=True)
class CreditNoteDraft:
    """A credit note to be issued or previewed; amounts in the invoice's smallest unit."""

    invoice_id: str
    amount: int
    reason: str | None = None
    memo: str | None = None
    refund: int | None = None
    credit: int | None = None
    out_of_band: int | None = None


@dataclass(frozen=True, slots=True)
class CreateCreditNote:
    draft: CreditNoteDraft
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Attached:
    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Detached:
    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str
    new_default_payment_id: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CreditNoteCreated:
    invoice_id: str
    credit_note_id: str
    customer_id: str | None
    replayed: bool = False
