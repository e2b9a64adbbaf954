"""What is asked of Stripe for an event: one call, with the gateway's own share of the rate budget.

It says whose the invoice is and how its payments are, and brings what the event's readers will ask
for. Whatever Stripe does not know is an answer; whatever keeps it from answering raises `Failed`,
and the event comes again. It judges no event.
Source: https://docs.stripe.com/api/invoices/update (no `customer` among what can be changed),
https://docs.stripe.com/api/invoice-payment/list, https://docs.stripe.com/api/expanding_objects,
2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage
from gateway.backends.harvest import EventRead, Harvest
from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import KeyRefused, KeyUnknown
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.backends.stripe.reads.pool import OUT_OF_BAND, Pool, paid_out_of_band
from gateway.backends.stripe.reads.shared_reads import SharedReads
from gateway.stripe_objects.reading import (
    embedded_list,
    fields_of,
    invoice_payment_record,
    is_id,
)
from schema.ports import PAGE_SIZE_MAX, Deleted, ErrorCode, Failed, Meter
from schema.records import Invoice, InvoicePayment

log = logging.getLogger(__name__)

CUSTOMERS_KEPT_MAX = 10_000
"""Of invoices, and of intents; about 2 MB each. Events come in bursts, so a few hundred would do
for most."""
PAYMENT_PAGES_MAX = 10
"""A thousand invoices that one intent pays: more is an answer that cannot be right."""
GATHER_SECONDS = 0.005
"""Stripe tells one change by several events at once; what comes within this shares a call. What
waits for the rate budget gathers more by itself."""
INVOICES = "/v1/invoices"
PAYMENTS = "/v1/invoice_payments"
RELATED = {"invoice_payment": PAYMENTS, "credit_note": "/v1/credit_notes"}
INTENTS = "/v1/payment_intents"
THIN_EVENTS = "/v2/core/events"
UNKNOWN_ROWS = FetchedPage((), True, False)

Expansions = tuple[str, ...]
OF_INVOICE: Expansions = ("customer", "payments.data.payment.payment_intent")
OF_INTENT: Expansions = (
    "data.invoice.customer",
    "data.invoice.payments",
    "data.payment.payment_intent",
)
OF_RELATED: Mapping[str, Expansions] = {
    "invoice_payment": ("invoice.customer", "invoice.payments", "payment.payment_intent"),
    "credit_note": ("invoice.customer", "invoice.payments"),
}
LEAST: Mapping[Expansions, Expansions] = {
    OF_INVOICE: ("payments",),
    OF_INTENT: ("data.invoice",),
    **dict.fromkeys(OF_RELATED.values(), ("invoice",)),
}
"""What even a restricted key must let the gateway expand; the rest is for readers alone."""


class StripeLookup:
    """See `gateway.events.intake.Lookup`, which must not be imported. Repeats are harmless."""

    def __init__(
        self,
        api: StripeApi,
        *,
        customers_kept_max: int = CUSTOMERS_KEPT_MAX,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._customers_kept_max = customers_kept_max
        self._sleep = sleep
        self._customers: OrderedDict[str, str | None] = OrderedDict()
        self._intents: OrderedDict[str, str | None] = OrderedDict()
        self._may_expand_all = True
        self._shared = SharedReads(self._own_turn, self._excuse, self._newest_payments)

    def customer_known(self, invoice_id: str) -> tuple[bool, str | None]:
        """Whether it is known whose an invoice is, and whose.

        Kept once it is finalized: it is then a numbered document, and no call of Stripe's moves it
        to another customer. Only ids are kept, so nothing here can grow stale.
        """
        if invoice_id not in self._customers:
            return False, None
        self._customers.move_to_end(invoice_id)
        return True, self._customers[invoice_id]

    async def turn(self, invoice_id: str | None) -> None:
        """Gather for a moment what is about this invoice, and wait until it may be read. Without
        one, until the payments of an intent may be."""
        if invoice_id is None:
            return await self._api.turn(PAYMENTS, self._meter)
        await self._sleep(GATHER_SECONDS)
        return await self._shared.turn(invoice_id)

    async def _own_turn(self, invoice_id: str, *, is_excusable: bool) -> None:
        path = f"{INVOICES}/{invoice_id}"
        await self._api.turn(path, self._meter, is_excusable=is_excusable)

    def _excuse(self) -> None:
        self._api.excuse(f"{INVOICES}/in_any", self._meter)

    async def _newest_payments(self, after: str | None) -> dict[str, Any] | None:
        """A page of all the account's, newest first; None where the key may not expand it."""
        if not self._may_expand_all:
            return None
        params: dict[str, Any] = {"limit": PAGE_SIZE_MAX, "expand": [*OF_INTENT]}
        if after is not None:
            params["starting_after"] = after
        try:
            return await self._known(PAYMENTS, params)
        except KeyRefused:
            return None

    async def invoice(
        self, invoice_id: str, *, turned: Collection[str] = (), detached: Collection[str] = ()
    ) -> EventRead:
        """One call, in a turn that was taken, or one for many; one more for each payment that
        turned and lies behind the ten newest, which are what Stripe puts into an invoice."""
        raw = await self._shared.read(invoice_id)
        if raw is None:
            path = f"{INVOICES}/{invoice_id}"
            raw = await self._expanded(path, {}, OF_INVOICE, has_turn=True)
        if raw is None or raw.get("deleted") is True:
            return EventRead()
        pool = _pool_of(raw)
        rows = pool.first_rows.get(("Invoice", "payments", invoice_id), UNKNOWN_ROWS)
        payments = {one.id: one for one in rows.members}
        gone: dict[str, str] = {}
        if rows.has_next:
            for payment_id in turned:
                if payment_id not in payments:
                    payments |= await self._payment(payment_id, pool)
        else:
            gone = {one: invoice_id for one in detached if one not in payments}
        customers = {invoice_id: self._customer_of(raw)}
        return EventRead(customers, payments, _harvest(pool, gone))

    async def _payment(self, payment_id: str, pool: Pool) -> dict[str, InvoicePayment]:
        raw = await self._known(f"{PAYMENTS}/{payment_id}", {"expand": ["payment.payment_intent"]})
        if raw is None:
            return {}
        pool.take_in(raw)
        return {payment_id: invoice_payment_record(raw)}

    async def payments_of_intent(self, intent_id: str) -> EventRead:
        """All invoice payments by this intent, whatever their status, with their invoices; none for
        an unknown one. One call, in a turn that was taken, and one for each further hundred."""
        payment = {"type": "payment_intent", "payment_intent": intent_id}
        params: dict[str, Any] = {"payment": payment, "limit": PAGE_SIZE_MAX}
        pool, customers = Pool(), dict[str, str | None]()
        payments = dict[str, InvoicePayment]()
        for number in range(PAYMENT_PAGES_MAX):
            raw = await self._expanded(PAYMENTS, params, OF_INTENT, has_turn=number == 0)
            rows, has_more = ([], False) if raw is None else embedded_list(raw)
            for row in rows:
                one = invoice_payment_record(row)
                payments[one.id] = one
                invoice = row.get("invoice")
                if isinstance(invoice, dict) and not invoice.get("deleted"):
                    customers[one.invoice_id] = self._customer_of(invoice)
            pool = _pool_of(raw or {}, pool)
            if not has_more or not rows:
                return EventRead(customers, payments, _harvest(pool))
            params = {**params, "starting_after": rows[-1]["id"]}
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of invoice payments does not end")

    async def related_turn(self, kind: str, object_id: str) -> None:
        """Gather for a moment what is about this object, and wait until it may be read."""
        await self._sleep(GATHER_SECONDS)
        return await self._api.turn(f"{RELATED[kind]}/{object_id}", self._meter)

    async def related(self, kind: str, object_id: str) -> EventRead:
        """One call, in a turn that was taken: the invoice payment or credit note with its invoice,
        which brings its customer and its ten newest payments along."""
        path = f"{RELATED[kind]}/{object_id}"
        raw = await self._expanded(path, {}, OF_RELATED[kind], has_turn=True)
        invoice = (raw or {}).get("invoice")
        if raw is None or not isinstance(invoice, dict) or invoice.get("deleted") is True:
            return EventRead()
        payments = {}
        if kind == "invoice_payment":
            payments[object_id] = invoice_payment_record(raw)
        customers = {fields_of(invoice, "invoice").id: self._customer_of(invoice)}
        return EventRead(customers, payments, _harvest(_pool_of(raw)))

    async def customer_of_intent(self, intent_id: str) -> str | None:
        """One call, until it is known: an intent keeps the customer that it has once got."""
        if intent_id in self._intents:
            self._intents.move_to_end(intent_id)
            return self._intents[intent_id]
        try:
            raw = await self._known(f"{INTENTS}/{intent_id}", {})
        except KeyUnknown:
            raise
        except KeyRefused:
            return None
        customer_id = (
            None if raw is None else fields_of(raw, "payment_intent").reference("customer")
        )
        if customer_id is not None:
            _remember(self._intents, intent_id, customer_id, self._customers_kept_max)
        return customer_id

    async def snapshot_of(self, event_id: str) -> str | None:
        """One call. None also for a key that may not read thin events: then it is not to be known,
        and an event that is told twice is better than one that is not told."""
        try:
            raw = await self._known(f"{THIN_EVENTS}/{event_id}", {})
        except KeyUnknown:
            raise
        except KeyRefused:
            return None
        named = (raw or {}).get("snapshot_event")
        return named if is_id(named) else None

    def _customer_of(self, raw: Mapping[str, Any]) -> str | None:
        """Whose the invoice is, which is remembered of one that is finalized."""
        invoice = fields_of(raw, "invoice")
        customer_id = invoice.reference("customer")
        if invoice.text("status") not in (None, "draft"):
            _remember(self._customers, str(raw["id"]), customer_id, self._customers_kept_max)
        return customer_id

    async def _expanded(
        self, path: str, params: dict[str, Any], expansions: Expansions, *, has_turn: bool
    ) -> dict[str, Any] | None:
        """The answer with all that is to be expanded; with the least of it where the key may not
        read the rest, which is remembered."""
        if self._may_expand_all:
            try:
                every = {**params, "expand": list(expansions)}
                return await self._known(path, every, has_turn=has_turn)
            except KeyRefused:
                has_turn = False
        least = {**params, "expand": list(LEAST[expansions])}
        raw = await self._known(path, least, has_turn=has_turn)
        self._may_expand_all = False
        return raw

    async def _known(
        self, path: str, params: dict[str, Any], *, has_turn: bool = False
    ) -> dict[str, Any] | None:
        """The answer, or None where Stripe says that there is no such object."""
        try:
            return await self._api.get(path, params, self._meter, has_turn=has_turn)
        except Failed as failed:
            if failed.code is not ErrorCode.NOT_FOUND:
                raise
            return None


def _remember(
    customers: OrderedDict[str, str | None], of: str, customer_id: str | None, kept_max: int
) -> None:
    customers[of] = customer_id
    if len(customers) > kept_max:
        customers.popitem(last=False)


def _pool_of(raw: dict[str, Any], pool: Pool | None = None) -> Pool:
    """What stands in an answer. Where a part cannot be read nothing of it is kept: an event does
    not wait for that, and whoever wants to be shown it is told."""
    filled = Pool() if pool is None else pool
    try:
        filled.take_in(raw)
    except Failed as failed:
        log.warning("nothing is kept of an event's read: %s", failed.message)
        return Pool()
    return filled


def _harvest(pool: Pool, gone: Mapping[str, str] | None = None) -> Harvest:
    everything = pool.objects.values()
    held = tuple(one for one in everything if not isinstance(one, Failed))
    return Harvest(
        records=held,
        rows=pool.first_rows,
        answers=dict(_out_of_band(pool)),
        deleted=tuple(one for one in everything if isinstance(one, Deleted)),
        detached=gone or {},
    )


def _out_of_band(pool: Pool) -> Iterator[tuple[Ask, int]]:
    """What reached an invoice from elsewhere, where all its payments are known."""
    for one in pool.objects.values():
        if isinstance(one, Invoice):
            rows = pool.first_rows.get(("Invoice", "payments", one.id), UNKNOWN_ROWS)
            if not rows.has_next:
                ask = Ask("Invoice", one.id, OUT_OF_BAND)
                yield ask, paid_out_of_band(one, list(rows.members))
