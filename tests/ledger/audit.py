"""What the tables of an account hold against what the auditor's books say they must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gateway.backends.memory.twin import Twin
from schema.records import InvoicePayment
from tests.ledger.auditor import Auditor
from tests.ledger.postings import Link, Sheet, Source

AUDITED_EVENTS = (
    "credit_note.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.voided",
    "invoice_payment.detached",
    "invoice_payment.paid",
    "payment_intent.canceled",
    "payment_intent.succeeded",
)
"""The events about money; every one must be announced once for each time that it happened."""


def differences(auditor: Auditor, twin: Twin, announced: Counter[str]) -> list[str]:
    """Every way in which the account is not what it must be."""
    for sheet in auditor.sheets.values():
        if sheet.awaits_default:
            _adopt(auditor, sheet, twin)
    return [
        *_invoices(auditor, twin),
        *_payments(auditor, twin),
        *_intents(auditor, twin),
        *_spent_twice(auditor, twin),
        *_customers(auditor, twin),
        *_events(auditor, announced),
    ]


def _adopt(auditor: Auditor, sheet: Sheet, twin: Twin) -> None:
    """Take the fresh default payment into the books: its ids are the only news accepted."""
    for payment in twin.invoice_payments.matching("invoice_id", sheet.id):
        is_news = payment.id not in auditor.links and payment.source_id not in auditor.sources
        if not (payment.is_default and is_news):
            continue
        amount, sheet.awaits_default = auditor.remaining(sheet.id), False
        auditor.links[payment.id] = Link(
            payment.id, sheet.id, payment.source_id, amount, is_default=True
        )
        auditor.sources[payment.source_id] = Source(
            payment.source_id, sheet.customer, sheet.currency, amount, "requires_payment_method"
        )
        return


def _invoices(auditor: Auditor, twin: Twin) -> Iterator[str]:
    seen = {invoice.id: invoice for invoice in twin.invoices}
    yield from _compare("invoices", set(auditor.sheets), set(seen))
    for sheet in (one for one in auditor.sheets.values() if one.id in seen):
        invoice = seen[sheet.id]
        facts = {
            "status": (auditor.status(sheet.id), invoice.status),
            "amount_due": (auditor.due(sheet.id), invoice.amount_due),
            "amount_paid": (auditor.paid(sheet.id), invoice.amount_paid),
            "amount_remaining": (auditor.remaining(sheet.id), invoice.amount_remaining),
            "amount_overpaid": (auditor.overpaid(sheet.id), invoice.amount_overpaid),
            "starting_balance": (_starting(auditor, sheet), invoice.starting_balance),
            "ending_balance": (
                -auditor.balance_after(sheet.id) if sheet.finalized else None,
                invoice.ending_balance,
            ),
            "waived": (auditor.waived(sheet.id), invoice.pre_payment_credit_notes_amount),
            "given back": (
                auditor.given_back(sheet.id),
                invoice.post_payment_credit_notes_amount,
            ),
            "paid_at is set": (auditor.status(sheet.id) == "paid", invoice.paid_at is not None),
        }
        for name, (expected, found) in facts.items():
            yield from _compare(f"{sheet.id}.{name}", expected, found)
        if sheet.awaits_default:
            yield f"{sheet.id}: has no default payment for what remains"


def _starting(auditor: Auditor, sheet: Sheet) -> int:
    """In Stripe's sign, credit below zero; a draft shows the balance of now."""
    if sheet.finalized:
        return -sheet.credit_before
    return -auditor.balance(sheet.customer, sheet.currency)


def _payments(auditor: Auditor, twin: Twin) -> Iterator[str]:
    seen = {payment.id: _link(payment) for payment in twin.invoice_payments}
    yield from _compare("payments", set(auditor.links), set(seen))
    for link in auditor.links.values():
        yield from _compare(link.id, link, seen.get(link.id))


def _link(payment: InvoicePayment) -> Link:
    return Link(
        payment.id,
        payment.invoice_id,
        payment.source_id,
        payment.amount_requested,
        payment.is_default,
        payment.status,
        payment.amount_paid,
    )


def _intents(auditor: Auditor, twin: Twin) -> Iterator[str]:
    seen = {
        intent.id: Source(
            intent.id,
            intent.customer_id,
            intent.currency,
            intent.amount,
            intent.status,
            intent.amount_received,
        )
        for intent in twin.payment_intents
    }
    expected = {key: one for key, one in auditor.sources.items() if not one.is_record}
    yield from _compare("intents", set(expected), set(seen))
    for source in expected.values():
        yield from _compare(source.id, source, seen.get(source.id))


def _spent_twice(auditor: Auditor, twin: Twin) -> Iterator[str]:
    """No source may pay more than came in through it, over all its invoices."""
    for source in auditor.sources.values():
        links = twin.invoice_payments.matching("source_id", source.id)
        spent = sum(one.amount_paid or 0 for one in links)
        if spent > source.received:
            yield f"{source.id}: {spent} were credited, but {source.received} came in"


def _customers(auditor: Auditor, twin: Twin) -> Iterator[str]:
    currencies = {one.currency for one in (*auditor.sheets.values(), *auditor.adjustments)}
    for customer in twin.customers:
        balances = {code: auditor.balance(customer.id, code) for code in currencies}
        expected = {code: value for code, value in balances.items() if value}
        yield from _compare(f"{customer.id}.balance", expected, dict(customer.credit_balance))


def _events(auditor: Auditor, announced: Counter[str]) -> Iterator[str]:
    for name in AUDITED_EVENTS:
        yield from _compare(f"number of {name}", auditor.heard[name], announced[name])


def _compare(what: str, expected: object, found: object) -> Iterator[str]:
    if expected != found:
        yield f"{what}: must be {expected}, is {found}"
