"""The book of one invoice: everything that a rule may look at, and the arithmetic that binds it.

`credited` below is all money that reached the invoice. It splits into `amount_paid`, at most
`amount_due`, and `amount_overpaid`, which goes to the customer's credit balance. Whether Stripe's
own `amount_paid` includes the overpaid part is not documented; keeping it out makes Stripe's
literal `amount_remaining = amount_due - amount_paid` hold and never negative.

At finalization the customer's whole balance in the invoice's currency meets its total. Credit
lowers what is due, and what it does not need stays; a debit raises it; a total below zero becomes
credit, and what cannot be charged, being too little or no whole step of the currency, is carried
over. So `amount_due = total + starting_balance - ending_balance`, before credit notes. In these two
fields and in Stripe's `balance` credit is below zero, in `Customer.credit_balance` it is above.
Source: https://docs.stripe.com/invoicing/partial-payments, the 2025-03-31.basil changelog,
https://docs.stripe.com/billing/customer/balance and https://docs.stripe.com/api/invoices/object
(starting_balance, ending_balance), 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.ledger.amounts import chargeable
from schema.changing import changed
from schema.records import Customer, Invoice, InvoicePayment, PaymentIntent, PaymentRecord

Source = PaymentIntent | PaymentRecord
"""What can be attached to an invoice."""

NewId = Callable[[str], str]
"""Makes a fresh id with the given prefix; supplied by the caller."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is taken, in epoch seconds, and where ids of what it makes come from."""

    now: int
    new_id: NewId


PREVIEW = Moment(0, lambda prefix: f"{prefix}_preview")
"""For steps whose result is thrown away."""


EDITABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
"""PaymentIntents whose amount can still change."""
UNDER_WAY = "processing"
"""Money is moving: Stripe can neither change nor cancel such an intent."""


@dataclass(frozen=True, slots=True)
class Book:
    """One invoice, its payments (oldest first), their PaymentIntents, and who is billed."""

    invoice: Invoice
    payments: tuple[InvoicePayment, ...] = ()
    intents: Mapping[str, PaymentIntent] = field(default_factory=dict)
    customer: Customer | None = None
    refunded: int = 0
    """What credit notes have refunded; 0 where the notes are not known."""

    def with_payment(self, payment: InvoicePayment) -> Book:
        """The book with this payment put in place of the one with its id, or added."""
        placed = {**{one.id: one for one in self.payments}, payment.id: payment}
        return changed(self, payments=tuple(placed.values()))

    def with_intent(self, intent: PaymentIntent) -> Book:
        return changed(self, intents={**self.intents, intent.id: intent})

    @property
    def credited(self) -> int:
        """All money that reached the invoice, in and out of Stripe."""
        return self.invoice.amount_paid + self.invoice.amount_overpaid

    @property
    def open_default(self) -> InvoicePayment | None:
        """The payment that Stripe keeps in step with what remains."""
        return next((one for one in self.payments if one.is_default and one.status == "open"), None)

    def live_payment_by(self, source_id: str) -> InvoicePayment | None:
        """The open or paid payment by this source; canceled ones no longer count."""
        return next(
            (one for one in self.payments if one.source_id == source_id and is_live(one)), None
        )


def is_live(payment: InvoicePayment) -> bool:
    return payment.status in ("open", "paid")


def claim(payment: InvoicePayment) -> int:
    """How much of its source a payment takes: what it paid, or what it asks for while open."""
    if payment.status == "paid":
        return payment.amount_paid or 0
    return payment.amount_requested if payment.status == "open" else 0


def settled(book: Book, credited: int, at: Moment) -> Book:
    """The book after the money that reached its invoice has become `credited`.

    Splits it into paid and overpaid, moves the status with the balance, keeps the customer's
    credit balance in step with what was overpaid, and the default payment with what remains.
    """
    before = book.invoice
    paid = min(credited, before.amount_due)
    remaining = before.amount_due - paid
    invoice = changed(
        before,
        amount_paid=paid,
        amount_remaining=remaining,
        amount_overpaid=credited - paid,
        **_turned(before.status, remaining, at.now),
    )
    book = changed(book, invoice=invoice)
    book = credit_customer(book, invoice.amount_overpaid - before.amount_overpaid)
    return _default_in_step(book, at)


def _turned(status: str | None, remaining: int, now: int) -> dict[str, Any]:
    """What an invoice turns to: paid exactly when nothing remains. A reopened one forgets when it
    was paid.

    Stripe does not say what becomes of `status_transitions.paid_at` when an invoice reopens;
    clearing it keeps "paid_at is set" and "it is paid" the same statement.
    """
    if status in ("open", "uncollectible") and remaining == 0:
        return {"status": "paid", "paid_at": now}
    if status == "paid" and remaining > 0:
        return {"status": "open", "paid_at": None}
    return {}


def credit_customer(book: Book, amount: int) -> Book:
    """Move the customer's credit balance; overpayment that is taken back is taken back there."""
    if amount == 0 or book.customer is None:
        return book
    currency = book.invoice.currency
    balance = book.customer.balance_in(currency) - amount
    return changed(book, customer=with_balance(book.customer, currency, balance))


def with_balance(customer: Customer, currency: str, balance: int) -> Customer:
    """The customer with this balance; the first decides the customer's currency, as at Stripe."""
    held = {**dict(customer.credit_balance), currency: -balance}
    kept = tuple(sorted((code, value) for code, value in held.items() if value))
    return changed(customer, credit_balance=kept, currency=customer.currency or currency)


def _default_in_step(book: Book, at: Moment) -> Book:
    """One open default payment for exactly what remains, none where nothing does.

    An intent that is under way is left alone: Stripe can neither change nor cancel it. If it
    succeeds after all, the surplus becomes an overpayment and nothing is lost.
    """
    invoice, default = book.invoice, book.open_default
    is_asked_for = invoice.status == "open" and invoice.amount_remaining > 0
    if default is None:
        return _with_fresh_default(book, at) if is_asked_for else book
    if is_asked_for or invoice.status == "uncollectible":
        return _with_default_amount(book, default)
    return without_default(book, now=at.now, reason="automatic")


def _with_default_amount(book: Book, default: InvoicePayment) -> Book:
    intent = book.intents[default.source_id]
    if intent.status not in EDITABLE:
        return book
    amount = book.invoice.amount_remaining
    book = book.with_payment(changed(default, amount_requested=amount))
    return book.with_intent(changed(intent, amount=amount))


def _with_fresh_default(book: Book, at: Moment) -> Book:
    invoice = book.invoice
    intent = PaymentIntent(
        id=at.new_id("pi"),
        created=at.now,
        currency=invoice.currency,
        status="requires_payment_method",
        amount=invoice.amount_remaining,
        customer_id=invoice.customer_id,
        livemode=invoice.livemode,
    )
    payment = open_payment(invoice, intent, intent.amount, at, is_default=True)
    return book.with_intent(intent).with_payment(payment)


def open_payment(
    invoice: Invoice, source: Source, amount: int, at: Moment, *, is_default: bool = False
) -> InvoicePayment:
    """A payment that asks this amount of the source."""
    return InvoicePayment(
        id=at.new_id("inpay"),
        created=at.now,
        currency=invoice.currency,
        invoice_id=invoice.id,
        status="open",
        source_type="payment_intent" if isinstance(source, PaymentIntent) else "payment_record",
        source_id=source.id,
        amount_requested=amount,
        is_default=is_default,
        livemode=invoice.livemode,
    )


def without_default(book: Book, *, now: int, reason: str) -> Book:
    """The book with its open default payment canceled, unless money is under way behind it."""
    default = book.open_default
    if default is None or book.intents[default.source_id].status == UNDER_WAY:
        return book
    intent = book.intents[default.source_id]
    canceled = changed(intent, status="canceled", canceled_at=now, cancellation_reason=reason)
    payment = changed(default, status="canceled", canceled_at=now)
    return book.with_intent(canceled).with_payment(payment)


def foretold(draft: Invoice, customer: Customer | None) -> Invoice:
    """The draft as it stands towards the balance now: what would be due if it were finalized."""
    balance = 0 if customer is None else customer.balance_in(draft.currency)
    due = chargeable(max(0, draft.total + balance), draft.currency)
    return changed(draft, starting_balance=balance, amount_due=due, amount_remaining=due)


def balance_applied(book: Book) -> Book:
    """The book after the balance has met its invoice's total, once, at finalization."""
    invoice = foretold(book.invoice, book.customer)
    ending = invoice.total + invoice.starting_balance - invoice.amount_due
    book = changed(book, invoice=changed(invoice, ending_balance=ending))
    return credit_customer(book, invoice.starting_balance - ending)


def balance_taken(invoice: Invoice) -> int:
    """How much credit finalization took from the balance; below zero where it took a debit over."""
    if invoice.ending_balance is None:
        return 0
    return invoice.ending_balance - invoice.starting_balance
