"""The controls of a demonstration: what payers and other programs would do, done to the twin.

They are no part of Stripe's API and of no schema; only a twin in this process has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.backends.memory.twin import Twin
from gateway.ledger import lifecycle
from schema import records

AMOUNT_MAX = 99_999_999
"""Stripe's own largest charge in a currency with cents."""

Given = Mapping[str, Any]


def act(twin: Twin, action: str, given: Given) -> str | None:
    """Do it; the id of what it was done to, None for an action that nobody knows.

    Raises `ValueError` for what cannot be understood, and `Refused` where a rule stands against it.
    """
    do = ACTIONS.get(action)
    return None if do is None else do(twin, given)


def _add_invoice(twin: Twin, given: Given) -> str:
    """An open invoice over one line."""
    customer, amount = _customer(twin, given), _amount(given)
    currency = _text(given, "currency").lower()
    if currency not in {one.currency for one in twin.invoices}:
        raise ValueError(f"currency must be one of the demo's, got {currency!r}")
    now, invoice_id = twin.now(), twin.new_id("in")
    invoice = records.Invoice(
        id=invoice_id,
        created=now,
        currency=currency,
        customer_id=customer.id,
        status="draft",
        customer_name=customer.name,
        customer_email=customer.email,
        subtotal=amount,
        total=amount,
    )
    line = records.InvoiceLineItem(
        id=twin.new_id("il"),
        invoice_id=invoice_id,
        amount=amount,
        currency=currency,
        description="Added in the console",
        quantity="1",
    )
    twin.create_invoice(invoice, (line,))
    number = sum(one.number is not None for one in twin.invoices) + 1
    return twin.finalize(invoice_id, number=f"CONSOLE-{number:04}").id


def _settle(twin: Twin, given: Given) -> str:
    """Let a PaymentIntent come to its end. One that fails waits for another method again."""
    intent = twin.intent(_text(given, "paymentIntentId"))
    if given.get("outcome") == "succeeded":
        return twin.progress(intent.id, "succeeded").id
    if given.get("outcome") != "failed":
        raise ValueError("outcome must be one of succeeded, failed")
    if intent.status != "processing":
        twin.progress(intent.id, "processing")
    return twin.progress(intent.id, "requires_payment_method").id


def _pay_out_of_band(twin: Twin, given: Given) -> str:
    return twin.pay_out_of_band(_text(given, "invoiceId")).id


def _overpay(twin: Twin, given: Given) -> str:
    """Two payments race for the same balance, and both arrive."""
    invoice = twin.invoice(_text(given, "invoiceId"))
    lifecycle.default_to_pay(twin.book(invoice.id))  # Refuse before anything is made.
    racing = _intent(twin, invoice, invoice.amount_remaining)
    twin.attach(invoice.id, racing.id)
    twin.pay(invoice.id)
    twin.progress(racing.id, "succeeded")
    return invoice.id


def _receive(twin: Twin, given: Given) -> str:
    """A payment of the invoice's customer that no invoice claims yet."""
    invoice = twin.invoice(_text(given, "invoiceId"))
    intent = _intent(twin, invoice, _amount(given))
    return twin.progress(intent.id, "succeeded").id


def _intent(twin: Twin, invoice: records.Invoice, amount: int) -> records.PaymentIntent:
    return twin.create_intent(
        records.PaymentIntent(
            id=twin.new_id("pi"),
            created=twin.now(),
            currency=invoice.currency,
            status="requires_payment_method",
            amount=amount,
            customer_id=invoice.customer_id,
            description="Made in the console",
        )
    )


def _customer(twin: Twin, given: Given) -> records.Customer:
    customer = twin.customers.get(_text(given, "customerId"))
    if customer is None:
        raise ValueError("customerId must be the id of a customer")
    return customer


def _text(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value


def _amount(given: Given) -> int:
    value = given.get("amountMinorUnits")
    if type(value) is not int or not 0 < value <= AMOUNT_MAX:
        raise ValueError(f"amountMinorUnits must be a whole number from 1 to {AMOUNT_MAX}")
    return value


ACTIONS: Mapping[str, Callable[[Twin, Given], str]] = {
    "add-invoice": _add_invoice,
    "settle": _settle,
    "pay-out-of-band": _pay_out_of_band,
    "overpay": _overpay,
    "receive": _receive,
}
