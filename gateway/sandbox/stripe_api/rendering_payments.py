"""What pays: invoice payments, PaymentIntents, payment records and charges, as Stripe prints them.

Source: https://docs.stripe.com/api/invoice-payment/object,
https://docs.stripe.com/api/payment_intents/object and
https://docs.stripe.com/api/payment-record/object, 2026-10-28.endive.
"""

from __future__ import annotations

import hashlib
from typing import Any

from gateway.sandbox.stripe_api.account import Account
from schema import records


def client_secret(intent_id: str) -> str:
    """The secret of an intent: the same at every look, and of no use elsewhere."""
    digest = hashlib.sha256(f"client secret of {intent_id}".encode()).hexdigest()
    return f"{intent_id}_secret_{digest[:24]}"


def invoice_payment(account: Account, one: records.InvoicePayment) -> dict[str, Any]:
    return {
        "id": one.id,
        "object": "invoice_payment",
        "amount_paid": one.amount_paid,
        "amount_requested": one.amount_requested,
        "created": one.created,
        "currency": one.currency,
        "invoice": one.invoice_id,
        "is_default": one.is_default,
        "livemode": one.livemode,
        "payment": {one.source_type: one.source_id, "type": one.source_type},
        "status": one.status,
        "status_transitions": {"canceled_at": one.canceled_at, "paid_at": one.paid_at},
    }


def payment_intent(account: Account, one: records.PaymentIntent) -> dict[str, Any]:
    capturable = one.amount if one.status == "requires_capture" else 0
    return {
        "id": one.id,
        "object": "payment_intent",
        **_unused_by_intents(),
        "amount": one.amount,
        "amount_capturable": capturable,
        "amount_details": {"tip": {}},
        "amount_received": one.amount_received,
        "canceled_at": one.canceled_at,
        "cancellation_reason": one.cancellation_reason,
        "capture_method": "automatic_async",
        "client_secret": client_secret(one.id),
        "confirmation_method": "automatic",
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer_id,
        "description": one.description,
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": one.status,
    }


def _unused_by_intents() -> dict[str, Any]:
    """Fields of what the sandbox does not do, or of what was not asked for.

    `latest_charge` is among them: the ledger knows no charges of its intents.
    """
    nothing = (
        "allowed_payment_method_types",
        "application",
        "application_fee_amount",
        "automatic_payment_methods",
        "customer_account",
        "excluded_payment_method_types",
        "last_payment_error",
        "latest_charge",
        "managed_payments",
        "next_action",
        "on_behalf_of",
        "payment_method",
        "payment_method_configuration_details",
        "processing",
        "receipt_email",
        "review",
        "setup_future_usage",
        "shipping",
        "source",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
    return dict.fromkeys(nothing)


PAID_ELSEWHERE = {
    "billing_details": None,
    "custom": {"display_name": "Paid elsewhere", "type": None},
    "payment_method": None,
    "type": "custom",
}


def payment_record(account: Account, one: records.PaymentRecord) -> dict[str, Any]:
    outcome = account.kept(one.id, "outcome", "guaranteed")

    def money(value: int) -> dict[str, Any]:
        return {"currency": one.currency, "value": value}

    return {
        "id": one.id,
        "object": "payment_record",
        "amount": money(one.amount),
        "amount_authorized": money(0),
        "amount_canceled": money(one.amount if outcome == "canceled" else 0),
        "amount_failed": money(one.amount if outcome == "failed" else 0),
        "amount_guaranteed": money(one.amount if outcome == "guaranteed" else 0),
        "amount_refunded": money(0),
        "amount_requested": money(one.amount),
        "application": None,
        "created": one.created,
        "customer_details": {
            "customer": one.customer_id,
            "email": None,
            "name": None,
            "phone": None,
        },
        "customer_presence": None,
        "description": one.description,
        "latest_payment_attempt_record": f"par_{one.id.removeprefix('pr_')}",
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "payment_method_details": PAID_ELSEWHERE,
        "processor_details": {
            "custom": {"payment_reference": one.reference},
            "type": "custom",
        },
        "reported_by": "self",
        "shipping_details": None,
    }


def charge(account: Account, one: records.Charge) -> dict[str, Any]:
    """An old charge that an invoice payment points at; only what the ledger knows of it."""
    return {
        "id": one.id,
        "object": "charge",
        "amount": one.amount,
        "amount_captured": one.amount,
        "amount_refunded": 0,
        "captured": True,
        "created": one.created,
        "currency": one.currency,
        "customer": one.customer_id,
        "disputed": False,
        "livemode": False,
        "metadata": {},
        "paid": True,
        "refunded": False,
        "status": "succeeded",
    }
