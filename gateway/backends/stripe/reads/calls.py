"""One operation's calls to Stripe: an object, a list, a worked out value, each with what is needed
below it in place of its id. Whatever comes back is in the pool; what cannot be had is a `Failed`.

Source: https://docs.stripe.com/api/expanding_objects, https://docs.stripe.com/api/pagination and
the reference of each list, 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.assembly import MEMBERS, Ask, FetchedPage, cursor_gone, failure_of
from gateway.backends.first_rows import cut, filtered
from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.credit_note_preview import credit_note_preview
from gateway.backends.stripe.reads.lists import ListRead, listing_of, short_list
from gateway.backends.stripe.reads.pool import NOUNS, SECRET, Pool
from gateway.backends.stripe.reads.reallocation import BothInvoices
from gateway.ledger.reallocation import reallocation_preview
from gateway.stripe_objects import reading
from schema import records
from schema.ports import (
    ALWAYS,
    PAGE_SIZE_MAX,
    Computed,
    CreditNoteDraft,
    Deleted,
    ErrorCode,
    Failed,
    Listing,
    Meter,
    Needs,
    Page,
    ReallocatePayment,
    Refused,
    TimeRange,
    Viewer,
)

PARALLEL_CALLS_MAX = 8
"""Per operation, so that one cannot take the whole rate budget."""

Params = dict[str, Any]

EXPANSION_LEVELS_MAX = 4
"""Every dot-separated segment counts, `data` included; one more is a 400."""

EXPANSIONS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("Invoice", "customer"): (("customer", "Customer"),),
    ("Invoice", "payments"): (("payments.data", "InvoicePayment"),),
    ("Invoice", "amount_paid_out_of_band"): (("amount_paid_off_stripe", ""),),
    ("Invoice", "confirmation_secret"): (("confirmation_secret", ""),),
    ("InvoicePayment", "invoice"): (("invoice", "Invoice"),),
    ("InvoicePayment", "payment_intent"): (("payment.payment_intent", "PaymentIntent"),),
    ("InvoicePayment", "source"): (
        ("payment.payment_intent", "PaymentIntent"),
        ("payment.payment_record", "PaymentRecord"),
    ),
    ("InvoicePayment", "detach_preview"): (
        ("payment.payment_intent", "PaymentIntent"),
        ("invoice", "Invoice"),
    ),
    ("PaymentIntent", "customer"): (("customer", "Customer"),),
    ("PaymentIntent", "payment_record"): (("payment_record", "PaymentRecord"),),
    ("CreditNote", "invoice"): (("invoice", "Invoice"),),
}
"""What Stripe can put in place of an id, and what stands there then."""


@dataclass(slots=True)
class Calls:
    """Made for one viewer, on one meter; all fill the same pool."""

    api: StripeApi
    viewer: Viewer
    meter: Meter
    pool: Pool = field(default_factory=Pool)
    slots: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, PARALLEL_CALLS_MAX))

    async def get(self, path: str, params: Params) -> dict[str, Any]:
        """One call; everything in its answer goes into the pool."""
        raw = await self.api.get(path, params, self.meter)
        self.pool.take_in(raw)
        return raw

    def fetch(self, ask: Ask, needs: Needs) -> Awaitable[None]:
        """An object or a computed value. Raises `Failed`."""
        match ask.need:
            case None:
                return self._object(ask, needs)
            case Computed("confirmation_secret"):
                return self._secret(ask)
            case Computed(argument=CreditNoteDraft() as draft):
                return self._credit_note_preview(ask, draft)
            case Computed(argument=ReallocatePayment() as asked):
                return self._reallocation_preview(ask, asked)
            case _:
                raise AssertionError(ask)

    async def _object(self, ask: Ask, needs: Needs) -> None:
        assert ask.kind is not None
        assert ask.id is not None
        expand = expansions(ask.kind, needs)
        if ask.kind == "InvoicePayment" and self.viewer.customers is not None:
            expand = deepest([*expand, "invoice"])
        path = f"/v1/{NOUNS[ask.kind]}s/{ask.id}"
        raw = await self.get(path, {"expand": expand} if expand else {})
        if (ask.kind, ask.id) not in self.pool.objects:
            # The pool left it out: it is gone, or cannot be read, and whoever asked is told which.
            if raw.get("deleted") is True:
                raise Deleted(ask.kind, ask.id)
            reading.READERS[NOUNS[ask.kind]](raw)

    async def _secret(self, ask: Ask) -> None:
        await self.get(f"/v1/invoices/{ask.id}", {"expand": [SECRET.name]})
        self.pool.answers.setdefault(ask, None)

    async def _credit_note_preview(self, ask: Ask, draft: CreditNoteDraft) -> None:
        self.pool.answers[ask] = await credit_note_preview(self.api, draft, self.meter)

    async def _reallocation_preview(self, ask: Ask, asked: ReallocatePayment) -> None:
        try:
            both = await BothInvoices(self.api, self.viewer, asked, self.meter).read()
        except Refused as refused:
            raise failure_of(refused) from refused
        self.pool.answers[ask] = reallocation_preview(both, asked)

    async def pages(self, read: ListRead) -> None:
        """One call, and all that it answers. What a short list's rows do not answer comes again."""
        listing = listing_of(read.ask)
        page = await self._page(read.ask, listing, read.needs)
        key = short_list(read.ask, self.viewer)
        if key is not None and listing == Listing(listing.name, Page(first=listing.page.size)):
            self.pool.embed(key, page)
        if read.whole is not None:
            self.pool.read_whole.add(read.whole)
            return
        for ask in read.answers:
            self.pool.answers[ask] = cut(page, listing_of(ask).page)

    async def _page(self, ask: Ask, listing: Listing, needs: Needs) -> FetchedPage:
        customer_id = listing.where.customer_id
        if customer_id is not None and not self.viewer.sees(customer_id):
            # Somebody else's list is empty, like that of an unknown customer.
            return FetchedPage((), False, False)
        member = MEMBERS.get(listing.name, "InvoiceLineItem")
        is_lines = member == "InvoiceLineItem"
        path = f"/v1/invoices/{ask.id}/lines" if is_lines else f"/v1/{NOUNS[member]}s"
        params = self._parameters(None if is_lines else ask.kind, ask.id, listing)
        expand = expansions(member, needs, "data")
        is_mixed = listing.name == "invoice_payments" and self.viewer.customers is not None
        if is_mixed:
            expand = deepest([*expand, "data.invoice"])
        if expand:
            params["expand"] = expand
        read = self._listed_own if is_mixed else self._listed
        raw = await read(path, params, listing)
        return self._page_of(raw, listing, member, ask)

    def _page_of(self, raw: dict[str, Any], listing: Listing, member: str, ask: Ask) -> FetchedPage:
        """All the rows that came and the filter leaves; each answer is cut from them."""
        rows, has_more = reading.embedded_list(raw)
        members: tuple[Any, ...]
        if member == "InvoiceLineItem":
            members = tuple(reading.line_item_records(raw, str(ask.id)))
        else:
            members = tuple(self.pool.member(row, member) for row in rows)
        kept = filtered(members, listing.where)
        if listing.page.before is not None:
            return FetchedPage(kept, True, has_more or len(kept) < len(members))
        return FetchedPage(kept, has_more, listing.page.after is not None)

    async def _listed(self, path: str, params: Params, listing: Listing) -> dict[str, Any]:
        """The list. A cursor whose object is gone says so; a list of what is unknown is empty."""
        try:
            return await self.get(path, params)
        except Failed as failed:
            if failed.code is not ErrorCode.NOT_FOUND:
                raise
            if listing.page.after is not None or listing.page.before is not None:
                raise cursor_gone() from failed
            return {"data": [], "has_more": False}

    async def _listed_own(self, path: str, params: Params, listing: Listing) -> dict[str, Any]:
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

    def _parameters(self, kind: str | None, parent_id: str | None, listing: Listing) -> Params:
        """To Stripe a list below an object is the list of all, filtered by it."""
        where, page = listing.where, listing.page
        ids = {
            "Customer": where.customer_id,
            "Invoice": where.invoice_id,
            "PaymentIntent": where.payment_intent_id,
            "PaymentRecord": where.payment_record_id,
        }
        if kind is not None:
            ids[kind] = parent_id
        if listing.name == "invoices" and not ids["Customer"] and self.viewer.customers is not None:
            ids["Customer"] = next(iter(self.viewer.customers), None)
        intent, record = ids["PaymentIntent"], ids["PaymentRecord"]
        source = _some(payment_intent=intent) or _some(payment_record=record)
        return _some(
            customer=ids["Customer"],
            invoice=ids["Invoice"],
            payment={"type": next(iter(source)), **source} if source else None,
            collection_method=where.collection_method,
            subscription=where.subscription_id,
            created=_range(where.created),
            due_date=_range(where.due),
            # Several states cannot be asked for at once, so more is read and then narrowed.
            status=where.statuses[0] if len(where.statuses) == 1 else None,
            limit=PAGE_SIZE_MAX if len(where.statuses) > 1 else page.size,
            starting_after=page.after and page.after.object_id,
            ending_before=page.before and page.before.object_id,
        )


def expansions(type_name: str, needs: Needs, prefix: str = "") -> list[str]:
    """The deepest expand paths that serve these needs, at most four levels each."""
    return deepest(_paths(type_name, needs, prefix))


def _paths(type_name: str, needs: Needs, prefix: str) -> list[str]:
    found: list[str] = []
    for need, deeper in needs.of(type_name).items():
        for segment, target in EXPANSIONS.get((type_name, getattr(need, "name", "")), ()):
            path = f"{prefix}.{segment}" if prefix else segment
            # `payments.data` is asked for as `payments`.
            found += [path.removesuffix(".data"), *_paths(target, deeper, path)]
    return [path for path in found if path.count(".") < EXPANSION_LEVELS_MAX]


def deepest(paths: Iterable[str]) -> list[str]:
    """A path expands what it passes through, so a prefix of another is left out."""
    unique = sorted(set(paths))
    return [path for path in unique if not any(other.startswith(f"{path}.") for other in unique)]


def _range(given: TimeRange) -> dict[str, int] | None:
    return None if given == ALWAYS else _some(gte=given.start, lte=given.end)


def _some(**params: Any) -> Params:
    """The parameters that say something."""
    return {name: value for name, value in params.items() if value is not None}
