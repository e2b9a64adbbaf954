"""From records to Stripe's JSON, with every field that the API's current shape requires.

The constant parts of Stripe's objects, as they are where a feature is not used, stand in
`objects.json`; what the ledger knows is written by its shape; what follows from that is in
`objects.toml` where it is a copy, and otherwise here.
Fields that Stripe leaves out unless they are expanded are left out here as well; see `expansion`.
Source: https://docs.stripe.com/api, 2026-10-28.endive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import islice
from typing import Any

import orjson

from gateway.sandbox.stripe_api.account import (
    KIND_OF,
    OBJECTS,
    Account,
    EventDestination,
    InvoiceItem,
    StoredEvent,
    ThinEvent,
)
from gateway.stripe_objects.shapes import SHAPES
from gateway.stripe_objects.writing import written
from schema import records

Json = dict[str, Any]

SUB_LIST_SIZE = 10
"""Documented only as "the first handful"; nested lists have behaved as ten."""
NOT_SHOWN = frozenset({"credit_amount", "days_until_due", "outcome"})
"""Parameters that are kept with an object or its record, and no field of Stripe's."""
PAGES = "https://invoice.example.test"
"""Stands for the pages that Stripe would host; the name is reserved and leads nowhere."""


def render(account: Account, record: Any, kept: Json | None = None) -> Json:
    """The object as Stripe prints it; a dictionary is printed already.

    `kept` stands in for what is kept beside the ledger now.
    """
    if isinstance(record, dict):
        return record
    kind = KIND_OF[type(record)]
    shown = constants(kind)
    if kind in SHAPES:
        written(record, shown)
    for name, attribute in COPIED.get(kind, ()):
        shown[name] = getattr(record, attribute)
    if kind in FOLLOWING:
        shown |= FOLLOWING[kind](account, record)
    if record.id in account.twin.customer_accounts:
        shown["customer_account"] = account.twin.customer_accounts[record.id]
    shown |= account.details.get(record.id, {}) if kept is None else kept
    for name in NOT_SHOWN:
        shown.pop(name, None)
    return shown


def printed(account: Account, url: str, members: Iterable[Any], *, has_more: bool) -> Json:
    """One page of a list."""
    shown = [render(account, one) for one in members]
    return {"object": "list", "data": shown, "has_more": has_more, "url": url}


def beginning(account: Account, url: str, members: Iterable[Any]) -> Json:
    """The first page of a list that stands in another object."""
    found = list(islice(members, SUB_LIST_SIZE + 1))
    has_more = len(found) > SUB_LIST_SIZE
    return printed(account, url, found[:SUB_LIST_SIZE], has_more=has_more)


def constants(kind: str) -> Json:
    """The constant parts of an object, to be filled in."""
    template: Json = orjson.loads(_CONSTANTS.get(kind, b"{}"))
    return template


_CONSTANTS: Mapping[str, bytes] = {
    kind: orjson.dumps(template)
    for kind, template in orjson.loads(
        files(__package__).joinpath("objects.json").read_bytes()
    ).items()
}


COPIED: Mapping[str, Sequence[tuple[str, str]]] = {
    kind: tuple(stated["copied"].items()) for kind, stated in OBJECTS.items() if "copied" in stated
}


def client_secret(intent_id: str) -> str:
    """The secret of an intent: the same at every look, and of no use elsewhere."""
    digest = hashlib.sha256(f"client secret of {intent_id}".encode()).hexdigest()
    return f"{intent_id}_secret_{digest[:24]}"


def invoice_prefix(customer_id: str) -> str:
    """What the numbers of the customer's invoices begin with."""
    return customer_id.removeprefix("cus_").replace("_", "")[:8].upper()


def _customer(account: Account, one: records.Customer) -> Json:
    """A credit in their favour is below zero in `balance`, above in `invoice_credit_balance`."""
    return {
        "balance": 0 if one.currency is None else one.balance_in(one.currency),
        "invoice_prefix": invoice_prefix(one.id),
    }


def _invoice(account: Account, one: records.Invoice) -> Json:
    lines = account.twin.lines.get(one.id, ())
    return {
        "attempt_count": 1 if one.paid_at is not None else 0,
        "attempted": one.paid_at is not None,
        "billing_reason": "manual" if one.subscription_id is None else "subscription_cycle",
        "lines": beginning(account, f"/v1/invoices/{one.id}/lines", lines),
    }


def _line_item(account: Account, one: records.InvoiceLineItem) -> Json:
    """A line; the item it was made from is known where it was added through this API."""
    quantity = "1" if one.quantity is None else one.quantity
    invoice = account.twin.invoices.get(one.invoice_id)
    begun = invoice.created if invoice is not None else 0
    item = next(iter(account.invoice_items.matching("line_id", one.id)), None)
    parent = None if item is None else constants("line_item_parent")
    if item is not None and parent is not None:
        parent["invoice_item_details"]["invoice_item"] = item.id
    return {
        "livemode": invoice is not None and invoice.livemode,
        "metadata": {} if item is None else dict(item.metadata),
        "parent": parent,
        "period": {
            "end": begun if one.period_end is None else one.period_end,
            "start": begun if one.period_start is None else one.period_start,
        },
        "quantity": int(quantity) if quantity.isdecimal() else None,
        "quantity_decimal": quantity,
    }


def _invoice_item(account: Account, one: InvoiceItem) -> Json:
    return {
        "metadata": dict(one.metadata),
        "period": {"end": one.period_end, "start": one.period_start},
        "quantity_decimal": str(one.quantity),
    }


def _payment_intent(account: Account, one: records.PaymentIntent) -> Json:
    return {
        "amount_capturable": one.amount if one.status == "requires_capture" else 0,
        "client_secret": client_secret(one.id),
    }


def _payment_record(account: Account, one: records.PaymentRecord) -> Json:
    outcome = account.kept(one.id, "outcome", "guaranteed")
    values = dict.fromkeys(("authorized", "canceled", "failed", "guaranteed", "refunded"), 0)
    values |= {"requested": one.amount, outcome: one.amount}
    amounts = {
        f"amount_{name}": {"currency": one.currency, "value": value}
        for name, value in values.items()
    }
    return {**amounts, "latest_payment_attempt_record": f"par_{one.id.removeprefix('pr_')}"}


def _credit_note(account: Account, one: records.CreditNote) -> Json:
    return {
        "lines": beginning(account, f"/v1/credit_notes/{one.id}/lines", [_credit_note_line(one)]),
        "number": one.number or one.id,
        "pdf": f"{PAGES}/credit_notes/{one.id}/pdf",
        "refunds": [_refund(refund) for refund in one.refunds],
    }


def _credit_note_line(one: records.CreditNote) -> Json:
    """A note of an amount has one line for all of it."""
    return {
        **constants("credit_note_line_item"),
        "id": f"cnli_{one.id.removeprefix('cn_')}",
        "amount": one.amount,
        "description": one.memo,
        "livemode": one.livemode,
        "unit_amount": one.amount,
        "unit_amount_decimal": str(one.amount),
    }


def _refund(one: records.CreditNoteRefund) -> Json:
    outside = one.payment_record_id is not None
    shown = written(one, {"type": "payment_record_refund" if outside else "refund"})
    if outside:
        shown["payment_record_refund"]["refund_group"] = None
    return shown


def _webhook_endpoint(account: Account, one: EventDestination) -> Json:
    return {
        "enabled_events": list(one.enabled_events),
        "metadata": dict(one.metadata),
        "status": "enabled" if one.enabled else "disabled",
    }


def _event(account: Account, one: StoredEvent) -> Json:
    return {**orjson.loads(one.body), "pending_webhooks": len(one.waiting)}


def _thin_event(account: Account, one: ThinEvent) -> Json:
    event: Json = orjson.loads(one.body)
    return event


FOLLOWING: Mapping[str, Callable[[Account, Any], Json]] = {
    "customer": _customer,
    "invoice": _invoice,
    "line_item": _line_item,
    "credit_note": _credit_note,
    "invoiceitem": _invoice_item,
    "payment_intent": _payment_intent,
    "payment_record": _payment_record,
    "webhook_endpoint": _webhook_endpoint,
    "event": _event,
    "v2.core.event": _thin_event,
}
"""What follows from what an object says, or is no record of the ledger."""
