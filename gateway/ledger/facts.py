"""What Stripe would announce about a change: derived from the book before and after it.

Deriving events from the difference, in one place, means that no rule can forget to announce.
Order within one change is by object, as Stripe promises none.
Source: https://docs.stripe.com/api/events/types, 2026-10-28.endive; `invoice_payment.detached` and
`invoice.payment.overpaid` are 2026-01-28.preview. `invoice_payment.open` and `.canceled` are in
stripe-python 16.1.0 as thin events alone; that the first is about every invoice payment that comes
to be, paid at once or not, is our reading of its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from gateway.ledger.book import Book
from schema.records import CreditNote, Invoice, InvoicePayment, PaymentIntent


@dataclass(frozen=True, slots=True)
class Fact:
    """One event to be: its type, the object as it is now, and what an update changed."""

    type: str
    object: Invoice | InvoicePayment | PaymentIntent | CreditNote
    previous: tuple[tuple[str, Any], ...] = ()


NO_SNAPSHOT = frozenset({"invoice_payment.open", "invoice_payment.canceled"})
"""Facts that Stripe tells by thin events alone."""
NO_THIN = frozenset({"invoice_payment.detached", "invoice.payment.overpaid"})
"""Facts that Stripe tells by snapshot events alone, and to preview versions."""

INTENT_EVENTS = {
    "requires_action": "payment_intent.requires_action",
    "processing": "payment_intent.processing",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
    "requires_payment_method": "payment_intent.payment_failed",
}
STATUS_EVENTS = {
    "paid": "invoice.paid",
    "void": "invoice.voided",
    "uncollectible": "invoice.marked_uncollectible",
}


def facts(before: Book, after: Book) -> list[Fact]:
    """Everything to be announced about the step from one book to the other."""
    return [
        *_intents(before, after),
        *_payments(before, after),
        *_invoice(before.invoice, after.invoice),
    ]


def intent_fact(before: PaymentIntent | None, after: PaymentIntent) -> Fact | None:
    """What to announce about one intent, if anything."""
    if before is None:
        return Fact("payment_intent.created", after)
    if before.status == after.status or after.status not in INTENT_EVENTS:
        return None
    return Fact(INTENT_EVENTS[after.status], after)


def _intents(before: Book, after: Book) -> Iterator[Fact]:
    defaults = {one.source_id for one in after.payments if one.is_default}
    for intent_id, intent in after.intents.items():
        known = before.intents.get(intent_id)
        if known is not None or intent_id in defaults:
            fact = intent_fact(known, intent)
            if fact is not None:
                yield fact


def _payments(before: Book, after: Book) -> Iterator[Fact]:
    was = {one.id: one for one in before.payments}
    is_overpaying = after.invoice.amount_overpaid > before.invoice.amount_overpaid
    for payment in after.payments:
        known = was.pop(payment.id, None)
        if known is None:
            yield Fact("invoice_payment.open", payment)
        elif payment.status == "canceled" and known.status != "canceled":
            yield Fact("invoice_payment.canceled", payment)
        if payment.status == "paid" and (known is None or known.status != "paid"):
            yield Fact("invoice_payment.paid", payment)
            if is_overpaying and before.invoice.status == "paid":
                yield Fact("invoice.payment.overpaid", payment)
    for gone in was.values():
        yield Fact("invoice_payment.detached", gone)


def _invoice(before: Invoice, after: Invoice) -> Iterator[Fact]:
    previous = previous_attributes(before, after)
    if not previous:
        return
    if before.status == "draft" and after.status != "draft":
        yield Fact("invoice.finalized", after)
    if before.status != after.status and after.status in STATUS_EVENTS:
        yield Fact(STATUS_EVENTS[after.status], after)
        if after.status == "paid" and after.amount_overpaid > 0:
            yield Fact("invoice.overpaid", after)
    yield Fact("invoice.updated", after, previous)


def previous_attributes(before: Invoice, after: Invoice) -> tuple[tuple[str, Any], ...]:
    """What was there before, for each attribute that changed."""
    pairs = zip(_ATTRIBUTES, _all_of(before), _all_of(after), strict=True)
    return tuple((name, old) for name, old, new in pairs if new != old)


_ATTRIBUTES = tuple(one.name for one in fields(Invoice))
_all_of = attrgetter(*_ATTRIBUTES)
