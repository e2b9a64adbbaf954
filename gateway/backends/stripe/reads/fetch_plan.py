"""From needs to the cheapest series of Stripe calls.

A pass asks for everything that is missing at once, each call expanded as deep as Stripe allows
(four levels, `data` counted), and puts all that comes back into the pool; then the tree is
assembled again, and what is still missing makes the next pass.

No call takes the ids of several intents, and a list of invoices cannot be expanded down to them.
But a page of invoice payments can, and each payment's creation time is known: so pages are read
from the newest missing payment on, jumping over what is not wanted, as long as a page saves more
calls than it costs. What is left is read invoice by invoice where one has several, and by itself
where it is alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.assembly import Ask, assemble_or_ask
from gateway.backends.stripe.reads.calls import Calls, Params, expansions
from gateway.backends.stripe.reads.lists import list_reads, short_list
from gateway.backends.stripe.reads.pool import Pool
from schema import records
from schema.ports import PAGE_SIZE_MAX, Failed, Link, Listing, Loaded, Needs, Viewer

PASSES_MAX = 20
"""Deeper than any document that the limits let through; a guard against asking in circles."""

PAYMENTS = "/v1/invoice_payments"
SCAN_FROM = 3
"""Fewer calls than this are not worth a scan, which reads pages one after the other."""
SAVED_CALLS_MIN = 2
"""A page that saves less than it costs twice over is no better than reading in parallel."""
IDLE_PAGES_MAX = 2
"""Pages in a row that save too little before the scan is given up."""

INTENT = Link("payment_intent")


@dataclass(frozen=True, slots=True)
class Known:
    """What a write has brought along for the load that follows it, so that nothing of it is asked
    for: Stripe's own answer, and intents that were met before and will not change."""

    answer: dict[str, Any] = field(repr=False)
    intents: tuple[records.PaymentIntent, ...] = ()

    def pour_into(self, pool: Pool) -> None:
        pool.take_in(self.answer)
        for intent in self.intents:
            pool.put(intent)


async def load(calls: Calls, needs: Needs) -> Loaded[Any]:
    """Everything that the needs name, or a `Failed` in its place."""
    for _ in range(PASSES_MAX):
        root, missing = assemble_or_ask(calls.viewer, needs, calls.pool)
        if not missing:
            return root
        await _fetch_all(calls, without_passengers(missing, calls.viewer))
    raise AssertionError("the fetch plan asks in circles")


async def _fetch_all(calls: Calls, missing: dict[Ask, Needs]) -> None:
    gathered = await gather_intents(calls, missing)
    lists: dict[Ask, Needs] = {}
    fetches: list[Awaitable[None]] = []
    for ask, below in missing.items():
        if not isinstance(ask.need, Listing):
            if ask not in gathered:
                fetches.append(_guarded(calls, (ask,), partial(calls.fetch, ask, below)))
        elif not _is_answered(calls, ask):
            lists[ask] = below
    for read in list_reads(lists, calls.pool.read_whole, calls.viewer) if lists else ():
        fetches.append(_guarded(calls, read.answers, partial(calls.pages, read)))
    await asyncio.gather(*fetches)


def _is_answered(calls: Calls, ask: Ask) -> bool:
    """Whether what was gathered has brought the rows of this list along."""
    try:
        return calls.pool.from_embedded(ask, calls.viewer) is not None
    except Failed as failed:
        calls.pool.fail(ask, failed)
        return True


async def _guarded(
    calls: Calls, asks: tuple[Ask, ...], fetch: Callable[[], Awaitable[None]]
) -> None:
    """Fetch one thing; a failure is remembered in the place of all that it was for."""
    try:
        async with calls.slots:
            await fetch()
    except Failed as failed:
        for ask in asks:
            calls.pool.fail(ask, failed)


def without_passengers(missing: dict[Ask, Needs], viewer: Viewer) -> dict[Ask, Needs]:
    """Leave for the next pass what an invoice of this one may bring along.

    A write's answer asks for an invoice with its payments, and for one of these by its id; a query
    may ask for an invoice's payments at the root as well.
    """
    if len(missing) < 2:
        return missing
    lists = {
        ("Invoice", "payments", ask.id)
        for ask, needs in missing.items()
        if ask.kind == "Invoice" and ask.need is None and expansions("Invoice", needs)
    }
    if not lists:
        return missing
    passengers = ("InvoicePayment", "PaymentIntent")
    return {
        ask: needs
        for ask, needs in missing.items()
        if short_list(ask, viewer) not in lists
        and (ask.need is not None or ask.kind not in passengers)
    }


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
        params: Params = {"limit": PAGE_SIZE_MAX, "expand": wanted.expand}
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
    params = {"invoice": invoice_id, "limit": PAGE_SIZE_MAX, "expand": wanted.expand}
    try:
        async with wanted.calls.slots:
            wanted.calls.pool.keep_payments(invoice_id, await wanted.calls.get(PAYMENTS, params))
    except Failed as failed:
        for intent_id in intent_ids:
            wanted.calls.pool.fail(Ask("PaymentIntent", intent_id), failed)
