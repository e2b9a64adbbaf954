"""What can only be read: invoice payments, and the old charges that they may point at.

Attach and detach stand with invoices; the sandbox makes no charges.
Source: https://docs.stripe.com/api/invoice-payment and https://docs.stripe.com/api/charges,
2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.errors import missing
from gateway.sandbox.stripe_api.operations import (
    Call,
    Listed,
    Operation,
    listing,
    page_of,
    query_of,
    reading,
)
from schema import records


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


OPERATIONS = (
    Operation("GET", "/v1/invoice_payments", "invoice_payment", list_all, is_list=True),
    reading("invoice_payment", "/v1/invoice_payments/{invoice_payment}"),
    listing("charge", "/v1/charges", compared={"customer": "customer_id"}),
    reading("charge", "/v1/charges/{charge}"),
)
