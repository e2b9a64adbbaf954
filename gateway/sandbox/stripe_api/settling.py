"""What happens in the world outside, on order: money arrives or does not; a draft appears.

These are calls of the sandbox itself, for which Stripe has no operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api import edits, payment_methods
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call
from gateway.sandbox.stripe_api.intent_steps import arrive
from gateway.sandbox.stripe_api.parameters import amount, currency, text
from schema import records

OUTCOMES = ("succeeded", "failed")


def settle(account: Account, intent_id: str, outcome: str) -> records.PaymentIntent:
    """Let an intent that is processing, or asks for an action, come to its end.

    Raises `ValueError` for an unknown outcome, `StripeError` and `Refused` as the API would.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, got {outcome!r}")
    intent = account.get("payment_intent", intent_id)
    automatic = Request()
    if outcome == "succeeded":
        account.keep(intent.id, {"next_action": None})
        return arrive(account, intent.id, Call({}, {}, automatic, ""))
    declined = payment_methods.outcome_of("pm_card_chargeDeclined")
    method = account.kept(intent.id, "payment_method") or "pm_card_chargeDeclined"
    error = payment_methods.last_payment_error(declined, method, intent)
    account.keep(
        intent.id, {"payment_method": None, "last_payment_error": error, "next_action": None}
    )
    return edits.fail_attempt(account.twin, intent.id, automatic)


def draft(account: Account, given: Mapping[str, Any]) -> records.Invoice:
    """A draft over one amount, in one call. Raises `StripeError`."""
    twin = account.twin
    customer_id = text(given.get("customer", ""), "customer")
    customer = account.referred("customer", customer_id, "customer")
    total = amount(str(given.get("amount", "")), "amount")
    invoice = records.Invoice(
        id=twin.new_id("in"),
        created=twin.now(),
        currency=currency(given.get("currency", "usd"), "currency"),
        customer_id=customer.id,
        status="draft",
        livemode=twin.livemode,
        customer_name=customer.name,
        customer_email=customer.email,
    )
    twin.create_invoice(invoice, ())
    line = records.InvoiceLineItem(
        id=twin.new_id("il"),
        invoice_id=invoice.id,
        amount=total,
        currency=invoice.currency,
        description=given.get("description"),
        quantity="1",
    )
    edits.change_lines(twin, invoice, (line,), Request())
    return twin.invoice(invoice.id)
