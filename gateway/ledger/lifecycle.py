"""What becomes of an invoice and of a PaymentIntent as a whole.

Source: https://docs.stripe.com/invoicing/integration/workflow-transitions and
https://docs.stripe.com/payments/paymentintents/lifecycle, 2026-10-28.endive.
"""

from __future__ import annotations

from gateway.ledger.book import (
    UNDER_WAY,
    Book,
    Moment,
    balance_applied,
    balance_taken,
    credit_customer,
    settled,
    without_default,
)
from gateway.ledger.payments import pay
from schema.changing import changed
from schema.ports import RefusalCode, Refused
from schema.records import Invoice, InvoicePayment, PaymentIntent

_UNPAID = ("open", "uncollectible")


def check_deletable(invoice: Invoice) -> None:
    """Raises `Refused` for what is no draft."""
    if invoice.status != "draft":
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "only_drafts_can_be_deleted",
            f"{invoice.id} is {invoice.status}; only drafts can be deleted, void it instead",
            invoice_id=invoice.id,
        )


def finalize(book: Book, at: Moment, *, number: str) -> Book:
    """Draft to open, with a default payment for what is due after the customer's balance; paid at
    once, by no payment at all, when nothing is."""
    _check_status(book, "finalized", ("draft",), wanted="a draft")
    number = book.invoice.number or number
    opened = changed(book.invoice, status="open", finalized_at=at.now, number=number)
    return settled(balance_applied(changed(book, invoice=opened)), 0, at)


def void(book: Book, at: Moment) -> Book:
    """Open or uncollectible to void: the default payment is canceled, and the customer's balance
    gets back what the invoice took; its own fields stay as told. Raises `Refused`."""
    _check_status(book, "voided", _UNPAID)
    _check_detached(book, "voided", is_paid=book.credited > 0)
    _check_money_at_rest(book, "voided")
    voided = changed(book.invoice, status="void", voided_at=at.now)
    book = credit_customer(changed(book, invoice=voided), balance_taken(voided))
    return without_default(book, now=at.now, reason="void_invoice")


def mark_uncollectible(book: Book, at: Moment) -> Book:
    """Open to uncollectible; it can still be paid, and its default payment stays for that."""
    _check_status(book, "marked uncollectible", ("open",))
    _check_detached(book, "marked uncollectible")
    marked = changed(book.invoice, status="uncollectible", marked_uncollectible_at=at.now)
    return changed(book, invoice=marked)


def pay_out_of_band(book: Book, at: Moment) -> Book:
    """All that remains counts as paid outside Stripe; no payment stands behind it."""
    _check_status(book, "paid", _UNPAID)
    _check_money_at_rest(book, "paid out of band")
    return settled(book, book.credited + book.invoice.amount_remaining, at)


def default_to_pay(book: Book) -> InvoicePayment:
    """The default payment through which what remains can be collected. Raises `Refused`."""
    default = book.open_default
    if default is None or book.invoice.status not in _UNPAID:
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "nothing_to_pay",
            f"{book.invoice.id} is {book.invoice.status} and has nothing to be paid",
            invoice_id=book.invoice.id,
        )
    _check_money_at_rest(book, "paid")
    return default


def followed(
    book: Book, intent: PaymentIntent, payment: InvoicePayment, *, credited: int, at: Moment
) -> Book:
    """The book after the intent behind one of its open payments has moved on.

    `credited` is this payment's share of what came in. Nothing left for it: canceled, so that no
    payment is called paid without money. A default that could not follow what remained while its
    intent was under way does so now.
    """
    if intent.status == "succeeded" and credited > 0:
        return pay(book, payment, credited, at)
    if intent.status in ("succeeded", "canceled"):
        book = book.with_payment(changed(payment, status="canceled", canceled_at=at.now))
    return book if intent.status == "succeeded" else settled(book, book.credited, at)


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
    received = intent.amount if amount_received is None else amount_received
    if amount_received is not None and not 0 < received <= intent.amount:
        is_too_large = received > intent.amount
        raise Refused(
            RefusalCode.AMOUNT_TOO_LARGE if is_too_large else RefusalCode.AMOUNT_INVALID,
            "amount_received_out_of_range",
            f"{intent.id} is over {intent.amount} and cannot receive {received}",
            path=("paymentIntentId",),
        )
    moved = changed(intent, status=status)
    if status == "succeeded":
        return changed(moved, amount_received=received)
    if status == "canceled":
        return changed(moved, canceled_at=now, cancellation_reason=cancellation_reason)
    return moved


def shares(payments: list[InvoicePayment], received: int) -> list[tuple[InvoicePayment, int]]:
    """How what came in is spread over an intent's open payments: oldest first, up to what each
    asked for; the last ones may get less or nothing."""
    spread = []
    for payment in payments:
        share = min(payment.amount_requested, received)
        received -= share
        spread.append((payment, share))
    return spread


def _check_status(book: Book, verb: str, allowed: tuple[str, ...], wanted: str = "") -> None:
    if book.invoice.status not in allowed:
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "status_transition_invalid",
            f"{book.invoice.id} is {book.invoice.status}; only "
            f"{wanted or ' or '.join(allowed)} can be {verb}",
            path=("invoiceId",),
            invoice_id=book.invoice.id,
        )


def _check_detached(book: Book, verb: str, *, is_paid: bool = False) -> None:
    """The default payment cannot be meant by Stripe's rule, or nothing could ever be voided."""
    if is_paid or any(one.status == "open" and not one.is_default for one in book.payments):
        raise Refused(
            RefusalCode.INVOICE_NOT_OPEN,
            "invoice_has_payments",
            f"{book.invoice.id} has open or paid payments and cannot be {verb}: detach them first",
            path=("invoiceId",),
            invoice_id=book.invoice.id,
        )


def _check_money_at_rest(book: Book, verb: str) -> None:
    default = book.open_default
    if default is not None and book.intents[default.source_id].status == UNDER_WAY:
        raise Refused(
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            "payment_under_way",
            f"{default.source_id} is processing: {book.invoice.id} cannot be {verb} until it is "
            "known whether that money comes",
            invoice_id=book.invoice.id,
        )
