"""Changes of objects that touch no rule of the ledger, or only the rules of drafts.

The twin's own operations are those of the ledger. Here is what Stripe's API can change besides:
names, descriptions, metadata, the lines of a draft. Each is written and announced in one step.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from gateway.backends.memory.twin import Request, Twin
from gateway.ledger.book import EDITABLE, claim, foretold
from gateway.ledger.facts import Fact, facts
from gateway.sandbox.stripe_api.errors import StripeError
from schema import records

Lines = tuple[records.InvoiceLineItem, ...]


def change_customer(
    twin: Twin, customer: records.Customer, request: Request, **changes: Any
) -> records.Customer:
    changed = replace(customer, **changes)
    twin.enter_customer(changed)
    twin.tell("customer.updated", changed, _previous(customer, changed), request=request)
    return changed


def change_invoice(
    twin: Twin, invoice: records.Invoice, request: Request, **changes: Any
) -> records.Invoice:
    """Fields that no amount depends on; `invoice.updated` is announced even without a difference,
    as there may be one in what the ledger does not know."""
    changed = replace(invoice, **changes)
    twin.invoices.put(changed)
    twin.tell("invoice.updated", changed, _previous(invoice, changed), request=request)
    return changed


def check_draft(invoice: records.Invoice, param: str) -> None:
    """Raises `StripeError` for an invoice that can no longer be edited."""
    if invoice.status != "draft":
        raise StripeError(
            f"Invoice {invoice.id} is {invoice.status}; only drafts can be edited.",
            code="invoice_not_editable",
            param=param,
        )


def change_lines(twin: Twin, invoice: records.Invoice, lines: Lines, request: Request) -> None:
    """The lines of a draft, and the totals that follow from them. Raises `StripeError`."""
    check_draft(invoice, "invoice")
    total = sum(line.amount for line in lines)
    before = twin.book(invoice.id)
    changed = replace(invoice, subtotal=total, total=total)
    twin.lines[invoice.id] = lines
    twin.invoices.put(foretold(changed, before.customer))
    twin.announce(facts(before, twin.book(invoice.id)), request)


def change_intent(
    twin: Twin, intent: records.PaymentIntent, request: Request, **changes: Any
) -> records.PaymentIntent:
    """An intent that no money has moved for. A default one is kept by its invoice.

    Source: https://docs.stripe.com/invoicing/partial-payments, 2026-10-28.endive.
    """
    changed = replace(intent, **changes)
    if _terms(changed) != _terms(intent):
        _check_terms(twin, intent, changed)
    twin.payment_intents.put(changed)
    return changed


def _terms(intent: records.PaymentIntent) -> tuple[Any, ...]:
    return intent.amount, intent.currency, intent.customer_id


def _check_terms(twin: Twin, intent: records.PaymentIntent, changed: records.PaymentIntent) -> None:
    if intent.status not in EDITABLE:
        raise StripeError(
            f"This PaymentIntent's amount, currency and customer could not be updated because it "
            f"has a status of {intent.status}.",
            code="payment_intent_unexpected_state",
        )
    behind = [
        one for one in twin.invoice_payments.matching("source_id", intent.id) if claim(one) > 0
    ]
    if any(one.is_default for one in behind):
        raise StripeError(
            f"{intent.id} is kept by its invoice and cannot be edited directly.",
            code="payment_intent_unexpected_state",
        )
    claimed = sum(claim(one) for one in behind)
    if behind and (changed.amount < claimed or _terms(changed)[1:] != _terms(intent)[1:]):
        raise StripeError(
            f"{intent.id} is attached to invoices for {claimed}: detach it before it is changed.",
            code="payment_intent_unexpected_state",
        )


def fail_attempt(twin: Twin, intent_id: str, request: Request) -> records.PaymentIntent:
    """An attempt to pay was declined; the intent waits for another payment method."""
    intent = twin.intent(intent_id)
    if intent.status != "requires_payment_method":
        return twin.progress(intent_id, "requires_payment_method", request=request)
    twin.announce([Fact("payment_intent.payment_failed", intent)], request)
    return intent


def change_credit_note(
    twin: Twin, note: records.CreditNote, request: Request, **changes: Any
) -> records.CreditNote:
    changed = replace(note, **changes)
    twin.credit_notes.put(changed)
    twin.announce([Fact("credit_note.updated", changed, _previous(note, changed))], request)
    return changed


def _previous(before: Any, after: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (one.name, getattr(before, one.name))
        for one in fields(before)
        if getattr(before, one.name) != getattr(after, one.name)
    )
