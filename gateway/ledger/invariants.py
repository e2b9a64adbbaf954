"""What must hold of every book, after every step. The tests and the fixture loader ask.

I1 to I4 are the ones of the project's notes on Stripe; I5 (detach, then attach, returns to the
same totals) is about two steps and lives in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ledger.book import EDITABLE, Book


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant: whose, which field, and why."""

    id: str
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.id}: {self.field}: {self.reason}"


def violations(book: Book) -> Iterator[Violation]:
    """Every broken invariant of one book; none is the promise."""
    yield from _totals(book)
    yield from _status(book)
    yield from _default(book)
    yield from _links(book)


def _totals(book: Book) -> Iterator[Violation]:
    invoice = book.invoice
    for name in ("amount_due", "amount_paid", "amount_remaining", "amount_overpaid"):
        if getattr(invoice, name) < 0:
            yield Violation(invoice.id, name, "must not be below zero")
    if invoice.amount_remaining != invoice.amount_due - invoice.amount_paid:
        yield Violation(
            invoice.id,
            "amount_remaining",
            f"must be amount_due {invoice.amount_due} less amount_paid {invoice.amount_paid}, got "
            f"{invoice.amount_remaining}",
        )
    if invoice.amount_overpaid and invoice.amount_remaining:
        yield Violation(invoice.id, "amount_overpaid", "must be 0 while something remains")
    paid = sum(one.amount_paid or 0 for one in book.payments if one.status == "paid")
    if paid > book.credited:
        yield Violation(
            invoice.id,
            "amount_paid",
            f"is {book.credited} with what was overpaid, but its payments add up to {paid}",
        )


def _status(book: Book) -> Iterator[Violation]:
    invoice = book.invoice
    if invoice.status == "paid" and invoice.amount_remaining != 0:
        yield Violation(invoice.id, "status", "is paid, but something remains")
    if invoice.status in ("open", "uncollectible") and invoice.amount_remaining == 0:
        yield Violation(invoice.id, "status", f"is {invoice.status}, but nothing remains")
    if invoice.status == "draft" and (book.payments or book.credited):
        yield Violation(invoice.id, "status", "is draft, but has payments")
    if (invoice.status == "paid") != (invoice.paid_at is not None):
        yield Violation(invoice.id, "paid_at", "must be set exactly while it is paid")
    if (invoice.status == "draft") != (invoice.finalized_at is None):
        yield Violation(invoice.id, "finalized_at", "must be set once it is finalized")


def _default(book: Book) -> Iterator[Violation]:
    defaults = [one for one in book.payments if one.is_default and one.status == "open"]
    in_step = [one for one in defaults if book.intents[one.source_id].status in EDITABLE]
    if len(defaults) > 1:
        yield Violation(book.invoice.id, "payments", "at most one open default payment")
    for one in in_step:
        if book.invoice.status in ("paid", "void"):
            yield Violation(one.id, "status", f"is open on a {book.invoice.status} invoice")
        elif one.amount_requested != book.invoice.amount_remaining:
            yield Violation(
                one.id,
                "amount_requested",
                f"must be {book.invoice.amount_remaining}, as remains, got {one.amount_requested}",
            )


def _links(book: Book) -> Iterator[Violation]:
    for one in book.payments:
        if one.currency != book.invoice.currency:
            yield Violation(one.id, "currency", f"differs from {book.invoice.id}'s")
        if (one.status == "paid") != (one.amount_paid is not None):
            yield Violation(one.id, "amount_paid", "must be set exactly once it is paid")
        intent = book.intents.get(one.source_id)
        if one.source_type != "payment_intent" or intent is None:
            continue
        if intent.customer_id != book.invoice.customer_id:
            yield Violation(one.id, "payment", f"{intent.id} belongs to another customer")
        if one.status == "paid" and intent.status != "succeeded":
            yield Violation(one.id, "status", f"is paid, but {intent.id} is {intent.status}")
        if one.status == "open" and intent.status in ("succeeded", "canceled"):
            yield Violation(one.id, "status", f"is open, but {intent.id} is {intent.status}")
