"""The steps of an invoice: finalize, send, pay, void, and what pays it: attach and detach.

Source: https://docs.stripe.com/api/invoices, 2026-10-28.endive; `detach_payment`,
`amount_requested` and `payment_record_data` exist in preview versions only (2026-01-28.preview).
"""

from __future__ import annotations

from gateway.sandbox.stripe_api import payment_methods
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call, Operation
from gateway.sandbox.stripe_api.errors import invalid, missing
from gateway.sandbox.stripe_api.intent_steps import settle_with
from gateway.sandbox.stripe_api.parameters import (
    Table,
    amount,
    anything,
    boolean,
    currency,
    hash_of,
    instant,
    metadata,
    preview,
    refused,
    required,
    share,
    table,
    text,
)
from gateway.sandbox.stripe_api.payment_records import check_attachable, reported_here
from gateway.sandbox.stripe_api.rendering import invoice_prefix
from schema import records

ONE = "/v1/invoices/{invoice}"

RECORD_DATA = hash_of(
    amount=required(amount),
    currency=required(currency),
    metadata=metadata,
    money_movement_type=required(text),
    paid_at=instant,
    payment_reference=text,
)
PAID: Table = table(
    forgive=boolean,
    mandate=anything,
    off_session=boolean,
    paid_out_of_band=boolean,
    payment_method=text,
    source=refused,
)
ATTACHED: Table = table(
    amount_requested=preview(share),
    payment_intent=text,
    payment_record=text,
    payment_record_data=preview(RECORD_DATA),
)


def finalize(account: Account, call: Call) -> records.Invoice:
    invoice = account.get("invoice", call.id)
    if invoice.status == "draft":
        account.keep(invoice.id, call.picked("auto_advance"))
    return account.twin.finalize(invoice.id, number=_number(account, invoice), request=call.request)


def _number(account: Account, invoice: records.Invoice) -> str:
    """The customer's prefix, and the place among the customer's numbered invoices."""
    prefix = invoice_prefix(invoice.customer_id or "")
    of_customer = account.twin.invoices.matching("customer_id", invoice.customer_id)
    return f"{prefix}-{sum(one.number is not None for one in of_customer) + 1:04}"


def send(account: Account, call: Call) -> records.Invoice:
    """Finalizes a draft, as Stripe does, and says that the invoice went out."""
    invoice = account.get("invoice", call.id)
    if invoice.status == "draft":
        invoice = finalize(account, call)
    account.twin.tell("invoice.sent", invoice, request=call.request)
    return account.twin.invoice(invoice.id)


def pay(account: Account, call: Call) -> records.Invoice:
    """Out of band, or through the default PaymentIntent; without a method the money comes."""
    invoice = account.get("invoice", call.id)
    if call.params.get("paid_out_of_band"):
        return account.twin.pay_out_of_band(invoice.id, call.request)
    method = call.params.get("payment_method")
    if method is None:
        return account.twin.pay(invoice.id, call.request)
    outcome = payment_methods.outcome_of(method)
    if outcome.kind == payment_methods.SUCCEEDS:
        return account.twin.pay(invoice.id, call.request)
    default = account.twin.book(invoice.id).open_default
    if default is None:
        return account.twin.pay(invoice.id, call.request)
    if outcome.kind == payment_methods.DECLINES:
        account.twin.tell("invoice.payment_failed", invoice, request=call.request)
    settle_with(account, account.twin.intent(default.source_id), method, call)
    return account.twin.invoice(invoice.id)


def void(account: Account, call: Call) -> records.Invoice:
    return account.twin.void(account.get("invoice", call.id).id, call.request)


def mark_uncollectible(account: Account, call: Call) -> records.Invoice:
    return account.twin.mark_uncollectible(account.get("invoice", call.id).id, call.request)


def attach_payment(account: Account, call: Call) -> records.Invoice:
    """Exactly one source: that is a rule of the server, not of the table."""
    invoice = account.get("invoice", call.id)
    given = call.picked("payment_intent", "payment_record", "payment_record_data")
    if not given:
        raise missing("payment_intent")
    if len(given) > 1:
        names = ", ".join(given)
        raise invalid(
            f"You may only specify one of these parameters: {names}.",
            next(iter(given)),
            "parameters_exclusive",
        )
    name, value = next(iter(given.items()))
    if name == "payment_record_data":
        source = reported_here(account, invoice, value, call)
    else:
        source = account.referred(name, value, name)
        check_attachable(account, source)
    account.twin.attach(
        invoice.id,
        source.id,
        amount_requested=call.params.get("amount_requested"),
        request=call.request,
    )
    return account.twin.invoice(invoice.id)


def detach_payment(account: Account, call: Call) -> records.Invoice:
    invoice = account.get("invoice", call.id)
    if "payment_intent" not in call.params:
        raise missing("payment_intent")
    intent = account.referred("payment_intent", call.params["payment_intent"], "payment_intent")
    account.twin.detach(invoice.id, intent.id, request=call.request)
    return account.twin.invoice(invoice.id)


OPERATIONS = (
    Operation("POST", f"{ONE}/finalize", "invoice", finalize, table(auto_advance=boolean)),
    Operation("POST", f"{ONE}/pay", "invoice", pay, PAID),
    Operation("POST", f"{ONE}/send", "invoice", send),
    Operation("POST", f"{ONE}/void", "invoice", void),
    Operation("POST", f"{ONE}/mark_uncollectible", "invoice", mark_uncollectible),
    Operation("POST", f"{ONE}/attach_payment", "invoice", attach_payment, ATTACHED),
    Operation(
        "POST",
        f"{ONE}/detach_payment",
        "invoice",
        detach_payment,
        table(payment_intent=text),
        preview=True,
    ),
)
