"""What can be written, what came of it, and the port that does it. Plain."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from schema.ports.events import EventType
from schema.ports.viewer import Meter, Viewer

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

    operation: ClassVar = "attach"
    scope: ClassVar = "payments:write"
    event_type: ClassVar = EventType.ATTACHED
    raw_type: ClassVar = "gateway.invoice_payment.attached"
    told_by: ClassVar = "invoice_payments"

    invoice_id: str
    idempotency_key: str
    payment_intent_id: str | None = None
    payment_record_id: str | None = None
    out_of_band: OutOfBandPayment | None = None
    amount_requested: int | None = None

    def outcome(self, told_by: str, customer_id: str | None) -> Attached:
        return Attached(self.invoice_id, told_by, customer_id, self.payment_intent_id)


@dataclass(frozen=True, slots=True)
class DetachPayment:
    """Detach one PaymentIntent; `if_amount_paid` refuses when the invoice has moved on."""

    operation: ClassVar = "detach"
    scope: ClassVar = "payments:write"
    event_type: ClassVar = EventType.DETACHED
    raw_type: ClassVar = "gateway.invoice_payment.detached"
    told_by: ClassVar = "invoice_payments"

    invoice_id: str
    payment_intent_id: str
    idempotency_key: str
    if_amount_paid: int | None = None

    def outcome(self, told_by: str, customer_id: str | None) -> Detached:
        return Detached(self.invoice_id, told_by, customer_id, self.payment_intent_id)


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
    """Issue a credit note."""

    operation: ClassVar = "credit_note"
    scope: ClassVar = "credit_notes:write"
    event_type: ClassVar = EventType.INVOICE_CHANGED
    raw_type: ClassVar = "gateway.credit_note.created"
    told_by: ClassVar = "credit_notes"

    draft: CreditNoteDraft
    idempotency_key: str

    @property
    def invoice_id(self) -> str:
        return self.draft.invoice_id

    def outcome(self, told_by: str, customer_id: str | None) -> CreditNoteCreated:
        return CreditNoteCreated(self.invoice_id, told_by, customer_id)


@dataclass(frozen=True, slots=True)
class VoidCreditNote:
    """Take a credit note of this invoice back."""

    operation: ClassVar = "void_credit_note"
    scope: ClassVar = "credit_notes:write"
    event_type: ClassVar = EventType.INVOICE_CHANGED
    raw_type: ClassVar = "gateway.credit_note.voided"
    told_by: ClassVar = "credit_notes"

    invoice_id: str
    credit_note_id: str
    idempotency_key: str

    def outcome(self, told_by: str, customer_id: str | None) -> CreditNoteVoided:
        return CreditNoteVoided(self.invoice_id, told_by, customer_id)


@dataclass(frozen=True, slots=True)
class ReallocatePayment:
    """Take one PaymentIntent off an invoice and put it on another, as one write. It is done in
    steps, which are writes themselves: `detaching`, then `attaching` to either invoice.

    `if_from_amount_paid` refuses when the invoice that is left has moved on; `amount_requested` is
    the share for the other one, None the whole.
    """

    operation: ClassVar = "reallocate"
    scope: ClassVar = "payments:write"
    event_type: ClassVar = None
    """Its steps are announced."""
    raw_type: ClassVar = None
    told_by: ClassVar = "invoice_payments"

    payment_intent_id: str
    from_invoice_id: str
    to_invoice_id: str
    idempotency_key: str
    amount_requested: int | None = None
    if_from_amount_paid: int | None = None

    @property
    def invoice_id(self) -> str:
        return self.from_invoice_id

    def detaching(self) -> DetachPayment:
        return DetachPayment(
            self.from_invoice_id,
            self.payment_intent_id,
            self.idempotency_key,
            self.if_from_amount_paid,
        )

    def attaching(self) -> AttachPayment:
        return self._attach(self.to_invoice_id, self.amount_requested)

    def putting_back(self, share: int | None) -> AttachPayment:
        """With the share that it had; None: it was the whole."""
        return self._attach(self.from_invoice_id, share)

    def outcome(self, told_by: str, customer_id: str | None) -> Reallocated:
        raise AssertionError("what can be decided is one of its steps")

    def _attach(self, invoice_id: str, amount_requested: int | None) -> AttachPayment:
        return AttachPayment(
            invoice_id,
            self.idempotency_key,
            payment_intent_id=self.payment_intent_id,
            amount_requested=amount_requested,
        )


Step = AttachPayment | DetachPayment | CreateCreditNote | VoidCreditNote
"""A write that a supplier does, which changes one invoice."""

Command = Step | ReallocatePayment
"""A write that a caller asks for. What belongs to it stands on its class, so that whoever is on
its way need not know which one it is: the name of its operation in keys and records, the scope it
needs, how it is announced once it is done, which objects tell of it, and what came of it by one."""


@dataclass(frozen=True, slots=True)
class Attached:
    """What came of attaching."""

    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str | None
    replayed: bool = False
    known: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Detached:
    """What came of detaching."""

    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str
    new_default_payment_id: str | None = None
    replayed: bool = False
    known: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CreditNoteCreated:
    """What came of issuing a credit note."""

    invoice_id: str
    credit_note_id: str
    customer_id: str | None
    replayed: bool = False
    known: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CreditNoteVoided:
    """What came of voiding a credit note."""

    invoice_id: str
    credit_note_id: str
    customer_id: str | None
    replayed: bool = False
    known: object = field(default=None, compare=False, repr=False)


class Placed(enum.StrEnum):
    """Where a payment is after it was to be moved to another invoice."""

    DONE = "DONE"
    """On the other invoice."""
    PUT_BACK = "PUT_BACK"
    """On the first one again, as the other would not take it."""
    FREE = "FREE"
    """On neither of them: both would not take it."""


@dataclass(frozen=True, slots=True)
class Why:
    """A refusal that is part of an outcome, and kept with it. See `schema.ports.Refused`."""

    code: str
    rule: str
    message: str
    invoice_id: str | None = None
    stripe_code: str | None = None
    stripe_request_id: str | None = None
    doc_url: str | None = None


@dataclass(frozen=True, slots=True)
class Reallocated:
    """What came of moving a payment: which payment of the first invoice is gone, and the one that
    is there now, on either invoice; None where it is free. `why` it was not done."""

    from_invoice_id: str
    to_invoice_id: str
    detached_payment_id: str
    customer_id: str | None
    payment_intent_id: str
    placed: Placed = Placed.DONE
    invoice_payment_id: str | None = None
    why: Why | None = None
    replayed: bool = False
    known: object = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.placed) is not Placed:
            object.__setattr__(self, "placed", Placed(self.placed))  # as a store gives it back

    @property
    def invoice_id(self) -> str:
        return self.from_invoice_id


Outcome = Attached | Detached | CreditNoteCreated | CreditNoteVoided | Reallocated
"""What came of a command. `replayed`: an earlier call with the same key had done it already.
`known` is what the supplier's own answer held, for the load that follows; only it reads that."""


class Writes(Protocol):
    """What callers change. What belongs to another customer is NOT_FOUND, as for reads."""

    async def write(self, viewer: Viewer, command: Command, meter: Meter) -> Outcome:
        """Do it once.

        Raises `Refused`. Writes on one invoice end as some serial order of them. A repeat with
        the same key and input answers the first outcome with `replayed`, and changes nothing;
        with other input it is refused with IDEMPOTENCY_KEY_REUSED. A payment that is attached
        counts at once if it has already succeeded; a paid invoice reopens if detaching brings a
        balance back; a credit note first lowers the balance, the rest is settled as asked; voiding
        it brings back what it took off an open invoice.

        A payment that is moved to another invoice is checked against all rules of both before
        anything is sent. Once it is off the first invoice it ends on the other, or, where that
        will not take it any more, on the first again; where neither does it is free, and the
        outcome says so.
        """
        ...
