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
from dataclasses import dataclass
from typing import Any

from gateway.backends.assembly import Ask
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.expansions import expansions
from schema import records
from schema.ports import Failed, Link, Needs

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
    """The missing intents, each by one invoice payment in the pool that points at it."""

    calls: Calls
    payments: dict[str, records.InvoicePayment]
    expand: list[str]

    def left(self) -> dict[str, records.InvoicePayment]:
        held = self.calls.pool.objects
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


async def gather_intents(calls: Calls, missing: dict[Ask, Needs]) -> set[Ask]:
    """Fetch the intents that can be had together; answers the asks that need nothing more."""
    asks = {ask.id: ask for ask in missing if ask.kind == "PaymentIntent" and not ask.need}
    if len(asks) < 2:
        return set()
    payments: dict[str, records.InvoicePayment] = {}
    for one in calls.pool.objects.values():
        is_by_intent = isinstance(one, records.InvoicePayment) and one.source_type == INTENT.name
        if is_by_intent and one.source_id in asks:
            payments.setdefault(one.source_id, one)
    if len(payments) < 2:
        return set()
    below = Needs()
    for intent_id in payments:
        below.merge(missing[asks[intent_id]])
    needs = Needs({"InvoicePayment": {INTENT: below}})
    wanted = _Wanted(calls, payments, expansions("InvoicePayment", needs, "data"))
    if len(wanted.by_invoice()) >= SCAN_FROM:
        await _scan(wanted)
    groups = [group for group in wanted.by_invoice().items() if len(group[1]) > 1]
    await asyncio.gather(*(_of_invoice(wanted, *group) for group in groups))
    return {asks[intent_id] for intent_id in payments.keys() - wanted.left()}


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
            raw = await wanted.calls.get(PAYMENTS, params)
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
        async with wanted.calls.slots:
            wanted.calls.pool.keep_payments(invoice_id, await wanted.calls.get(PAYMENTS, params))
    except Failed as failed:
        for intent_id in intent_ids:
            wanted.calls.pool.fail(Ask("PaymentIntent", intent_id), failed)
