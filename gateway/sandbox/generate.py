"""Many invoices for benchmarks: the same ones for the same seed, in a state that the ledger allows.

Not a demo and not a fuzzer: no history, no edge cases. It makes records directly and announces
nothing. Strings that many records share are one object, so that a million invoices fit in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.backends.memory.twin import Twin
from schema import records

INVOICES_PER_CUSTOMER = 20
FIRST_CREATED = 1_735_689_600
"""2025-01-01T00:00:00Z; one invoice follows another by `SECONDS_APART`."""
SECONDS_APART = 30
DUE_SECONDS = 30 * 86_400

CURRENCIES: Final = ("usd", "usd", "usd", "eur", "eur", "gbp", "jpy", "kwd")
STATUSES: Final = ("paid", "paid", "paid", "paid", "paid", "open", "open", "draft")
"""Drawn evenly from each; a draft has no payment, as Stripe makes it when it is finalized."""

_WORD = 2**64 - 1


@dataclass(frozen=True, slots=True)
class _Draw:
    """What chance decides about one invoice. Amounts end in 0, as Stripe asks for KWD."""

    customer: int
    currency: str
    status: str
    amount: int
    sends_invoice: bool


def generate(twin: Twin, invoices: int, seed: int) -> None:
    """Put that many invoices into the twin, with about one customer for every twenty.

    All but drafts have one default payment with its PaymentIntent. Ids carry the seed, so that
    two seeds can share a twin. The seed is a whole number from 0.
    """
    assert seed >= 0, "a minus sign cannot stand in an id"
    customers = _customers(twin, max(1, invoices // INVOICES_PER_CUSTOMER), seed)
    for number in range(invoices):
        draw = _drawn(_mixed(seed, number), len(customers))
        _add(twin, draw, customers[draw.customer], f"gen{seed}_{number}", number)


def _customers(twin: Twin, count: int, seed: int) -> list[str]:
    ids = [f"cus_gen{seed}_{number}" for number in range(count)]
    for number, customer_id in enumerate(ids):
        name = f"Benchmark Customer {number}"
        twin.customers.put(records.Customer(customer_id, FIRST_CREATED, name=name))
    return ids


def _mixed(seed: int, number: int) -> int:
    """64 well mixed bits of the two: splitmix64, begun at the one and read at the other.

    Source: https://prng.di.unimi.it/splitmix64.c
    """
    state = (seed * 0xD1342543DE82EF95 + (number + 1) * 0x9E3779B97F4A7C15) & _WORD
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
    return state ^ (state >> 31)


def _drawn(bits: int, customers: int) -> _Draw:
    return _Draw(
        customer=(bits >> 32) % customers,
        currency=CURRENCIES[bits & 7],
        status=STATUSES[bits >> 3 & 7],
        amount=((bits >> 8) % 50_000 + 10) * 10,
        sends_invoice=bits >> 6 & 3 == 0,
    )


def _add(twin: Twin, draw: _Draw, customer_id: str, suffix: str, number: int) -> None:
    created = FIRST_CREATED + number * SECONDS_APART
    amount, is_paid = draw.amount, draw.status == "paid"
    finalized = None if draw.status == "draft" else created
    invoice = records.Invoice(
        id=f"in_{suffix}",
        created=created,
        currency=draw.currency,
        customer_id=customer_id,
        status=draw.status,
        collection_method="send_invoice" if draw.sends_invoice else "charge_automatically",
        subtotal=amount,
        total=amount,
        ending_balance=None if finalized is None else 0,
        amount_due=amount,
        amount_paid=amount if is_paid else 0,
        amount_remaining=0 if is_paid else amount,
        due_date=created + DUE_SECONDS if draw.sends_invoice else None,
        finalized_at=finalized,
        paid_at=created if is_paid else None,
    )
    twin.invoices.put(invoice)
    if finalized is not None:
        _add_payment(twin, invoice, suffix)


def _add_payment(twin: Twin, invoice: records.Invoice, suffix: str) -> None:
    amount, is_paid = invoice.amount_due, invoice.status == "paid"
    intent = records.PaymentIntent(
        id=f"pi_{suffix}",
        created=invoice.created,
        currency=invoice.currency,
        status="succeeded" if is_paid else "requires_payment_method",
        amount=amount,
        amount_received=amount if is_paid else 0,
        customer_id=invoice.customer_id,
    )
    payment = records.InvoicePayment(
        id=f"inpay_{suffix}",
        created=invoice.created,
        currency=invoice.currency,
        invoice_id=invoice.id,
        status="paid" if is_paid else "open",
        source_type="payment_intent",
        source_id=intent.id,
        amount_requested=amount,
        amount_paid=amount if is_paid else None,
        is_default=True,
        paid_at=invoice.paid_at,
    )
    twin.payment_intents.put(intent)
    twin.invoice_payments.put(payment)
