"""The state of a twin as Stripe's objects: the fixtures format, in the other direction.

Every field of a record is written, so that reading it back needs no default; whatever Stripe
shows beyond the records is left out. The lists are in the twin's order, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.backends.memory.twin import Twin
from schema import records


def write_fixtures(twin: Twin) -> dict[str, list[dict[str, Any]]]:
    """The fixtures of this very state: `read_fixtures` of its JSON gives the same records."""
    written = {
        "customers": [
            *(_customer(one) for one in twin.customers),
            *(deleted("customer", customer_id) for customer_id in twin.deleted_customers),
        ],
        "payment_intents": [_intent(one) for one in twin.payment_intents],
        "payment_records": [_payment_record(one) for one in twin.payment_records],
        "charges": [_charge(one) for one in twin.charges],
        "invoices": [_invoice(one, twin.lines.get(one.id, ())) for one in twin.invoices],
        "invoice_payments": [_payment(one) for one in twin.invoice_payments],
        "credit_notes": [_credit_note(one) for one in twin.credit_notes],
    }
    for objects in written.values():
        for one in objects:
            if one["id"] in twin.customer_accounts:
                one["customer_account"] = twin.customer_accounts[one["id"]]
    return written


def deleted(kind: str, object_id: str) -> dict[str, Any]:
    """What Stripe says of an object that is gone."""
    return {"id": object_id, "object": kind, "deleted": True}


def _customer(one: records.Customer) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "customer",
        "created": one.created,
        "livemode": one.livemode,
        "name": one.name,
        "email": one.email,
        "currency": one.currency,
        "invoice_credit_balance": dict(one.credit_balance),
        "metadata": dict(one.metadata),
    }


def _intent(one: records.PaymentIntent) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "payment_intent",
        "created": one.created,
        "livemode": one.livemode,
        "customer": one.customer_id,
        "currency": one.currency,
        "amount": one.amount,
        "amount_received": one.amount_received,
        "status": one.status,
        "description": one.description,
        "canceled_at": one.canceled_at,
        "cancellation_reason": one.cancellation_reason,
        "metadata": dict(one.metadata),
    }


def _payment_record(one: records.PaymentRecord) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "payment_record",
        "created": one.created,
        "livemode": one.livemode,
        "amount": {"currency": one.currency, "value": one.amount},
        "customer_details": {"customer": one.customer_id},
        "description": one.description,
        "processor_details": {"type": "custom", "custom": {"payment_reference": one.reference}},
        "metadata": dict(one.metadata),
    }


def _charge(one: records.Charge) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "charge",
        "created": one.created,
        "customer": one.customer_id,
        "currency": one.currency,
        "amount": one.amount,
    }


def _invoice(one: records.Invoice, lines: Iterable[records.InvoiceLineItem]) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "invoice",
        "created": one.created,
        "livemode": one.livemode,
        "customer": one.customer_id,
        "customer_name": one.customer_name,
        "customer_email": one.customer_email,
        "currency": one.currency,
        "status": one.status,
        "number": one.number,
        "collection_method": one.collection_method,
        "description": one.description,
        "parent": _parent(one.subscription_id),
        "subtotal": one.subtotal,
        "total": one.total,
        "starting_balance": one.starting_balance,
        "ending_balance": one.ending_balance,
        "amount_due": one.amount_due,
        "amount_paid": one.amount_paid,
        "amount_remaining": one.amount_remaining,
        "amount_overpaid": one.amount_overpaid,
        "pre_payment_credit_notes_amount": one.pre_payment_credit_notes_amount,
        "post_payment_credit_notes_amount": one.post_payment_credit_notes_amount,
        "due_date": one.due_date,
        "status_transitions": {
            "finalized_at": one.finalized_at,
            "paid_at": one.paid_at,
            "voided_at": one.voided_at,
            "marked_uncollectible_at": one.marked_uncollectible_at,
        },
        "hosted_invoice_url": one.hosted_invoice_url,
        "invoice_pdf": one.invoice_pdf,
        "lines": {"object": "list", "data": [_line(line) for line in lines], "has_more": False},
        "metadata": dict(one.metadata),
    }


def _parent(subscription_id: str | None) -> dict[str, Any] | None:
    if subscription_id is None:
        return None
    return {
        "type": "subscription_details",
        "subscription_details": {"subscription": subscription_id},
    }


def _line(one: records.InvoiceLineItem) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "line_item",
        "amount": one.amount,
        "currency": one.currency,
        "description": one.description,
        **_quantity(one.quantity),
        "period": {"start": one.period_start, "end": one.period_end},
    }


def _quantity(decimal: str | None) -> dict[str, Any]:
    if decimal is None or decimal.isdecimal():
        return {"quantity": None if decimal is None else int(decimal)}
    return {"quantity": None, "quantity_decimal": decimal}


def _payment(one: records.InvoicePayment) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "invoice_payment",
        "created": one.created,
        "livemode": one.livemode,
        "invoice": one.invoice_id,
        "currency": one.currency,
        "amount_requested": one.amount_requested,
        "amount_paid": one.amount_paid,
        "is_default": one.is_default,
        "payment": {"type": one.source_type, one.source_type: one.source_id},
        "status": one.status,
        "status_transitions": {"paid_at": one.paid_at, "canceled_at": one.canceled_at},
    }


def _credit_note(one: records.CreditNote) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "credit_note",
        "created": one.created,
        "livemode": one.livemode,
        "invoice": one.invoice_id,
        "customer": one.customer_id,
        "currency": one.currency,
        "number": one.number,
        "status": one.status,
        "type": one.type,
        "reason": one.reason,
        "memo": one.memo,
        "amount": one.amount,
        "pre_payment_amount": one.pre_payment_amount,
        "post_payment_amount": one.post_payment_amount,
        "credit_amount": one.credit_amount,
        "out_of_band_amount": one.out_of_band_amount,
        "refunds": [_refund(refund) for refund in one.refunds],
        "voided_at": one.voided_at,
    }


def _refund(one: records.CreditNoteRefund) -> dict[str, Any]:
    outside = one.payment_record_id is not None
    return {
        "amount_refunded": one.amount_refunded,
        "type": "payment_record_refund" if outside else "refund",
        "refund": one.refund_id,
        "payment_record_refund": {"payment_record": one.payment_record_id} if outside else None,
    }
