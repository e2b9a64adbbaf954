"""What a detach would do, foretold: it must be what the detach then does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ledger import payments
from schema.records import Invoice, InvoicePayment
from tests.ledger.builders import Account


def last_payment(account: Account, invoice: Invoice) -> InvoicePayment:
    return account.payments(invoice)[-1]


def preview_of_paid(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.paid_invoice(1000)
    return invoice, last_payment(account, invoice)


def preview_of_part(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.open_invoice(1000)
    account.attached_intent(invoice, 400)
    return invoice, last_payment(account, invoice)


def preview_of_open(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.open_invoice(1000)
    return invoice, account.twin.attach(invoice.id, account.intent(400).id)


def preview_of_surplus(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice, late = account.open_invoice(1000), account.intent(200)
    payment = account.twin.attach(invoice.id, late.id)
    account.attached_intent(invoice, 1000)
    account.twin.progress(late.id, "succeeded")
    return invoice, account.payment(payment.id)


PREVIEWS = [
    pytest.param(preview_of_paid, ("open", 1000, True), id="paid"),
    pytest.param(preview_of_part, ("open", 1000, False), id="part"),
    pytest.param(preview_of_open, ("open", 1000, False), id="open"),
    pytest.param(preview_of_surplus, ("paid", 0, False), id="surplus"),
]


@pytest.mark.parametrize(("arranged", "expected"), PREVIEWS)
def test_detach_preview_tells_what_detach_does(
    account: Account,
    arranged: Callable[[Account], tuple[Invoice, InvoicePayment]],
    expected: tuple[str, int, bool],
) -> None:
    """Someone decides by the preview, so the detach must end as it said."""
    invoice, payment = arranged(account)

    preview = payments.detach_preview(account.twin.book(invoice.id), payment)
    _, fresh = account.twin.detach(invoice.id, payment.source_id)

    status, _, remaining, _ = account.totals(invoice)
    assert preview.allowed
    assert preview.blocked_by == ()
    assert (
        preview.status_after,
        preview.amount_remaining_after,
        preview.creates_default_payment_intent,
    ) == expected
    assert (status, remaining, fresh is not None) == expected


def blocked_default(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.open_invoice(1000)
    return invoice, last_payment(account, invoice)


def blocked_record(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.open_invoice(1000)
    return invoice, account.twin.attach(invoice.id, account.record(400).id)


def blocked_canceled(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.paid_invoice(1000)
    return invoice, account.payments(invoice)[0]


def blocked_beside_another(account: Account) -> tuple[Invoice, InvoicePayment]:
    """A payment that got nothing and was canceled, and a later one by the same intent."""
    intent = account.intent(1000)
    other, invoice = account.open_invoice(1000), account.open_invoice(1000)
    account.twin.attach(other.id, intent.id, amount_requested=400)
    empty = account.twin.attach(invoice.id, intent.id, amount_requested=600)
    account.twin.progress(intent.id, "succeeded", amount_received=400)
    account.twin.detach(other.id, intent.id)
    account.twin.attach(invoice.id, intent.id)
    return invoice, account.payment(empty.id)


def blocked_void(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.void_invoice(1000)
    return invoice, last_payment(account, invoice)


def blocked_credited_back(account: Account) -> tuple[Invoice, InvoicePayment]:
    invoice = account.paid_invoice(1000)
    account.credit(invoice, 300, refund=300)
    return invoice, last_payment(account, invoice)


BLOCKED = [
    pytest.param(blocked_record, ("UNSUPPORTED_BY_BACKEND",), id="payment_record"),
    pytest.param(blocked_void, ("INVOICE_NOT_OPEN", "PAYMENT_NOT_ATTACHED"), id="void"),
    pytest.param(blocked_canceled, ("PAYMENT_NOT_ATTACHED",), id="canceled"),
    pytest.param(blocked_beside_another, ("PAYMENT_NOT_ATTACHED",), id="canceled_beside_another"),
    pytest.param(blocked_default, ("PAYMENT_IS_DEFAULT",), id="default"),
    pytest.param(blocked_credited_back, ("PAYMENT_INTENT_WRONG_STATE",), id="credited_back"),
]


@pytest.mark.parametrize(("arranged", "codes"), BLOCKED)
def test_detach_preview_names_what_stands_against_it(
    account: Account,
    arranged: Callable[[Account], tuple[Invoice, InvoicePayment]],
    codes: tuple[str, ...],
) -> None:
    """A button that cannot work says why, with the code that detach would answer first."""
    invoice, payment = arranged(account)

    preview = payments.detach_preview(account.twin.book(invoice.id), payment)

    assert (preview.allowed, preview.blocked_by) == (False, codes)
    assert preview.status_after is None
    assert preview.amount_remaining_after is None
    assert not preview.creates_default_payment_intent
