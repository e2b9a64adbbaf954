"""The operations on payment records: money that moved elsewhere, and is reported.

The ledger knows only records whose money has come. What a record's attempt came to is kept beside
it as `outcome`, and only a guaranteed one can be attached.
Source: https://docs.stripe.com/api/payment-record, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.ledger import payments
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import StripeError, check_step, invalid, stated
from gateway.sandbox.stripe_api.rendering import constants
from schema import records


def report(account: Account, call: Call) -> records.PaymentRecord:
    given = call.params
    customer = (given.get("customer_details") or {}).get("customer")
    if customer is not None:
        account.get("customer", customer, "customer_details[customer]")
    stated = given["amount_requested"]
    check_step(stated["value"], stated["currency"], "amount_requested[value]")
    custom = (given.get("processor_details") or {}).get("custom") or {}
    record = records.PaymentRecord(
        **account.fresh("pr", given),
        currency=stated["currency"],
        amount=stated["value"],
        customer_id=customer,
        description=given.get("description"),
        reference=custom.get("payment_reference"),
    )
    how = given["payment_method_details"].get("custom") or {}
    method = {
        **constants("payment_record")["payment_method_details"],
        "custom": {"display_name": None, "type": None, **how},
    }
    kept = {"outcome": _outcome(call), "payment_method_details": method}
    account.keep(record.id, kept | call.picked("customer_presence"))
    return account.twin.report_payment(record)


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
        **account.fresh("pr", given),
        currency=given["currency"],
        amount=given["amount"],
        customer_id=invoice.customer_id,
        description=given.get("payment_reference"),
        reference=given.get("payment_reference"),
    )
    requested = call.params.get("amount_requested")
    for refusal in payments.attach_refusals(twin.book(invoice.id), record, requested, 0):
        raise refusal
    return twin.report_payment(record)


def check_attachable(
    account: Account, source: records.PaymentIntent | records.PaymentRecord
) -> None:
    """Only money that has come can be credited."""
    outcome = account.kept(source.id, "outcome", "guaranteed")
    if isinstance(source, records.PaymentRecord) and outcome != "guaranteed":
        raise stated("not_guaranteed", "payment_record", record=source.id, outcome=outcome)


def report_attempt(account: Account, call: Call) -> records.PaymentRecord:
    """Another attempt at the same payment."""
    return come_to(_outcome(call), account, call)


def come_to(outcome: str, account: Account, call: Call) -> records.PaymentRecord:
    record = account.get("payment_record", call.id)
    paying = account.twin.invoice_payments.matching("source_id", record.id)
    if outcome != "guaranteed" and any(one.status == "paid" for one in paying):
        raise StripeError(f"{record.id} has paid an invoice and cannot become {outcome}.")
    account.keep(record.id, {"outcome": outcome})
    return inform(account, call)


def inform(account: Account, call: Call) -> records.PaymentRecord:
    record: records.PaymentRecord = account.get("payment_record", call.id)
    changes = call.changes(record.metadata, "description")
    return account.twin.report_payment(replace(record, **changes))


def report_refund(account: Account, call: Call) -> records.PaymentRecord:
    """Money given back elsewhere. What it paid in the ledger stays: Stripe documents no more."""
    record = account.get("payment_record", call.id)
    back = (call.params.get("amount") or {}).get("value", record.amount)
    check_step(back, record.currency, "amount[value]")
    refunded = (account.kept(record.id, "amount_refunded") or {}).get("value", 0) + back
    if refunded > record.amount:
        message = f"{refunded} would be refunded of {record.amount}."
        raise invalid(message, "amount", "amount_too_large")
    account.keep(record.id, {"amount_refunded": {"currency": record.currency, "value": refunded}})
    return inform(account, call)
