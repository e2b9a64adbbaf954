"""From records to Stripe's JSON, with every field that the API's current shape requires.

What the ledger does not know has the default of an object that does not use it. Fields that
Stripe leaves out unless they are expanded are left out here as well; see `expansion`.
Source: https://docs.stripe.com/api, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.sandbox.stripe_api import rendering_invoices as invoices
from gateway.sandbox.stripe_api import rendering_notes as notes
from gateway.sandbox.stripe_api import rendering_payments as payments
from gateway.sandbox.stripe_api.account import Account, InvoiceItem, StoredEvent, WebhookEndpoint
from schema import records

NOT_SHOWN = frozenset({"days_until_due", "outcome"})
"""Kept with an object, and no field of it."""


def render(account: Account, record: Any, kept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The object as Stripe prints it; a dictionary is printed already.

    `kept` stands in for what is kept beside the ledger now.
    """
    if isinstance(record, dict):
        return record
    shown = RENDERERS[type(record)](account, record)
    if record.id in account.twin.customer_accounts:
        shown["customer_account"] = account.twin.customer_accounts[record.id]
    kept = account.details.get(record.id, {}) if kept is None else kept
    return {**shown, **{name: value for name, value in kept.items() if name not in NOT_SHOWN}}


def _customer(account: Account, one: records.Customer) -> dict[str, Any]:
    """A credit in their favour is below zero in `balance`, above in `invoice_credit_balance`."""
    code = one.currency
    return {
        "id": one.id,
        "object": "customer",
        "address": None,
        "balance": 0 if code is None else one.balance_in(code),
        "created": one.created,
        "currency": code,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": one.email,
        "invoice_credit_balance": dict(one.credit_balance),
        "invoice_prefix": one.id.removeprefix("cus_").replace("_", "")[:8].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "name": one.name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def _webhook_endpoint(account: Account, one: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "webhook_endpoint",
        "api_version": one.api_version,
        "application": None,
        "created": one.created,
        "description": one.description,
        "enabled_events": list(one.enabled_events),
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "status": "enabled" if one.enabled else "disabled",
        "url": one.url,
    }


def _event(account: Account, one: StoredEvent) -> dict[str, Any]:
    return {**orjson.loads(one.body), "pending_webhooks": len(one.waiting)}


RENDERERS: Mapping[type, Callable[[Account, Any], dict[str, Any]]] = {
    records.Customer: _customer,
    records.Invoice: invoices.invoice,
    records.InvoiceLineItem: invoices.line_item,
    records.CreditNote: notes.credit_note,
    InvoiceItem: invoices.invoice_item,
    records.InvoicePayment: payments.invoice_payment,
    records.PaymentIntent: payments.payment_intent,
    records.PaymentRecord: payments.payment_record,
    records.Charge: payments.charge,
    WebhookEndpoint: _webhook_endpoint,
    StoredEvent: _event,
}
