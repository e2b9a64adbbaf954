"""What is taken from a Stripe event: the ids it names, and what its type says; nothing else of it.

A thin event's type is that of the snapshot event about the same fact, with `v1.` before it; of
invoice payments there are some that only thin events tell.
Source of the event names: https://docs.stripe.com/api/events/types and the SDK's `stripe.events`
(16.1.0), 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from schema.ports import EventType

THIN_PREFIX = "v1."


class Related(NamedTuple):
    """An object of one invoice, which does not change: `kind` is Stripe's word for it."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What a Stripe event says by its ids alone; `request_key` is event.request.idempotency_key."""

    event_id: str
    type: str
    created: int
    account: str
    livemode: bool
    invoice_id: str | None = None
    invoice_payment_id: str | None = None
    payment_intent_id: str | None = None
    customer_id: str | None = None
    """The customer that the event names: by it is dropped; whose an invoice is, is looked up."""
    request_key: str | None = field(default=None, repr=False)
    credit_note_id: str | None = None
    snapshot_event_id: str | None = None
    """The snapshot event about the same fact, where a thin event names it."""
    is_snapshot_unsaid: bool | None = None
    """True of a thin event that does not say whether there is a snapshot event; else None."""

    @property
    def is_thin(self) -> bool:
        return self.type.startswith(THIN_PREFIX)

    @property
    def related(self) -> Related | None:
        """The object that tells the invoice, where none is named."""
        if self.invoice_payment_id is not None:
            return Related("invoice_payment", self.invoice_payment_id)
        if self.credit_note_id is not None:
            return Related("credit_note", self.credit_note_id)
        return None

    @property
    def gathered_by(self) -> str | None:
        """The invoice, or else the object that tells it; None for what is about neither."""
        related = self.related
        return self.invoice_id or (None if related is None else related.id)


TYPES: dict[str, EventType] = {
    "invoice_payment.paid": EventType.PAID,
    "invoice_payment.detached": EventType.DETACHED,
    "invoice.overpaid": EventType.OVERPAID,
    "invoice.payment.overpaid": EventType.OVERPAID,
    "payment_intent.canceled": EventType.CANCELED,
}
THIN_TYPES: dict[str, EventType] = {
    "v1.invoice_payment.open": EventType.ATTACHED,
    "v1.invoice_payment.canceled": EventType.CANCELED,
}
"""What only thin events tell. That attaching opens a payment is our reading of the name."""
THIN_PAYMENT_PREFIX = "v1.invoice_payment."
CHANGED_PREFIXES = ("invoice.", "credit_note.")
INTENT_PREFIX = "payment_intent."
CUSTOMER_TYPES = frozenset({"customer.created", "customer.updated", "customer.deleted"})
"""Of `customer.*` only these are about the customer itself; the others tell of subscriptions,
sources, discounts and tax ids, none of which is shown."""
UNFOLLOWED = frozenset({"invoice.upcoming"})
"""Has no invoice yet."""
TURNED_ONCE = {EventType.PAID.value: "paid_at", EventType.CANCELED.value: "canceled_at"}
"""States that one payment enters once, whatever number of events say so, and where it says when."""
ENTERED_ONCE = frozenset({EventType.ATTACHED.value, *TURNED_ONCE})
"""The same, and that it was attached, of which a payment does not say when."""


def event_type(raw_type: str) -> EventType | None:
    """Our type for Stripe's spelling, read as a plain string; None for what is not followed. An
    opened payment is taken for an attached one until it is known to be the invoice's default."""
    if raw_type in THIN_TYPES:
        return THIN_TYPES[raw_type]
    name = snapshot_name(raw_type)
    if name in UNFOLLOWED:
        return None
    if name in TYPES:
        return TYPES[name]
    is_change = name.startswith(CHANGED_PREFIXES) or raw_type.startswith(THIN_PAYMENT_PREFIX)
    return EventType.INVOICE_CHANGED if is_change else None


def snapshot_name(raw_type: str) -> str:
    """The type as a snapshot event about the same fact has it."""
    return raw_type.removeprefix(THIN_PREFIX)


def has_only_thin(raw_type: str) -> bool:
    """Whether no snapshot event tells the same."""
    is_of_payment = raw_type.startswith(THIN_PAYMENT_PREFIX)
    return is_of_payment and snapshot_name(raw_type) not in TYPES


def drops_by_itself(raw_type: str) -> bool:
    """Whether it drops what is cached also where it becomes no entry: after it nobody may be shown
    the intent or the customer as it was."""
    name = snapshot_name(raw_type)
    return name.startswith(INTENT_PREFIX) or name in CUSTOMER_TYPES


def is_followed(raw_type: str) -> bool:
    """Whether the intake does anything about it."""
    return event_type(raw_type) is not None or drops_by_itself(raw_type)
