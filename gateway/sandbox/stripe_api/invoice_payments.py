"""The operations on invoice payments: they are only read; attach and detach stand with invoices.

Source: https://docs.stripe.com/api/invoice-payment, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.errors import missing
from gateway.sandbox.stripe_api.lists import page_of, query_of
from gateway.sandbox.stripe_api.parameters import hash_of, one_of, required, table, text, window
from schema import records

PAYMENT = hash_of(
    payment_intent=text,
    payment_record=text,
    type=required(one_of("payment_intent", "payment_record")),
)


def retrieve(account: Account, call: Call) -> Any:
    return account.get("invoice_payment", call.id)


def list_all(account: Account, call: Call) -> Listed:
    given = call.params
    if "invoice" in given:
        account.referred("invoice", given["invoice"], "invoice")
    source_id, check = _source(given.get("payment"))
    query = query_of(
        call,
        check,
        invoice_id=given.get("invoice"),
        source_id=source_id,
        status=given.get("status"),
    )
    return page_of(call, "invoice_payment", account.twin.invoice_payments, query)


def _source(
    payment: dict[str, str] | None,
) -> tuple[str | None, Callable[[records.InvoicePayment], bool] | None]:
    """What the payments have in common: their source, or at least its type."""
    if payment is None:
        return None, None
    kind = payment["type"]
    others = set(payment) - {"type", kind}
    if others:
        raise missing(f"payment[{kind}]")

    def check(one: records.InvoicePayment) -> bool:
        return one.source_type == kind

    return payment.get(kind), check


KIND = "invoice_payment"

OPERATIONS = (
    Operation(
        "GET",
        "/v1/invoice_payments",
        KIND,
        list_all,
        table(
            created=window,
            invoice=text,
            payment=PAYMENT,
            status=one_of("canceled", "open", "paid"),
        ),
        is_list=True,
    ),
    Operation("GET", "/v1/invoice_payments/{invoice_payment}", KIND, retrieve),
)
