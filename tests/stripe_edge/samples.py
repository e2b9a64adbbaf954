"""Objects as Stripe sends them in 2026-10-28.endive, made for these tests: small, round amounts."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]

CREATED = 1_767_225_600
"""2026-01-01T00:00:00Z."""


def listed(items: list[Any], *, has_more: bool = False) -> Raw:
    return {"object": "list", "data": items, "has_more": has_more, "url": "/v1/things"}


def customer(customer_id: str = "cus_1", **fields: Any) -> Raw:
    return {
        "id": customer_id,
        "object": "customer",
        "created": CREATED,
        "livemode": False,
        "name": "Ada",
        "email": "ada@example.com",
        "balance": 0,
        "currency": "usd",
        "metadata": {"team": "blue"},
        **fields,
    }


def line(line_id: str = "il_1", **fields: Any) -> Raw:
    return {
        "id": line_id,
        "object": "line_item",
        "amount": 1000,
        "currency": "usd",
        "description": "One thing",
        "quantity": 2,
        "period": {"start": CREATED, "end": CREATED + 60},
        **fields,
    }


def invoice(invoice_id: str = "in_1", *, due: int = 1000, paid: int = 0, **fields: Any) -> Raw:
    """An invoice that is open, or paid when nothing remains."""
    return {
        "id": invoice_id,
        "object": "invoice",
        "created": CREATED,
        "currency": "usd",
        "customer": "cus_1",
        "customer_name": "Ada",
        "customer_email": "ada@example.com",
        "account_name": "Example Books",
        "status": "open" if paid < due else "paid",
        "livemode": False,
        "number": "A-1",
        "collection_method": "send_invoice",
        "description": None,
        "parent": None,
        "subtotal": due,
        "total": due,
        "amount_due": due,
        "amount_paid": paid,
        "amount_remaining": due - paid,
        "amount_overpaid": 0,
        "pre_payment_credit_notes_amount": 0,
        "post_payment_credit_notes_amount": 0,
        "due_date": None,
        "status_transitions": {
            "finalized_at": CREATED,
            "paid_at": None,
            "voided_at": None,
            "marked_uncollectible_at": None,
        },
        "hosted_invoice_url": "https://pay.example.com/in_1",
        "invoice_pdf": None,
        "lines": listed([line()]),
        "metadata": {},
        **fields,
    }


def intent(intent_id: str = "pi_1", *, amount: int = 300, **fields: Any) -> Raw:
    """A PaymentIntent that has succeeded."""
    return {
        "id": intent_id,
        "object": "payment_intent",
        "created": CREATED,
        "currency": "usd",
        "status": "succeeded",
        "amount": amount,
        "amount_received": amount,
        "customer": "cus_1",
        "client_secret": f"{intent_id}_secret_hush",
        "description": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "livemode": False,
        "metadata": {},
        **fields,
    }


def payment(
    payment_id: str = "inpay_1",
    source: Raw | str = "pi_1",
    *,
    kind: str = "payment_intent",
    amount: int = 300,
    **fields: Any,
) -> Raw:
    """A paid invoice payment; the source is an id or the expanded object."""
    return {
        "id": payment_id,
        "object": "invoice_payment",
        "created": CREATED,
        "currency": "usd",
        "invoice": "in_1",
        "status": "paid",
        "payment": {"type": kind, kind: source},
        "amount_requested": amount,
        "amount_paid": amount,
        "is_default": False,
        "livemode": False,
        "status_transitions": {"canceled_at": None, "paid_at": CREATED},
        **fields,
    }


def default_payment(payment_id: str = "inpay_9", *, amount: int = 1000) -> Raw:
    """The open payment that Stripe keeps in step with what remains."""
    source = intent("pi_9", amount=amount, amount_received=0, status="requires_payment_method")
    return payment(
        payment_id, source, amount=amount, amount_paid=None, status="open", is_default=True
    )


def payment_record(record_id: str = "pr_1", *, amount: int = 400, **fields: Any) -> Raw:
    return {
        "id": record_id,
        "object": "payment_record",
        "created": CREATED,
        "amount": {"currency": "usd", "value": amount},
        "customer_details": {"customer": "cus_1", "email": None},
        "description": "transfer 7",
        "processor_details": {"type": "custom", "custom": {"payment_reference": "transfer 7"}},
        "livemode": False,
        "metadata": {},
        **fields,
    }


def charge(charge_id: str = "ch_1", **fields: Any) -> Raw:
    return {
        "id": charge_id,
        "object": "charge",
        "created": CREATED,
        "currency": "usd",
        "amount": 500,
        "customer": "cus_1",
        **fields,
    }


def credit_note(note_id: str = "cn_1", **fields: Any) -> Raw:
    """Of 900, 200 lower the balance; of the 700 given back 300 are refunded, 100 out of band."""
    return {
        "id": note_id,
        "object": "credit_note",
        "created": CREATED,
        "currency": "usd",
        "invoice": "in_1",
        "customer": "cus_1",
        "amount": 900,
        "pre_payment_amount": 200,
        "post_payment_amount": 700,
        "out_of_band_amount": 100,
        "refunds": [
            {
                "amount_refunded": 300,
                "refund": "re_1",
                "payment_record_refund": None,
                "type": "refund",
            }
        ],
        "customer_balance_transaction": "cbtxn_1",
        "type": "mixed",
        "status": "issued",
        "number": "A-1-CN-01",
        "reason": "duplicate",
        "memo": None,
        "voided_at": None,
        "livemode": False,
        "metadata": {},
        **fields,
    }


def invoice_with(*payments: Raw, has_more: bool = False, **fields: Any) -> Raw:
    """An invoice read with its payments; what is paid is what they add up to."""
    paid = sum(one["amount_paid"] or 0 for one in payments if one["status"] == "paid")
    given: Raw = {"paid": paid, **fields}
    return invoice(**given, payments=listed(list(payments), has_more=has_more))
