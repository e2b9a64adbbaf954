"""What one operation has fetched so far: records by id, pages of lists, computed values.

A `RecordSource` that raises `Missing` for what is not in it. It takes in Stripe's answers whole,
fetches nothing and outlives no operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage, Missing
from gateway.backends.first_rows import ListKey, page_of
from gateway.backends.stripe.reads.lists import short_list
from gateway.ledger import payments
from gateway.ledger.book import Book
from gateway.stripe_objects import reading
from schema import records
from schema.ports import Computed, Deleted, Failed, Listing, Page, Viewer

WHOLE_BOOK = Listing("payments", Page(first=100))
"""The payments that a rule looks at; more than a hundred live ones are unheard of."""

SECRET = Computed("confirmation_secret")
OUT_OF_BAND = Computed("amount_paid_out_of_band")

NOUNS: Mapping[str, str] = {
    "Invoice": "invoice",
    "InvoicePayment": "invoice_payment",
    "PaymentIntent": "payment_intent",
    "PaymentRecord": "payment_record",
    "Charge": "charge",
    "CreditNote": "credit_note",
    "Customer": "customer",
}
"""Stripe's word for each kind of record: in `object`, and with an s in the path."""


@dataclass(slots=True)
class Pool:
    """Filled by a fetch plan, read by the assembly."""

    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    answers: dict[Ask, Any] = field(default_factory=dict)
    """Pages of lists and computed values, or the `Failed` in their place."""
    first_rows: dict[ListKey, FetchedPage] = field(default_factory=dict)
    """Of short lists, newest first: they came inside the parent or by themselves."""
    read_whole: set[ListKey] = field(default_factory=set)
    """The short lists of which as many rows were read as a page has."""

    def take_in(self, raw: dict[str, Any]) -> None:
        """Keep everything that stands in one of Stripe's answers."""
        objects = reading.objects_in(raw)
        for told in map(reading.told_by, objects):
            if isinstance(told, Deleted):
                self.fail(Ask(told.kind, told.id), told)
            elif told is not None:
                self.put(told)
        for one in objects:
            if one.get("object") == "invoice" and not one.get("deleted"):
                self._keep_embedded(one)

    def put(self, record: Any) -> None:
        """Keep a record; what came first in this operation stays."""
        self.objects.setdefault((type(record).__name__, record.id), record)

    def fail(self, ask: Ask, failed: Failed) -> None:
        """Remember that this could not be had, so that it is asked for once."""
        if ask.need is not None:
            self.answers[ask] = failed
        else:
            self.objects[ask.kind or "", ask.id or ""] = failed

    def _keep_embedded(self, raw: dict[str, Any]) -> None:
        """Keep an invoice's first payments and lines, and what is told of it when it is asked for,
        if the answer has them."""
        invoice_id = str(raw.get("id"))
        if isinstance(raw.get("payments"), dict):
            self.keep_payments(invoice_id, raw["payments"])
        if isinstance(raw.get("lines"), dict):
            lines = tuple(reading.line_item_records(raw["lines"], invoice_id))
            has_more = bool(raw["lines"].get("has_more"))
            self.embed(("Invoice", "lines", invoice_id), FetchedPage(lines, has_more, False))
        if isinstance(raw.get("confirmation_secret"), dict):
            self.answers[Ask("Invoice", invoice_id, SECRET)] = reading.confirmation_secret(raw)
        if type(raw.get("amount_paid_off_stripe")) is int:
            ask = Ask("Invoice", invoice_id, OUT_OF_BAND)
            self.answers.setdefault(ask, raw["amount_paid_off_stripe"])

    def keep_payments(self, invoice_id: str, raw: dict[str, Any]) -> None:
        """Keep an invoice's first payments."""
        rows, has_more = reading.embedded_list(raw)
        members = tuple(self.member(row, "InvoicePayment") for row in rows)
        self.embed(("Invoice", "payments", invoice_id), FetchedPage(members, has_more, False))

    def embed(self, key: ListKey, rows: FetchedPage) -> None:
        """Keep the first rows of a list, unless more of them are known."""
        known = self.first_rows.get(key)
        if known is None or (known.has_next and len(known.members) <= len(rows.members)):
            self.first_rows[key] = rows

    def member(self, row: object, kind: str) -> Any:
        """The record of a row of a list that was taken in. Raises `Failed`."""
        row_id = row.get("id") if isinstance(row, dict) else None
        held = self.objects.get((kind, row_id)) if isinstance(row_id, str) else None
        return reading.READERS[NOUNS[kind]](row) if isinstance(held, Failed | None) else held

    def get(self, kind: str, record_id: str) -> Any:
        held = self.objects.get((kind, record_id))
        if held is None:
            raise Missing(Ask(kind, record_id))
        if isinstance(held, Failed):
            raise held
        return held

    def page(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[list[Any], bool, bool]:
        ask = _ask_below(parent, listing)
        held: FetchedPage | Failed | None = self.answers.get(ask)
        if held is None:
            held = self.from_embedded(ask, viewer)
        if isinstance(held, Failed):
            raise held
        if held is None:
            raise Missing(ask)
        members = list(held.members)
        if listing.where.attachable_to is not None:
            book = self.book(listing.where.attachable_to)
            members = [one for one in members if payments.attachable(book, one, 0)]
        return members, held.has_next, held.has_previous

    def from_embedded(self, ask: Ask, viewer: Viewer) -> FetchedPage | None:
        """The page, if the rows that are known of its list are enough for it."""
        key, listing = short_list(ask, viewer), ask.need
        rows = None if key is None else self.first_rows.get(key)
        if rows is None or not isinstance(listing, Listing):
            return None
        return page_of(rows, listing)

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any:
        ask = _ask_below(parent, need)
        if ask in self.answers:
            held = self.answers[ask]
            if isinstance(held, Failed):
                raise held
            return held
        match need.name:
            case "amount_paid_out_of_band":
                return paid_out_of_band(parent, self._all_payments(parent))
            case "detach_preview":
                if parent.source_type == "payment_intent":
                    self.get("PaymentIntent", parent.source_id)
                return payments.detach_preview(self.book(parent.invoice_id), parent)
            case _:
                raise Missing(ask)

    def book(self, invoice_id: str) -> Book:
        """The book of an invoice, with what of it has been fetched; raises `Missing` for more."""
        invoice: records.Invoice = self.get("Invoice", invoice_id)
        of_invoice = self._all_payments(invoice)[::-1]
        intents: dict[str, records.PaymentIntent] = {}
        for one in of_invoice:
            if one.source_type == "payment_intent" and one.status == "open":
                intents[one.source_id] = self.get("PaymentIntent", one.source_id)
            held = self.objects.get(("PaymentIntent", one.source_id))
            if isinstance(held, records.PaymentIntent):
                intents[one.source_id] = held
        return Book(invoice, tuple(of_invoice), intents)

    def _all_payments(self, invoice: records.Invoice) -> list[records.InvoicePayment]:
        members, _, _ = self.page(WHOLE_BOOK, invoice, Viewer("pool"))
        return members


def _ask_below(parent: Any, need: Listing | Computed) -> Ask:
    return Ask(None, None, need) if parent is None else Ask(type(parent).__name__, parent.id, need)


def paid_out_of_band(invoice: records.Invoice, of_invoice: list[records.InvoicePayment]) -> int:
    """What reached the invoice and came from neither an intent nor a charge.

    Source: the 2025-03-31.basil changelog, which names this sum as the way to tell.
    """
    by_stripe = sum(
        one.amount_paid or 0 for one in of_invoice if one.source_type != "payment_record"
    )
    return max(0, invoice.amount_paid + invoice.amount_overpaid - by_stripe)
