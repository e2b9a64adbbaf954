"""Credit notes as Stripe prints them.

Source: https://docs.stripe.com/api/credit_notes/object, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.lists import printed
from schema import records

PAGES = "https://invoice.example.test"
"""Stands for the pages that Stripe would host; the name is reserved and leads nowhere."""


def credit_note(account: Account, one: records.CreditNote) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "credit_note",
        "amount": one.amount,
        "amount_shipping": 0,
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer_id,
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": one.created,
        "invoice": one.invoice_id,
        "lines": printed(
            f"/v1/credit_notes/{one.id}/lines", [_credit_note_line(one)], has_more=False
        ),
        "livemode": one.livemode,
        "memo": one.memo,
        "metadata": {},
        "number": one.number or one.id,
        "out_of_band_amount": one.out_of_band_amount,
        "pdf": f"{PAGES}/credit_notes/{one.id}/pdf",
        "post_payment_amount": one.post_payment_amount,
        "pre_payment_amount": one.pre_payment_amount,
        "pretax_credit_amounts": [],
        "reason": one.reason,
        "refunds": [_refund(refund) for refund in one.refunds],
        "shipping_cost": None,
        "status": one.status,
        "subtotal": one.amount,
        "subtotal_excluding_tax": one.amount,
        "total": one.amount,
        "total_excluding_tax": one.amount,
        "total_taxes": [],
        "type": one.type,
        "voided_at": one.voided_at,
    }


def _credit_note_line(one: records.CreditNote) -> dict[str, Any]:
    """A note of an amount has one line for all of it."""
    return {
        "id": f"cnli_{one.id.removeprefix('cn_')}",
        "object": "credit_note_line_item",
        "amount": one.amount,
        "description": one.memo,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": one.livemode,
        "metadata": None,
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": one.amount,
        "unit_amount_decimal": str(one.amount),
    }


def _refund(one: records.CreditNoteRefund) -> dict[str, Any]:
    outside = one.payment_record_id is not None
    record = {"payment_record": one.payment_record_id, "refund_group": None}
    return {
        "amount_refunded": one.amount_refunded,
        "payment_record_refund": record if outside else None,
        "refund": one.refund_id,
        "type": "payment_record_refund" if outside else "refund",
    }
