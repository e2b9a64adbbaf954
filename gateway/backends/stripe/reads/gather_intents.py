"""Many PaymentIntents behind many invoice payments, with few calls.

Stripe has no call that takes several ids, and a list of invoices cannot be expanded down to the
intents. But a page of invoice payments can, a hundred at a time, and each payment's creation time
is known: so pages are read from the newest missing payment on, jumping over what is not wanted,
as long as a page saves more calls than it costs. What is left is read invoice by invoice where
one has several, and by itself where it is alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.backends.assembly import Ask
from gateway.backends.stripe.reads.expansions import expansions
from schema import records
from schema.ports import Failed, Link, Needs

if TYPE_CHECKING:
    from gateway.backends.stripe.reads.fetch_plan import FetchPlan

PAYMENTS = "/v1/invoice_payments"
SCAN_FROM = 3
"""Fewer calls than this are not worth a scan, which reads pages one after the other."""
PAGE_SIZE = 100
SAVED_CALLS_MIN = 2
"""A page that saves less than it costs twice over is no better than reading in parallel."""
IDLE_PAGES_MAX = 2
"""Pages in a row that save too little before the scan is given up."""

INTENT = Link("payment_intent")


@dataclass(slots=True)
class _Wanted:
    """The missing intents, each by one invoice payment that points at it."""

    plan: FetchPlan
    expand: list[str]
    payments: dict[str, records.InvoicePayment] = field(default_factory=dict)

    def left(self) -> dict[str, records.InvoicePayment]:
        held = self.plan.pool.objects
        return {
            intent_id: payment
            for intent_id, payment in self.payments.items()
            if ("PaymentIntent", intent_id) not in held
        }

    def by_invoice(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = defaultdict(list)
        for intent_id, payment in self.left().items():
            groups[payment.invoice_id].append(intent_id)
        return groups


async def gather_intents(plan: FetchPlan, missing: dict[Ask, Needs]) -> set[Ask]:
    """Fetch the intents that can be had together; answers the asks that need nothing more."""
    asks = {ask.id or "": ask for ask in missing if ask.kind == "PaymentIntent" and not ask.need}
    wanted = _wanted(plan, asks, missing)
    if len(wanted.payments) < 2:
        return set()
    if len(wanted.by_invoice()) >= SCAN_FROM:
        await _scan(wanted)
    groups = [group for group in wanted.by_invoice().items() if len(group[1]) > 1]
    await asyncio.gather(*(_of_invoice(wanted, *group) for group in groups))
    left = wanted.left()
    return {ask for intent_id, ask in asks.items() if intent_id in wanted.payments.keys() - left}


def _wanted(plan: FetchPlan, asks: dict[str, Ask], missing: dict[Ask, Needs]) -> _Wanted:
    """The intents to which an invoice payment in the pool points, and what is wanted below."""
    below = Needs()
    payments: dict[str, records.InvoicePayment] = {}
    for payment in list(_payments(plan)):
        if payment.source_id in asks:
            payments.setdefault(payment.source_id, payment)
    for intent_id in payments:
        below.merge(missing[asks[intent_id]])
    needs = Needs({"InvoicePayment": {INTENT: below}})
    return _Wanted(plan, expansions("InvoicePayment", needs, "data"), payments)


def _payments(plan: FetchPlan) -> list[records.InvoicePayment]:
    held = [one for one in plan.pool.objects.values() if isinstance(one, records.InvoicePayment)]
    return [one for one in held if one.source_type == "payment_intent"]


async def _scan(wanted: _Wanted) -> None:
    """Read pages of the account's payments while they save calls."""
    idle, after, ends_at = 0, None, None
    while idle < IDLE_PAGES_MAX:
        left = wanted.left()
        before = len(wanted.by_invoice())
        if before < SCAN_FROM:
            return
        newest = max(payment.created for payment in left.values())
        params: dict[str, Any] = {"limit": PAGE_SIZE, "expand": wanted.expand}
        if after is not None and ends_at is not None and newest >= ends_at:
            params["starting_after"] = after
        params["created"] = {"lte": newest}
        try:
            raw = await wanted.plan.get(PAYMENTS, params)
        except Failed:
            return
        rows = raw.get("data") or []
        saved = before - len(wanted.by_invoice())
        idle = idle + 1 if saved < SAVED_CALLS_MIN else 0
        if not rows or raw.get("has_more") is not True:
            return
        after, ends_at = rows[-1].get("id"), rows[-1].get("created")


async def _of_invoice(wanted: _Wanted, invoice_id: str, intent_ids: list[str]) -> None:
    """All payments of one invoice with their intents, in one call."""
    params = {"invoice": invoice_id, "limit": PAGE_SIZE, "expand": wanted.expand}
    try:
        async with wanted.plan.slots:
            wanted.plan.keep_payments(invoice_id, await wanted.plan.get(PAYMENTS, params))
    except Failed as failed:
        for intent_id in intent_ids:
            wanted.plan.pool.fail(Ask("PaymentIntent", intent_id), failed)
