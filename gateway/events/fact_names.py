"""The names of a fact, by which the log knows it, whoever tells of it and in which order: Stripe's
snapshot event, its thin event, the announcement of our own write, and catch-up.

Pure functions of ids; what an entry is named by is nowhere else decided.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.events.hints import ENTERED_ONCE, TURNED_ONCE, Hint
from schema.ports import EventType
from schema.records import InvoicePayment


def event_name(event_id: str) -> str:
    return f"event:{event_id}"


def event_names(hint: Hint) -> tuple[str, ...]:
    """A snapshot event has one; a thin event that of the snapshot event about its fact, too."""
    ids = (hint.event_id, hint.snapshot_event_id)
    return tuple(event_name(one) for one in ids if one is not None)


def names_at_first(hint: Hint, kind: EventType) -> tuple[str, ...]:
    """Those that can be told before anything is read. An intent is canceled once, which two of
    Stripe's events tell of, perhaps without a word of each other."""
    intent_id, names = hint.payment_intent_id, event_names(hint)
    if kind is EventType.CANCELED and hint.invoice_payment_id is None and intent_id is not None:
        names += (state_name(kind, intent_id),)
    return names + names_of_payment(hint, kind)


def names_of_payment(hint: Hint, kind: EventType) -> tuple[str, ...]:
    """Those by a payment and what it has entered. A request may open other payments than the one it
    attached, such as the default: which of them is its twin only the payment tells."""
    payment_id, names = hint.invoice_payment_id, tuple[str, ...]()
    if payment_id is None:
        return names
    if hint.request_key is not None and kind is not EventType.ATTACHED:
        names = twin_names(kind, payment_id, hint.request_key)
    return (*names, state_name(kind, payment_id)) if kind.value in ENTERED_ONCE else names


def state_name(kind: EventType, object_id: str) -> str:
    """A payment is attached, paid and canceled once, and an intent canceled."""
    return f"state:{kind.value}:{object_id}"


def turn_name(hint: Hint, kind: EventType, payments: Mapping[str, InvoicePayment]) -> str:
    """The state and when it was entered, which is the name that the releases before have given. A
    payment that is gone, or has yet to turn at Stripe, cannot say when; the event's own second is
    the best that is known."""
    payment_id = hint.invoice_payment_id or ""
    turned_at = getattr(payments.get(payment_id), TURNED_ONCE[kind.value], None)
    return f"{state_name(kind, payment_id)}:{turned_at or hint.created}"


def twin_names(kind: EventType, invoice_payment_id: str | None, stripe_key: str) -> tuple[str, ...]:
    """The announcement of a write and Stripe's own event about it carry these same names.

    One request attaches or detaches one payment, so that its key is enough; other types it may
    cause several times. The name with the payment is also what the releases before have given.
    """
    with_payment = f"twin:{kind.value}:{invoice_payment_id}:{stripe_key}"
    if kind in (EventType.ATTACHED, EventType.DETACHED):
        return (f"twin:{kind.value}:{stripe_key}", with_payment)
    return (with_payment,)
