"""From needs to the cheapest series of Stripe calls.

A pass asks for everything that is missing at once, each call expanded as deep as Stripe allows
(four levels, `data` counted), and puts all that comes back into the pool; then the tree is
assembled again, and what is still missing makes the next pass. Intents behind many payments have
no call of their own that takes several ids, so they are gathered by `gather.py`.
Source: https://docs.stripe.com/api/expanding_objects, 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from gateway.backends.assembly import Ask, FetchedPage, assemble_or_ask, cursor_gone
from gateway.backends.stripe.reads.credit_note_preview import credit_note_preview
from gateway.backends.stripe.reads.expansions import deepest, expansions
from gateway.backends.stripe.reads.gather_intents import gather_intents
from gateway.backends.stripe.reads.list_reads import ListRead, cut, list_reads
from gateway.backends.stripe.reads.lists import Embedded, filtered, short_list
from gateway.backends.stripe.reads.pool import Pool
from gateway.stripe_objects import reading
from gateway.stripe_objects.reading import harvest
from schema import records
from schema.ports import (
    ALWAYS,
    PAGE_SIZE_MAX,
    Computed,
    Deleted,
    ErrorCode,
    Failed,
    ListFilter,
    Listing,
    Loaded,
    Meter,
    Needs,
    Page,
    Viewer,
)

PARALLEL_CALLS_MAX = 8
"""Per operation, so that one cannot take the whole rate budget."""
PASSES_MAX = 20
"""Deeper than any document that the limits let through; a guard against asking in circles."""

PATHS: Mapping[str, str] = {
    "Invoice": "/v1/invoices/{id}",
    "InvoicePayment": "/v1/invoice_payments/{id}",
    "PaymentIntent": "/v1/payment_intents/{id}",
    "PaymentRecord": "/v1/payment_records/{id}",
    "Charge": "/v1/charges/{id}",
    "CreditNote": "/v1/credit_notes/{id}",
    "Customer": "/v1/customers/{id}",
}

SNAKE: Mapping[str, str] = {
    "Invoice": "invoice",
    "InvoicePayment": "invoice_payment",
    "PaymentIntent": "payment_intent",
    "PaymentRecord": "payment_record",
    "Charge": "charge",
    "CreditNote": "credit_note",
    "Customer": "customer",
}

Fetch = Callable[[], Awaitable[None]]


class Api(Protocol):
    """The part of `StripeApi` that reads need."""

    async def get(self, path: str, params: dict[str, Any], meter: Meter) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a write has brought along for the load that follows it: Stripe's own answer to it, and
    intents that were met before and will not change."""

    answer: dict[str, Any] = field(repr=False)
    intents: tuple[records.PaymentIntent, ...] = ()


@dataclass(slots=True)
class FetchPlan:
    """One operation's reads from Stripe."""

    api: Api
    viewer: Viewer
    meter: Meter
    pool: Pool = field(default_factory=Pool)
    slots: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, PARALLEL_CALLS_MAX))

    def begin_with(self, known: Known) -> None:
        """Ask for nothing of this."""
        self.harvest(known.answer)
        for intent in known.intents:
            self.pool.put(intent)

    async def load(self, needs: Needs) -> Loaded[Any]:
        """Everything that the needs name, or a `Failed` in its place."""
        for _ in range(PASSES_MAX):
            root, missing = assemble_or_ask(self.viewer, needs, self.pool)
            if not missing:
                return root
            await self._fetch_all(missing)
        raise AssertionError("the fetch plan asks in circles")

    async def _fetch_all(self, missing: dict[Ask, Needs]) -> None:
        missing = without_passengers(missing, self.viewer)
        gathered = await gather_intents(self, missing)
        rest = {ask: below for ask, below in missing.items() if ask not in gathered}
        rest = {ask: below for ask, below in rest.items() if not self._is_answered(ask)}
        reads = list_reads(rest, self.pool, self.viewer)
        others = [ask for ask in rest if not isinstance(ask.need, Listing)]
        await asyncio.gather(
            *(self._guarded((ask,), partial(self._fetch, ask, rest[ask])) for ask in others),
            *(self._guarded(read.answers, partial(self._pages, read)) for read in reads),
        )

    def _is_answered(self, ask: Ask) -> bool:
        """Whether what was gathered has brought the rows of this list along."""
        try:
            return self.pool.from_embedded(ask, self.viewer) is not None
        except Failed as failed:
            self.pool.fail(ask, failed)
            return True

    async def _guarded(self, asks: tuple[Ask, ...], fetch: Fetch) -> None:
        """Fetch one thing; a failure is remembered in the place of all that it was for."""
        try:
            async with self.slots:
                await fetch()
        except Failed as failed:
            for ask in asks:
                self.pool.fail(ask, failed)

    def _fetch(self, ask: Ask, needs: Needs) -> Awaitable[None]:
        if ask.need is None:
            return self._object(ask, needs)
        assert isinstance(ask.need, Computed)
        if ask.need.name == "confirmation_secret":
            return self._secret(ask)
        return self._credit_note_preview(ask)

    async def get(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """One call; everything in its answer goes into the pool."""
        raw = await self.api.get(path, params, self.meter)
        self.harvest(raw)
        return raw

    def harvest(self, raw: dict[str, Any]) -> None:
        for one in harvest(raw):
            if isinstance(one, Deleted):
                self.pool.fail(Ask(one.kind, one.id), one)
            elif not isinstance(one, records.InvoiceLineItem):
                self.pool.put(one)
        for invoice in invoices_in(raw):
            self._keep_embedded(invoice)

    def _keep_embedded(self, raw: dict[str, Any]) -> None:
        """Keep an invoice's first payments and lines, if the answer has them."""
        invoice_id = str(raw["id"])
        if isinstance(raw.get("payments"), dict):
            self.keep_payments(invoice_id, raw["payments"])
        if isinstance(raw.get("lines"), dict):
            lines = tuple(reading.line_item_records(raw["lines"], invoice_id))
            has_more = bool(raw["lines"].get("has_more"))
            self.pool.embed(("Invoice", "lines", invoice_id), Embedded(lines, has_more))
        if isinstance(raw.get("confirmation_secret"), dict):
            self.pool.values[_secret_ask(invoice_id)] = reading.confirmation_secret(raw)

    def keep_payments(self, invoice_id: str, raw: dict[str, Any]) -> None:
        """Keep an invoice's first payments."""
        rows, has_more = reading.embedded_list(raw)
        members = tuple(reading.invoice_payment_record(row) for row in rows)
        self.pool.embed(("Invoice", "payments", invoice_id), Embedded(members, has_more))

    async def _object(self, ask: Ask, needs: Needs) -> None:
        assert ask.kind is not None
        assert ask.id is not None
        expand = expansions(ask.kind, needs)
        if ask.kind == "InvoicePayment" and self.viewer.customers is not None:
            expand = deepest([*expand, "invoice"])
        path = PATHS[ask.kind].format(id=ask.id)
        raw = await self.get(path, {"expand": expand} if expand else {})
        if (ask.kind, ask.id) not in self.pool.objects:
            self._read(raw, ask)

    def _read(self, raw: dict[str, Any], ask: Ask) -> Any:
        """What the harvest left out: gone, or not to be read. Raises `Failed` that says which."""
        if raw.get("deleted") is True:
            raise Deleted(ask.kind or "", ask.id or "")
        return reading.READERS[SNAKE[ask.kind or ""]](raw)

    async def _pages(self, read: ListRead) -> None:
        """One call, and all that it answers. What a short list's rows do not answer comes again."""
        listing = read.ask.need
        assert isinstance(listing, Listing)
        page = await self._page(read.ask, listing, read.needs)
        key = short_list(read.ask, self.viewer)
        if key is not None and listing == Listing(listing.name, Page(first=listing.page.size)):
            self.pool.embed(key, Embedded(page.members, page.has_next))
        if read.whole is not None:
            self.pool.read_whole.add(read.whole)
            return
        for ask in read.answers:
            self.pool.pages[ask] = cut(page, ask)

    async def _page(self, ask: Ask, listing: Listing, needs: Needs) -> FetchedPage:
        if not self._may_list(listing):
            return FetchedPage((), False, False)
        path, params, member = self._list_call(ask, listing)
        params |= _paging(listing)
        expand = expansions(member, needs, "data")
        is_mixed = listing.name == "invoice_payments" and self.viewer.customers is not None
        if is_mixed:
            expand = deepest([*expand, "data.invoice"])
        if expand:
            params["expand"] = expand
        read = self._listed_own if is_mixed else self._listed
        raw = await read(path, params, listing)
        return self._page_of(raw, listing, member, str(ask.id))

    def _may_list(self, listing: Listing) -> bool:
        """A list of somebody else's customer is empty, like that of an unknown one."""
        customer_id = listing.where.customer_id
        return customer_id is None or self.viewer.sees(customer_id)

    def _page_of(
        self, raw: dict[str, Any], listing: Listing, member: str, parent_id: str
    ) -> FetchedPage:
        rows, has_more = reading.embedded_list(raw)
        page = listing.page
        members: tuple[Any, ...]
        if member == "InvoiceLineItem":
            members = tuple(reading.line_item_records(raw, parent_id))
        else:
            members = tuple(self._member(row, member) for row in rows)
        if page.before is not None:
            kept = filtered(members, listing.where)[-page.size :]
            return FetchedPage(kept, True, has_more or len(kept) < len(members))
        kept = filtered(members, listing.where)
        has_next = has_more or len(kept) > page.size
        return FetchedPage(kept[: page.size], has_next, page.after is not None)

    async def _listed(self, path: str, params: dict[str, Any], listing: Listing) -> dict[str, Any]:
        """The list. A cursor whose object is gone says so; a list of what is unknown is empty."""
        try:
            return await self.get(path, params)
        except Failed as failed:
            has_cursor = listing.page.after is not None or listing.page.before is not None
            if failed.code is not ErrorCode.NOT_FOUND:
                raise
            if has_cursor:
                raise cursor_gone() from failed
            return {"data": [], "has_more": False}

    async def _listed_own(
        self, path: str, params: dict[str, Any], listing: Listing
    ) -> dict[str, Any]:
        """A list that Stripe cannot restrict to customers, read until the viewer's own rows fill
        the page: neither a short page nor one that promises more may tell of others' rows.

        The operation's cap on upstream calls ends it.
        """
        backward = listing.page.before is not None
        rows: list[Any] = []
        params = {**params, "limit": PAGE_SIZE_MAX}
        while True:
            found, has_more = reading.embedded_list(await self._listed(path, params, listing))
            own = [row for row in found if not self._is_foreign(row)]
            rows = [*own, *rows] if backward else [*rows, *own]
            if not found or not has_more or len(rows) > listing.page.size:
                return {"data": rows, "has_more": False}
            end = "ending_before" if backward else "starting_after"
            params = {**params, end: found[0 if backward else -1]["id"]}

    def _is_foreign(self, row: dict[str, Any]) -> bool:
        payment = reading.invoice_payment_record(row)
        invoice = self.pool.objects.get(("Invoice", payment.invoice_id))
        return isinstance(invoice, records.Invoice) and not self.viewer.sees(invoice.customer_id)

    def _member(self, row: dict[str, Any], kind: str) -> Any:
        held = self.pool.objects.get((kind, row["id"]))
        return self._read(row, Ask(kind, row["id"])) if held is None else held

    def _list_call(self, ask: Ask, listing: Listing) -> tuple[str, dict[str, Any], str]:
        """Path, parameters and member type of a list."""
        where, parent_id = listing.where, ask.id
        match listing.name:
            case "invoices":
                return "/v1/invoices", self._invoices(where, parent_id), "Invoice"
            case "payments":
                params = _some(invoice=parent_id, status=_one_status(where))
                return "/v1/invoice_payments", params, "InvoicePayment"
            case "invoice_payments":
                return "/v1/invoice_payments", _invoice_payments(where, ask), "InvoicePayment"
            case "credit_notes":
                return "/v1/credit_notes", {"invoice": parent_id}, "CreditNote"
            case "lines":
                return f"/v1/invoices/{parent_id}/lines", {}, "InvoiceLineItem"
            case _:
                return "/v1/payment_intents", {"customer": parent_id}, "PaymentIntent"

    def _invoices(self, where: ListFilter, parent_id: str | None) -> dict[str, Any]:
        customer_id = where.customer_id or parent_id
        if customer_id is None and self.viewer.customers is not None:
            customer_id = next(iter(self.viewer.customers), None)
        return _some(
            customer=customer_id,
            status=_one_status(where),
            collection_method=where.collection_method,
            subscription=where.subscription_id,
            created=_range(where.created),
            due_date=_range(where.due),
        )

    async def _secret(self, ask: Ask) -> None:
        await self.get(f"/v1/invoices/{ask.id}", {"expand": ["confirmation_secret"]})
        self.pool.values.setdefault(ask, None)

    async def _credit_note_preview(self, ask: Ask) -> None:
        draft = getattr(ask.need, "argument", None)
        assert draft is not None
        self.pool.values[ask] = await credit_note_preview(self.api, draft, self.meter)


def without_passengers(missing: dict[Ask, Needs], viewer: Viewer) -> dict[Ask, Needs]:
    """Leave for the next pass what an invoice of this one may bring along.

    A write's answer asks for an invoice with its payments, and for one of these by its id; a query
    may ask for an invoice's payments at the root as well.
    """
    brings = {
        ask
        for ask, needs in missing.items()
        if ask.kind == "Invoice" and ask.need is None and expansions("Invoice", needs)
    }
    if not brings:
        return missing
    lists = {("Invoice", "payments", ask.id) for ask in brings}
    passengers = ("InvoicePayment", "PaymentIntent")
    return {
        ask: needs
        for ask, needs in missing.items()
        if short_list(ask, viewer) not in lists
        and (ask.need is not None or ask.kind not in passengers)
    }


SECRET = Computed("confirmation_secret")


def _secret_ask(invoice_id: str) -> Ask:
    return Ask("Invoice", invoice_id, SECRET)


def invoices_in(raw: Any) -> Iterator[dict[str, Any]]:
    """Every full invoice of an answer, wherever it stands."""
    if isinstance(raw, dict):
        if raw.get("object") == "invoice" and not raw.get("deleted"):
            yield raw
        for value in raw.values():
            yield from invoices_in(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from invoices_in(value)


def _one_status(where: ListFilter) -> str | None:
    """Stripe filters by one status; several are narrowed after the fetch."""
    return where.statuses[0] if len(where.statuses) == 1 else None


def _invoice_payments(where: ListFilter, ask: Ask) -> dict[str, Any]:
    intent_id, record_id = where.payment_intent_id, where.payment_record_id
    if ask.kind == "PaymentIntent":
        intent_id = ask.id
    elif ask.kind == "PaymentRecord":
        record_id = ask.id
    payment = None
    if intent_id is not None:
        payment = {"type": "payment_intent", "payment_intent": intent_id}
    elif record_id is not None:
        payment = {"type": "payment_record", "payment_record": record_id}
    return _some(
        invoice=where.invoice_id,
        payment=payment,
        status=_one_status(where),
        created=_range(where.created),
    )


def _range(given: Any) -> dict[str, int] | None:
    return None if given == ALWAYS else _some(gte=given.start, lte=given.end)


def _paging(listing: Listing) -> dict[str, Any]:
    page = listing.page
    return _some(
        # Several states cannot be asked for at once, so more is read and then narrowed.
        limit=PAGE_SIZE_MAX if len(listing.where.statuses) > 1 else page.size,
        starting_after=page.after and page.after.object_id,
        ending_before=page.before and page.before.object_id,
    )


def _some(**params: Any) -> dict[str, Any]:
    """The parameters that say something."""
    return {name: value for name, value in params.items() if value is not None}
