"""The operations on payment records: money that moved elsewhere, and is reported.

The ledger knows only records whose money has come. What a record's attempt came to is kept beside
it as `outcome`, and only a guaranteed one can be attached.
Source: https://docs.stripe.com/api/payment-record, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from gateway.backends.memory.tables import Query
from gateway.ledger import payments
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.errors import StripeError, check_step
from gateway.sandbox.stripe_api.operations import (
    Call,
    Listed,
    Operation,
    page_of,
    query_of,
    reading,
)
from gateway.sandbox.stripe_api.rendering import constants
from schema import records


def report_payment(account: Account, call: Call) -> records.PaymentRecord:
    given, twin = call.params, account.twin
    customer = (given.get("customer_details") or {}).get("customer")
    if customer is not None:
        account.referred("customer", customer, "customer_details[customer]")
    stated = given["amount_requested"]
    check_step(stated["value"], stated["currency"], "amount_requested[value]")
    custom = (given.get("processor_details") or {}).get("custom") or {}
    record = records.PaymentRecord(
        id=twin.new_id("pr"),
        created=twin.now(),
        currency=stated["currency"],
        amount=stated["value"],
        customer_id=customer,
        description=given.get("description"),
        reference=custom.get("payment_reference"),
        livemode=twin.livemode,
        metadata=merged((), given.get("metadata")),
    )
    how = given["payment_method_details"].get("custom") or {}
    method = {
        **constants(KIND)["payment_method_details"],
        "custom": {"display_name": None, "type": None, **how},
    }
    account.keep(
        record.id,
        {
            "outcome": _outcome(call),
            "payment_method_details": method,
            **call.picked("customer_presence"),
        },
    )
    return twin.report_payment(record)


def _outcome(call: Call) -> str:
    """What the attempt came to; without one it is still under way."""
    stated: str = call.params.get("outcome", "requested")
    return stated


def reported_here(
    account: Account, invoice: records.Invoice, given: dict[str, Any], call: Call
) -> records.PaymentRecord:
    """The record that `payment_record_data` of an attach describes, kept if it can be attached."""
    twin = account.twin
    record = records.PaymentRecord(
        id=twin.new_id("pr"),
        created=twin.now(),
        currency=given["currency"],
        amount=given["amount"],
        customer_id=invoice.customer_id,
        description=given.get("payment_reference"),
        reference=given.get("payment_reference"),
        livemode=twin.livemode,
        metadata=merged((), given.get("metadata")),
    )
    requested = call.params.get("amount_requested")
    refusals = payments.attach_refusals(twin.book(invoice.id), record, requested, 0)
    refusal = next(refusals, None)
    if refusal is not None:
        raise refusal
    return twin.report_payment(record)


def check_attachable(account: Account, source: Any) -> None:
    """Only money that has come can be credited."""
    outcome = account.kept(source.id, "outcome", "guaranteed")
    if isinstance(source, records.PaymentRecord) and outcome != "guaranteed":
        raise StripeError(
            f"The payment attempt of {source.id} is {outcome}; only a guaranteed one can be "
            "attached.",
            param="payment_record",
        )


def list_all(account: Account, call: Call) -> Listed:
    start, end = call.params.get("created_after"), call.params.get("created_before")
    query: Query[records.PaymentRecord] = replace(
        query_of(call),
        created_from=None if start is None else start + 1,
        created_to=None if end is None else end - 1,
    )
    return page_of(call, "payment_record", account.twin.payment_records, query)


def report_attempt(account: Account, call: Call) -> records.PaymentRecord:
    """Another attempt at the same payment."""
    return _come_to(_outcome(call), account, call)


def _come_to(outcome: str, account: Account, call: Call) -> records.PaymentRecord:
    record = account.get("payment_record", call.id)
    paying = account.twin.invoice_payments.matching("source_id", record.id)
    if outcome != "guaranteed" and any(one.status == "paid" for one in paying):
        raise StripeError(f"{record.id} has paid an invoice and cannot become {outcome}.")
    account.keep(record.id, {"outcome": outcome})
    return informational(account, call)


def informational(account: Account, call: Call) -> records.PaymentRecord:
    record: records.PaymentRecord = account.get("payment_record", call.id)
    fields: dict[str, Any] = call.picked("description")
    if "metadata" in call.params:
        fields["metadata"] = merged(record.metadata, call.params["metadata"])
    return account.twin.report_payment(replace(record, **fields))


def report_refund(account: Account, call: Call) -> records.PaymentRecord:
    """Money given back elsewhere. What it paid in the ledger stays: Stripe documents no more."""
    record = account.get("payment_record", call.id)
    back = (call.params.get("amount") or {}).get("value", record.amount)
    check_step(back, record.currency, "amount[value]")
    before = (account.kept(record.id, "amount_refunded") or {}).get("value", 0)
    if before + back > record.amount:
        raise StripeError(
            f"{before + back} would be refunded of {record.amount}.",
            code="amount_too_large",
            param="amount",
        )
    account.keep(
        record.id, {"amount_refunded": {"currency": record.currency, "value": before + back}}
    )
    return informational(account, call)


KIND = "payment_record"
ALL = "/v1/payment_records"
ONE = "/v1/payment_records/{id}"
ATTEMPT = f"{ONE}/report_payment_attempt"

OPERATIONS = (
    Operation("GET", ALL, KIND, list_all, is_list=True),
    Operation("POST", f"{ALL}/report_payment", KIND, report_payment),
    reading(KIND, ONE),
    Operation("POST", ATTEMPT, KIND, report_attempt),
    *(
        Operation("POST", f"{ATTEMPT}_{outcome}", KIND, partial(_come_to, outcome))
        for outcome in ("guaranteed", "failed", "canceled")
    ),
    Operation("POST", f"{ATTEMPT}_informational", KIND, informational),
    Operation("POST", f"{ONE}/report_refund", KIND, report_refund),
)
