"""One call for many invoices: a page of the account's newest invoice payments, with the invoices.

Stripe reads one invoice at a time, and no list of invoices can be expanded down to the intents. But
what is told in a burst is mostly about payments of these minutes. So when many invoices wait for
their turn, whoever has one reads such a page for all of them, and goes on to the next page while
that saves calls. What it does not hold whole is read by itself. It judges no event.

Whoever shares a read arrives at it with its own drop done, as before a read of its own. The page is
asked for when all have arrived.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.stripe_objects.reading import embedded_list
from schema.ports import Failed

log = logging.getLogger(__name__)

SHARED_FROM = 50
"""Invoices that wait; in test mode they are two seconds of the account's budget."""
SAVED_MIN = 10
"""A page that answers fewer is not worth its time, which is longer than that of one invoice."""
PAGES_MAX = 5
IDLE_PAGES_MAX = 2
"""Pages in a row that answer too few: those who wait may be just behind the newest."""
RESTS_SECONDS = 30.0
"""After pages that were not worth it: the burst is about older payments."""
ARRIVAL_SECONDS_MAX = 1.0
"""A drop takes no longer, or has failed."""

Raw = dict[str, Any]


class Turn(Protocol):
    """Waits until one invoice may be read."""

    def __call__(self, invoice_id: str, *, is_excusable: bool) -> Awaitable[None]: ...


@dataclass(slots=True)
class _Shared:
    """One read for several invoices; who is `due` has not arrived at it yet."""

    due: set[str]
    over: asyncio.Future[None]
    wanted: set[str] = field(default_factory=set)
    found: dict[str, Raw] = field(default_factory=dict)
    reading: asyncio.Task[None] | None = None


class SharedReads:
    """`turn` waits until one invoice may be read, `excuse` ends that wait for all others who do so,
    and `page` reads the newest payments after one of them: None where they may not be read."""

    def __init__(
        self,
        turn: Turn,
        excuse: Callable[[], None],
        page: Callable[[str | None], Awaitable[Raw | None]],
    ) -> None:
        self._turn = turn
        self._excuse = excuse
        self._page = page
        self._waiting: dict[str, None] = {}
        self._sharing: dict[str, _Shared] = {}
        self._is_under_way = False
        self._rests_until = 0.0

    async def turn(self, invoice_id: str) -> None:
        """Wait until this invoice may be read, by itself or with others; `read` knows which."""
        self._sharing.pop(invoice_id, None)
        self._waiting[invoice_id] = None
        try:
            await self._turn(invoice_id, is_excusable=True)
        finally:
            self._waiting.pop(invoice_id, None)
        if len(self._waiting) >= SHARED_FROM and not self._is_under_way:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._rests_until:
                self._begin([invoice_id, *self._waiting], loop)

    def _begin(self, invoice_ids: list[str], loop: asyncio.AbstractEventLoop) -> None:
        self._is_under_way = True
        shared = _Shared(set(invoice_ids), loop.create_future())
        self._sharing |= dict.fromkeys(invoice_ids, shared)
        self._excuse()
        loop.call_later(ARRIVAL_SECONDS_MAX, self._go, shared)

    async def read(self, invoice_id: str) -> Raw | None:
        """The invoice as a read of its own would bring it, if it was read with others; None where
        it has to be, in a turn that was taken."""
        shared = self._sharing.pop(invoice_id, None)
        if shared is None:
            return None
        if shared.reading is None:
            shared.wanted.add(invoice_id)
            shared.due.discard(invoice_id)
            if not shared.due:
                self._go(shared)
            await asyncio.shield(shared.over)
            if invoice_id in shared.found:
                return shared.found[invoice_id]
        await self._turn(invoice_id, is_excusable=False)
        return None

    def _go(self, shared: _Shared) -> None:
        """Ask, once; who has not arrived until now has to read by itself."""
        if shared.reading is None:
            shared.reading = asyncio.get_running_loop().create_task(self._read(shared))

    async def _read(self, shared: _Shared) -> None:
        try:
            await self._read_pages(shared)
            if len(shared.found) < SAVED_MIN:
                self._rests_until = asyncio.get_running_loop().time() + RESTS_SECONDS
        except Failed as failed:
            # It says nothing of what a page would have held: the next many may ask again.
            log.info("a page for many events was not read: %s", failed.code.value)
        finally:
            self._is_under_way = False
            shared.over.set_result(None)

    async def _read_pages(self, shared: _Shared) -> None:
        intents: dict[str, Raw] = {}
        invoices: dict[str, Raw] = {}
        after: str | None = None
        idle = 0
        for _ in range(PAGES_MAX):
            raw = await self._page(after)
            rows, has_more = ([], False) if raw is None else embedded_list(raw)
            for invoice, intent in map(_expanded, rows):
                if intent is not None:
                    intents[str(intent.get("id"))] = intent
                if invoice is not None and invoice.get("id") in shared.wanted:
                    invoices.setdefault(str(invoice["id"]), invoice)
            found_before = len(shared.found)
            shared.found |= _whole(invoices, intents)
            is_worth_it = len(shared.found) - found_before >= SAVED_MIN
            idle = 0 if is_worth_it else idle + 1
            left = len(shared.wanted) - len(shared.found)
            if not has_more or idle >= IDLE_PAGES_MAX or left < SAVED_MIN:
                return
            after = rows[-1]["id"]


def _expanded(row: object) -> tuple[Raw | None, Raw | None]:
    """The invoice and the intent of a payment, where they stand in it."""
    invoice = row.get("invoice") if isinstance(row, dict) else None
    payment = row.get("payment") if isinstance(row, dict) else None
    intent = payment.get("payment_intent") if isinstance(payment, dict) else None
    is_there = isinstance(invoice, dict) and invoice.get("deleted") is not True
    return invoice if is_there else None, intent if isinstance(intent, dict) else None


def _whole(invoices: Mapping[str, Raw], intents: Mapping[str, Raw]) -> dict[str, Raw]:
    """The invoices, with the intents in place, of whose payments all intents are known."""
    found: dict[str, Raw] = {}
    for invoice_id, invoice in invoices.items():
        payments = invoice.get("payments")
        rows = payments.get("data") if isinstance(payments, dict) else None
        if not isinstance(payments, dict) or not isinstance(rows, list):
            continue
        data = [*_with_intents(rows, intents)]
        if len(data) == len(rows):
            found[invoice_id] = {**invoice, "payments": {**payments, "data": data}}
    return found


def _with_intents(rows: list[Any], intents: Mapping[str, Raw]) -> Iterator[Any]:
    """Those payments whose intents are known, or that have none."""
    for row in rows:
        source = row.get("payment") if isinstance(row, dict) else None
        if not isinstance(source, dict) or not isinstance(source.get("payment_intent"), str):
            yield row
        elif (intent := intents.get(source["payment_intent"])) is not None:
            yield {**row, "payment": {**source, "payment_intent": intent}}
