"""One account with everything a ledger test arranges: customers, invoices, intents, records.

Ids and seconds come from counters, so that a failing test reads the same on every run. Nothing
here checks anything; what a builder does, it does through the twin, as a caller would.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.memory.twin import Twin, TwinEvent
from gateway.ledger.book import with_balance
from schema.ports import CreditNoteDraft
from schema.records import (
    CreditNote,
    Customer,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    PaymentRecord,
)

ADA = "cus_ada"
BOB = "cus_bob"


def counting_ids() -> Callable[[str], str]:
    """Ids that count up over all prefixes: pi_1, inpay_2, ..."""
    counter = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(counter)}"


def counting_seconds(start: int = 1000) -> Callable[[], int]:
    """A clock that moves on by one second with every look."""
    seconds: Iterator[int] = itertools.count(start)
    return lambda: next(seconds)


def new_twin() -> Twin:
    """An empty account with the customers Ada and Bob."""
    twin = Twin(now=counting_seconds(), new_id=counting_ids())
    for customer_id in (ADA, BOB):
        twin.customers.put(Customer(id=customer_id, created=1))
    return twin


@dataclass(slots=True)
class Account:
    """A twin and short ways to fill it; what it makes belongs to Ada and is in dollars."""

    twin: Twin = field(default_factory=new_twin)

    def draft_invoice(self, amount: int = 1000, **fields: Any) -> Invoice:
        facts: dict[str, Any] = {
            "id": self.twin.new_id("in"),
            "created": self.twin.now(),
            "currency": "usd",
            "customer_id": ADA,
            "status": "draft",
            "subtotal": amount,
            "total": amount,
            "amount_due": amount,
            "amount_remaining": amount,
        }
        return self.twin.create_invoice(Invoice(**{**facts, **fields}), ())

    def open_invoice(self, amount: int = 1000, **fields: Any) -> Invoice:
        draft = self.draft_invoice(amount, **fields)
        return self.twin.finalize(draft.id, number=f"N-{draft.id}")

    def paid_invoice(self, amount: int = 1000) -> Invoice:
        """Paid by one attached intent for the whole."""
        invoice = self.open_invoice(amount)
        self.twin.attach(invoice.id, self.succeeded_intent(amount).id)
        return self.twin.invoice(invoice.id)

    def half_paid_invoice(self) -> Invoice:
        """600 of 1000 are paid by an attached intent, 400 remain."""
        invoice = self.open_invoice(1000)
        self.attached_intent(invoice, 600)
        return self.twin.invoice(invoice.id)

    def invoice_with_money_under_way(self) -> Invoice:
        """The default intent over 1000 is processing: Stripe can neither change nor cancel it."""
        invoice = self.open_invoice(1000)
        self.twin.progress(self.default_intent(invoice).id, "processing")
        return invoice

    def void_invoice(self, amount: int = 1000) -> Invoice:
        return self.twin.void(self.open_invoice(amount).id)

    def uncollectible_invoice(self, amount: int = 1000) -> Invoice:
        return self.twin.mark_uncollectible(self.open_invoice(amount).id)

    def intent(self, amount: int = 1000, **fields: Any) -> PaymentIntent:
        facts: dict[str, Any] = {
            "id": self.twin.new_id("pi"),
            "created": self.twin.now(),
            "currency": "usd",
            "customer_id": ADA,
            "status": "requires_payment_method",
            "amount": amount,
        }
        return self.twin.create_intent(PaymentIntent(**{**facts, **fields}))

    def succeeded_intent(self, amount: int = 1000, **fields: Any) -> PaymentIntent:
        return self.twin.progress(self.intent(amount, **fields).id, "succeeded")

    def attached_intent(self, invoice: Invoice, amount: int) -> PaymentIntent:
        """A succeeded intent that has been attached to the invoice as a whole."""
        intent = self.succeeded_intent(amount)
        self.twin.attach(invoice.id, intent.id)
        return intent

    def canceled_intent(self, amount: int = 1000) -> PaymentIntent:
        return self.twin.progress(self.intent(amount).id, "canceled")

    def record(self, amount: int = 1000, **fields: Any) -> PaymentRecord:
        facts: dict[str, Any] = {
            "id": self.twin.new_id("pr"),
            "created": self.twin.now(),
            "currency": "usd",
            "amount": amount,
            "customer_id": ADA,
        }
        return self.twin.report_payment(PaymentRecord(**{**facts, **fields}))

    def credit(
        self,
        invoice: Invoice,
        amount: int,
        *,
        refund: int | None = None,
        credit: int | None = None,
        out_of_band: int | None = None,
    ) -> CreditNote:
        """A credit note over this amount, what is given back in these parts."""
        return self.twin.credit(
            CreditNoteDraft(
                invoice.id, amount, refund=refund, credit=credit, out_of_band=out_of_band
            )
        )

    def adjust(self, credit: int, customer_id: str = ADA, currency: str = "usd") -> None:
        """Put this on the customer's balance by hand; a debit is below zero."""
        customer = self.twin.customers.get(customer_id)
        assert customer is not None
        held = dict(customer.credit_balance).get(currency, 0)
        self.twin.enter_customer(with_balance(customer, currency, -held - credit))

    def now(self, invoice: Invoice) -> Invoice:
        """The invoice as it is now."""
        return self.twin.invoice(invoice.id)

    def totals(self, invoice: Invoice) -> tuple[str | None, int, int, int]:
        """Status, amount_paid, amount_remaining, amount_overpaid."""
        now = self.now(invoice)
        return now.status, now.amount_paid, now.amount_remaining, now.amount_overpaid

    def payments(self, invoice: Invoice) -> tuple[InvoicePayment, ...]:
        return self.twin.book(invoice.id).payments

    def payment(self, payment_id: str) -> InvoicePayment:
        payment = self.twin.invoice_payments.get(payment_id)
        assert payment is not None
        return payment

    def open_default(self, invoice: Invoice) -> InvoicePayment | None:
        return self.twin.book(invoice.id).open_default

    def default_intent(self, invoice: Invoice) -> PaymentIntent:
        """The intent behind the open default payment."""
        default = self.open_default(invoice)
        assert default is not None
        return self.twin.intent(default.source_id)

    def balance(self, customer_id: str = ADA) -> int:
        """The customer's credit balance in dollars' smallest unit."""
        customer = self.twin.customers.get(customer_id)
        assert customer is not None
        return dict(customer.credit_balance).get("usd", 0)

    def events_of(self, change: Callable[[], object]) -> list[TwinEvent]:
        """The events that a change announces."""
        heard: list[TwinEvent] = []
        self.twin.listeners.append(heard.append)
        change()
        self.twin.listeners.remove(heard.append)
        return heard


def everything(twin: Twin) -> tuple[object, ...]:
    """All that an account holds, to see that nothing has changed."""
    tables = (
        twin.customers,
        twin.invoices,
        twin.invoice_payments,
        twin.payment_intents,
        twin.payment_records,
        twin.credit_notes,
    )
    return (*(tuple(table) for table in tables), dict(twin.lines), tuple(twin.events))
