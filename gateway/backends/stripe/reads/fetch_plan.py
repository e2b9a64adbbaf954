"""From needs to the cheapest series of Stripe calls.

A pass asks for everything that is missing at once, each call expanded as deep as Stripe allows
(four levels, `data` counted), and puts all that comes back into the pool; then the tree is
assembled again, and what is still missing makes the next pass. Intents behind many payments have
no call of their own that takes several ids, so they are gathered.
Source: https://docs.stripe.com/api/expanding_objects, 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.assembly import Ask, assemble_or_ask
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.expansions import expansions
from gateway.backends.stripe.reads.gather_intents import gather_intents
from gateway.backends.stripe.reads.lists import list_reads, short_list
from gateway.backends.stripe.reads.pool import Pool
from schema import records
from schema.ports import Failed, Listing, Loaded, Needs, Viewer

PASSES_MAX = 20
"""Deeper than any document that the limits let through; a guard against asking in circles."""


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
    for read in list_reads(lists, calls.pool.read_whole, calls.viewer):
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
