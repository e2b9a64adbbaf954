"""A detach preview against the detach itself, on a copy of the account."""

from __future__ import annotations

import pytest

from gateway.backends.memory.twin import Twin
from gateway.ledger import payments
from gateway.ledger.book import Book
from schema.ports import Refused
from schema.records import CreditNote, CreditNoteRefund, InvoicePayment
from tests.ledger.builders import counting_seconds


def check_preview(book: Book, payment: InvoicePayment) -> None:
    """Detach on a copy what was previewed: it must end as foretold."""
    preview = payments.detach_preview(book, payment)
    if payment.source_type != "payment_intent":
        assert preview.blocked_by == ("UNSUPPORTED_BY_BACKEND",)
        return
    if payment.status == "canceled":
        assert "PAYMENT_NOT_ATTACHED" in preview.blocked_by
        return
    copy = copy_of(book)
    if not preview.allowed:
        with pytest.raises(Refused) as caught:
            copy.detach(book.invoice.id, payment.source_id)
        assert preview.blocked_by[0] == caught.value.code
        return

    _, fresh = copy.detach(book.invoice.id, payment.source_id)

    after = copy.invoice(book.invoice.id)
    assert preview.status_after == after.status
    assert preview.amount_remaining_after == after.amount_remaining
    assert preview.creates_default_payment_intent == (fresh is not None)


def copy_of(book: Book) -> Twin:
    """An account that holds this one invoice and what belongs to it."""
    copy = Twin(now=counting_seconds(), new_id=lambda prefix: f"{prefix}_copy")
    copy.invoices.put(book.invoice)
    for payment in book.payments:
        copy.invoice_payments.put(payment)
    for intent in book.intents.values():
        copy.payment_intents.put(intent)
    if book.customer is not None:
        copy.customers.put(book.customer)
    if book.refunded:
        copy.credit_notes.put(_refunding(book))
    return copy


def _refunding(book: Book) -> CreditNote:
    """A note that stands for all that the book's notes have refunded."""
    return CreditNote(
        id="cn_copy",
        created=0,
        currency=book.invoice.currency,
        invoice_id=book.invoice.id,
        customer_id=book.invoice.customer_id,
        amount=book.refunded,
        pre_payment_amount=0,
        post_payment_amount=book.refunded,
        type="post_payment",
        refunds=(CreditNoteRefund(amount_refunded=book.refunded),),
    )
