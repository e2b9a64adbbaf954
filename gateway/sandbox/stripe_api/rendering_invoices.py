"""Invoices, their lines, and the items behind these, as Stripe prints them.

Source: https://docs.stripe.com/api/invoices/object, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.sandbox.stripe_api.account import Account, InvoiceItem
from gateway.sandbox.stripe_api.lists import SUB_LIST_SIZE, printed
from schema import records


def invoice(account: Account, one: records.Invoice) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "invoice",
        **_amounts(one),
        **_unused(),
        "attempt_count": 1 if one.paid_at is not None else 0,
        "attempted": one.paid_at is not None,
        "auto_advance": False,
        "billing_reason": "manual" if one.subscription_id is None else "subscription_cycle",
        "collection_method": one.collection_method,
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer_id,
        "customer_email": one.customer_email,
        "customer_name": one.customer_name,
        "description": one.description,
        "due_date": one.due_date,
        "effective_at": one.finalized_at,
        "hosted_invoice_url": one.hosted_invoice_url,
        "invoice_pdf": one.invoice_pdf,
        "lines": _lines(account, one),
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "number": one.number,
        "parent": _parent(one),
        "period_end": one.created,
        "period_start": one.created,
        "status": one.status,
        "status_transitions": {
            "finalized_at": one.finalized_at,
            "marked_uncollectible_at": one.marked_uncollectible_at,
            "paid_at": one.paid_at,
            "voided_at": one.voided_at,
        },
    }


def _amounts(one: records.Invoice) -> dict[str, Any]:
    return {
        "amount_due": one.amount_due,
        "amount_overpaid": one.amount_overpaid,
        "amount_paid": one.amount_paid,
        "amount_remaining": one.amount_remaining,
        "amount_shipping": 0,
        "ending_balance": one.ending_balance,
        "post_payment_credit_notes_amount": one.post_payment_credit_notes_amount,
        "pre_payment_credit_notes_amount": one.pre_payment_credit_notes_amount,
        "starting_balance": one.starting_balance,
        "subtotal": one.subtotal,
        "subtotal_excluding_tax": one.subtotal,
        "total": one.total,
        "total_discount_amounts": [],
        "total_excluding_tax": one.total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


_UNUSED = (
    "account_country",
    "account_name",
    "account_tax_ids",
    "application",
    "automatically_finalizes_at",
    "custom_fields",
    "customer_account",
    "customer_address",
    "customer_phone",
    "customer_shipping",
    "default_payment_method",
    "default_source",
    "footer",
    "from_invoice",
    "last_finalization_error",
    "latest_revision",
    "next_payment_attempt",
    "on_behalf_of",
    "receipt_number",
    "rendering",
    "shipping_cost",
    "shipping_details",
    "statement_descriptor",
    "test_clock",
    "webhooks_delivered_at",
)
"""What the sandbox does not do: Connect, revisions, shipping; null on every invoice."""


def _unused() -> dict[str, Any]:
    """Fields of what the sandbox does not do: tax, discounts, Connect, revisions."""
    return {
        **dict.fromkeys(_UNUSED),
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
    }


def _parent(one: records.Invoice) -> dict[str, Any] | None:
    if one.subscription_id is None:
        return None
    details: dict[str, Any] = {
        "metadata": {},
        "pause_collection": None,
        "subscription": one.subscription_id,
    }
    return {
        "quote_details": None,
        "subscription_details": details,
        "type": "subscription_details",
    }


def _lines(account: Account, one: records.Invoice) -> dict[str, Any]:
    lines = account.twin.lines.get(one.id, ())
    shown = [line_item(account, line) for line in lines[:SUB_LIST_SIZE]]
    url = f"/v1/invoices/{one.id}/lines"
    return printed(url, shown, has_more=len(lines) > SUB_LIST_SIZE)


def line_item(account: Account, one: records.InvoiceLineItem) -> dict[str, Any]:
    """A line; the item it was made from is known where it was added through this API."""
    quantity = "1" if one.quantity is None else one.quantity
    invoice = account.twin.invoices.get(one.invoice_id)
    begun = invoice.created if invoice is not None else 0
    item = next(iter(account.invoice_items.matching("line_id", one.id)), None)
    return {
        "id": one.id,
        "object": "line_item",
        "amount": one.amount,
        "currency": one.currency,
        "description": one.description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": one.invoice_id,
        "livemode": invoice is not None and invoice.livemode,
        "metadata": {} if item is None else dict(item.metadata),
        "parent": None if item is None else _line_parent(item),
        "period": {
            "end": begun if one.period_end is None else one.period_end,
            "start": begun if one.period_start is None else one.period_start,
        },
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": int(quantity) if quantity.isdecimal() else None,
        "quantity_decimal": quantity,
        "subscription": None,
        "subtotal": one.amount,
        "taxes": [],
    }


def _line_parent(item: InvoiceItem) -> dict[str, Any]:
    return {
        "invoice_item_details": {
            "invoice_item": item.id,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": None,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def invoice_item(account: Account, one: InvoiceItem) -> dict[str, Any]:
    """Source: https://docs.stripe.com/api/invoiceitems/object, 2026-10-28.endive."""
    return {
        "id": one.id,
        "object": "invoiceitem",
        "amount": one.amount,
        "currency": one.currency,
        "customer": one.customer_id,
        "customer_account": None,
        "date": one.created,
        "description": one.description,
        "discountable": True,
        "discounts": [],
        "frozen_fields": None,
        "invoice": one.invoice_id,
        "invoicing_rules": None,
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "net_amount": one.amount,
        "parent": None,
        "period": {"end": one.period_end, "start": one.period_start},
        "pricing": None,
        "proration": False,
        "proration_details": None,
        "quantity": one.quantity,
        "quantity_decimal": str(one.quantity),
        "tax_rates": [],
        "test_clock": None,
    }
