"""What becomes of an invoice and of a PaymentIntent as a whole.

Source: https://docs.stripe.com/invoicing/integration/workflow-transitions and
https://docs.stripe.com/payments/paymentintents/lifecycle, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.ledger.balance import applied, returned
from gateway.ledger.book import UNDER_WAY, Book, NewId, cancel_default, settled
from gateway.ledger.payments import pay
from schema.ports import RefusalCode, Refused
from schema.records import InvoicePayment, PaymentIntent


def finalize(book: Book, *, number: str, now: int, new_id: NewId) -> Book:
    """Draft to open, with a default payment for what is due after the customer's balance; paid at
    once, by no payment at all, when nothing is."""
    invoice = book.invoice
    if invoice.status != "draft":
        raise _wrong_status(book, "finalized", "a draft")
    opened = replace(invoice, status="open", finalized_at=now, number=invoice.number or number)
    book = applied(replace(book, invoice=opened))
    return settled(book, credited=0, now=now, new_id=new_id)


def void(book: Book, *, now: int) -> Book:
    """Open or uncollectible to void: the default payment is canceled, and the customer's balance
    gets back what the invoice took. Raises `Refused`."""
    if book.invoice.status not in ("open", "uncollectible"):
        raise _wrong_status(book, "voided", "open or uncollectible")
    if book.credited > 0 or any(_attached_open(one) for one in book.payments):
        raise _has_payments(book, "voided")
    book = _without_money_under_way(book, "voided")
    invoice = replace(book.invoice, status="void", voided_at=now)
    default = book.open_default
    book = returned(replace(book, invoice=invoice))
    return (
        book if default is None else cancel_default(book, default, now=now, reason="void_invoice")
    )


def mark_uncollectible(book: Book, *, now: int) -> Book:
    """Open to uncollectible; it can still be paid, and its default payment stays for that."""
    if book.invoice.status != "open":
        raise _wrong_status(book, "marked uncollectible", "open")
    if any(_attached_open(one) for one in book.payments):
        raise _has_payments(book, "marked uncollectible")
    invoice = replace(book.invoice, status="uncollectible", marked_uncollectible_at=now)
    return replace(book, invoice=invoice)


def pay_out_of_band(book: Book, *, now: int, new_id: NewId) -> Book:
    """All that remains counts as paid outside Stripe; no payment stands behind it."""
    if book.invoice.status not in ("open", "uncollectible"):
        raise _wrong_status(book, "paid", "open or uncollectible")
    _without_money_under_way(book, "paid out of band")
    credited = book.credited + book.invoice.amount_remaining
    return settled(book, credited=credited, now=now, new_id=new_id)


def default_to_pay(book: Book) -> InvoicePayment:
    """The default payment through which what remains can be collected. Raises `Refused`."""
    default = book.open_default
    if default is None or book.invoice.status not in ("open", "uncollectible"):
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "nothing_to_pay",
            f"{book.invoice.id} is {book.invoice.status} and has nothing to be paid",
            invoice_id=book.invoice.id,
        )
    _without_money_under_way(book, "paid")
    return default


def intent_settled(
    book: Book,
    intent: PaymentIntent,
    payment: InvoicePayment,
    *,
    credited: int,
    now: int,
    new_id: NewId,
) -> Book:
    """The book after the intent behind one of its open payments has succeeded.

    `credited` is this payment's share of what came in. Nothing left for it: canceled, so that no
    payment is called paid without money.
    """
    book = book.with_intent(intent)
    if credited <= 0:
        return book.with_payment(replace(payment, status="canceled", canceled_at=now))
    return pay(book, payment, amount=credited, now=now, new_id=new_id)


def intent_canceled(
    book: Book, intent: PaymentIntent, payment: InvoicePayment, *, now: int, new_id: NewId
) -> Book:
    """The book after the intent behind one of its open payments was canceled."""
    canceled = replace(payment, status="canceled", canceled_at=now)
    book = book.with_intent(intent).with_payment(canceled)
    return settled(book, credited=book.credited, now=now, new_id=new_id)


def intent_moved(book: Book, *, now: int, new_id: NewId) -> Book:
    """The book after the intent behind its open default has moved on without an end.

    While it was under way it could not follow what remained; once it can, it must.
    """
    return settled(book, credited=book.credited, now=now, new_id=new_id)


_BEFORE_MONEY = ("requires_payment_method", "requires_confirmation", "requires_action")
_ONWARD = ("processing", "requires_capture", "succeeded", "canceled")

NEXT: dict[str, frozenset[str]] = {
    **{status: frozenset((*_BEFORE_MONEY, *_ONWARD)) - {status} for status in _BEFORE_MONEY},
    "processing": frozenset({"requires_payment_method", "requires_capture", "succeeded"}),
    "requires_capture": frozenset({"succeeded", "canceled"}),
    "succeeded": frozenset(),
    "canceled": frozenset(),
}
"""Where a PaymentIntent may go from each status."""


def progressed(
    intent: PaymentIntent,
    status: str,
    *,
    now: int,
    amount_received: int | None = None,
    cancellation_reason: str | None = None,
) -> PaymentIntent:
    """The intent in its next status. Raises `Refused` where Stripe knows no such step."""
    if status not in NEXT[intent.status]:
        raise Refused(
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            "payment_intent_unexpected_state",
            f"{intent.id} is {intent.status} and cannot become {status}",
            path=("paymentIntentId",),
        )
    if amount_received is not None and not 0 < amount_received <= intent.amount:
        is_too_large = amount_received > intent.amount
        raise Refused(
            RefusalCode.AMOUNT_TOO_LARGE if is_too_large else RefusalCode.AMOUNT_INVALID,
            "amount_received_out_of_range",
            f"{intent.id} is over {intent.amount} and cannot receive {amount_received}",
            path=("paymentIntentId",),
        )
    if status == "succeeded":
        received = intent.amount if amount_received is None else amount_received
        return replace(intent, status=status, amount_received=received)
    if status == "canceled":
        return replace(
            intent, status=status, canceled_at=now, cancellation_reason=cancellation_reason
        )
    return replace(intent, status=status)


def shares(payments: list[InvoicePayment], received: int) -> list[tuple[InvoicePayment, int]]:
    """How what came in is spread over an intent's open payments: oldest first, up to what each
    asked for; the last ones may get less or nothing."""
    spread = []
    for payment in payments:
        share = min(payment.amount_requested, received)
        received -= share
        spread.append((payment, share))
    return spread


def _attached_open(payment: InvoicePayment) -> bool:
    """The default payment cannot be meant by Stripe's rule, or nothing could ever be voided."""
    return payment.status == "open" and not payment.is_default


def _without_money_under_way(book: Book, verb: str) -> Book:
    default = book.open_default
    if default is not None and book.intents[default.source_id].status == UNDER_WAY:
        raise Refused(
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            "payment_under_way",
            f"{default.source_id} is processing: {book.invoice.id} cannot be {verb} until it is "
            "known whether that money comes",
            invoice_id=book.invoice.id,
        )
    return book


def _wrong_status(book: Book, verb: str, wanted: str) -> Refused:
    return Refused(
        RefusalCode.INVOICE_NOT_OPEN,
        "status_transition_invalid",
        f"{book.invoice.id} is {book.invoice.status}; only {wanted} can be {verb}",
        path=("invoiceId",),
        invoice_id=book.invoice.id,
    )


def _has_payments(book: Book, verb: str) -> Refused:
    return Refused(
        RefusalCode.INVOICE_NOT_OPEN,
        "invoice_has_payments",
        f"{book.invoice.id} has open or paid payments and cannot be {verb}: detach them first",
        path=("invoiceId",),
        invoice_id=book.invoice.id,
    )
