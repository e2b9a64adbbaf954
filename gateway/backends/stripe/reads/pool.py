"""What one operation has fetched so far: records by id, pages of lists, computed values.

A `RecordSource` that raises `Missing` for what is not in it. Whoever fills it decides where from;
the pool fetches nothing and outlives no operation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage, Missing
from gateway.backends.stripe.reads.lists import Embedded, ListKey, page_of, short_list
from gateway.ledger import payments
from gateway.ledger.book import Book
from schema import records
from schema.ports import (
    Computed,
    Failed,
    Listing,
    Page,
    Viewer,
)

WHOLE_BOOK = Listing("payments", Page(first=100))
"""The payments that a rule looks at; more than a hundred live ones are unheard of."""


@dataclass(slots=True)
class Pool:
    """Filled by a fetcher or a cache, read by the assembly."""

    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    pages: dict[Ask, FetchedPage | Failed] = field(default_factory=dict)
    values: dict[Ask, Any] = field(default_factory=dict)
    embedded: dict[ListKey, Embedded] = field(default_factory=dict)
    read_whole: set[ListKey] = field(default_factory=set)
    """The short lists of which as many rows were read as a page has."""

    def put(self, record: Any) -> None:
        """Keep a record; what came first in this operation stays."""
        self.objects.setdefault((type(record).__name__, record.id), record)

    def fail(self, ask: Ask, failed: Failed) -> None:
        """Remember that this could not be had, so that it is asked for once."""
        if isinstance(ask.need, Listing):
            self.pages[ask] = failed
        elif ask.need is not None:
            self.values[ask] = failed
        else:
            self.objects[ask.kind or "", ask.id or ""] = failed

    def get(self, kind: str, record_id: str) -> Any:
        held = self.objects.get((kind, record_id))
        if held is None:
            raise Missing(Ask(kind, record_id))
        if isinstance(held, Failed):
            raise held
        return held

    def page(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[list[Any], bool, bool]:
        ask = page_ask(listing, parent)
        held = self.pages.get(ask)
        if isinstance(held, Failed):
            raise held
        if held is None:
            held = self.from_embedded(ask, viewer)
        if held is None:
            raise Missing(ask)
        members = list(held.members)
        if listing.where.attachable_to is not None:
            members = self._attachable(members, listing.where.attachable_to)
        return members, held.has_next, held.has_previous

    def embed(self, key: ListKey, rows: Embedded) -> None:
        """Keep the first rows of a list, unless more of them are known."""
        known = self.embedded.get(key)
        if known is None or (known.has_more and len(known.members) <= len(rows.members)):
            self.embedded[key] = rows

    def from_embedded(self, ask: Ask, viewer: Viewer) -> FetchedPage | None:
        """The page, if the rows that are known of its list are enough for it."""
        key, listing = short_list(ask, viewer), ask.need
        rows = None if key is None else self.embedded.get(key)
        if rows is None or not isinstance(listing, Listing):
            return None
        return page_of(rows, listing)

    def _attachable(self, intents: list[Any], invoice_id: str) -> list[Any]:
        book = self.book(invoice_id)
        return [one for one in intents if payments.attachable(book, one, 0)]

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any:
        ask = Ask(*_place(parent), need)
        if ask in self.values:
            held = self.values[ask]
            if isinstance(held, Failed):
                raise held
            return held
        match need.name:
            case "amount_paid_out_of_band":
                return self._out_of_band(parent)
            case "detach_preview":
                return payments.detach_preview(self._book_around(parent), parent)
            case _:
                raise Missing(ask)

    def _out_of_band(self, invoice: records.Invoice) -> int:
        return paid_out_of_band(invoice, self._all_payments(invoice))

    def _all_payments(self, invoice: records.Invoice) -> list[records.InvoicePayment]:
        members, _, _ = self.page(WHOLE_BOOK, invoice, Viewer("pool"))
        return members

    def _book_around(self, payment: records.InvoicePayment) -> Book:
        if payment.source_type == "payment_intent":
            self.get("PaymentIntent", payment.source_id)
        return self.book(payment.invoice_id)

    def book(self, invoice_id: str) -> Book:
        """The book of an invoice, with what of it has been fetched; raises `Missing` for more."""
        invoice: records.Invoice = self.get("Invoice", invoice_id)
        of_invoice = self._all_payments(invoice)[::-1]
        intents = [
            self.get("PaymentIntent", one.source_id)
            for one in of_invoice
            if one.source_type == "payment_intent" and one.status == "open"
        ]
        known = {
            one.source_id: self.objects.get(("PaymentIntent", one.source_id)) for one in of_invoice
        }
        known |= {one.id: one for one in intents}
        held = {
            source_id: intent
            for source_id, intent in known.items()
            if isinstance(intent, records.PaymentIntent)
        }
        return Book(invoice, tuple(of_invoice), held)


def _place(parent: Any) -> tuple[str | None, str | None]:
    return (None, None) if parent is None else (type(parent).__name__, parent.id)


def page_ask(listing: Listing, parent: Any) -> Ask:
    return Ask(*_place(parent), listing)


def paid_out_of_band(invoice: records.Invoice, of_invoice: list[records.InvoicePayment]) -> int:
    """What reached the invoice and came from neither an intent nor a charge.

    Source: the 2025-03-31.basil changelog, which names this sum as the way to tell.
    """
    by_stripe = sum(
        one.amount_paid or 0 for one in of_invoice if one.source_type != "payment_record"
    )
    return max(0, invoice.amount_paid + invoice.amount_overpaid - by_stripe)
