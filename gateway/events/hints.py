"""What is taken from a Stripe event: the ids it names, and what its type says; nothing else of it.

Source of the event names: https://docs.stripe.com/api/events/types, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schema.ports import EventType


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


TYPES: dict[str, EventType] = {
    "invoice_payment.paid": EventType.PAID,
    "invoice_payment.detached": EventType.DETACHED,
    "invoice.overpaid": EventType.OVERPAID,
    "invoice.payment.overpaid": EventType.OVERPAID,
    "payment_intent.canceled": EventType.CANCELED,
}
CHANGED_PREFIXES = ("invoice.", "credit_note.")
INTENT_PREFIX = "payment_intent."
CUSTOMER_TYPES = frozenset({"customer.created", "customer.updated", "customer.deleted"})
"""Of `customer.*` only these are about the customer itself; the others tell of subscriptions,
sources, discounts and tax ids, none of which is shown."""
UNFOLLOWED = frozenset({"invoice.upcoming"})
"""Has no invoice yet."""
TURNED_ONCE = {EventType.PAID.value: "paid_at", EventType.CANCELED.value: "canceled_at"}
"""States that one payment enters once, whatever number of events say so, and where it says when."""


def event_type(raw_type: str) -> EventType | None:
    """Our type for Stripe's spelling, read as a plain string; None for what is not followed."""
    if raw_type in UNFOLLOWED:
        return None
    if raw_type in TYPES:
        return TYPES[raw_type]
    return EventType.INVOICE_CHANGED if raw_type.startswith(CHANGED_PREFIXES) else None


def drops_by_itself(raw_type: str) -> bool:
    """Whether it drops what is cached also where it becomes no entry: after it nobody may be shown
    the intent or the customer as it was."""
    return raw_type.startswith(INTENT_PREFIX) or raw_type in CUSTOMER_TYPES


def is_followed(raw_type: str) -> bool:
    """Whether the intake does anything about it."""
    return event_type(raw_type) is not None or drops_by_itself(raw_type)
