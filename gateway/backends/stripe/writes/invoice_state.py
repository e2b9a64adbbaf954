"""What a write must see at Stripe: the invoice with the payments that matter, and their sources.

Read past every cache, before a write that needs it and after one that Stripe refused or whose
answer was lost. Raises `Failed`; it judges nothing.
Source: https://docs.stripe.com/api/invoices/retrieve and
https://docs.stripe.com/api/invoice-payment/list, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.supplier import no_such
from gateway.ledger.book import Book, claim
from gateway.stripe_objects.reading import (
    credit_note_record,
    embedded_list,
    harvest,
    invoice_payment_record,
    invoice_record,
    is_id,
    payment_intent_record,
    payment_record_record,
)
from schema import records
from schema.ports import GATEWAY_KEY, PAGE_SIZE_MAX, ErrorCode, Failed, Meter, Refused

EXPAND = ["payments.data.payment.payment_intent"]
"""The same for every caller, as Stripe compares parameters when a key is used again."""

DETACHED = "invoice_payment.detached"
PAID = "invoice_payment.paid"
NOTE_VOIDED = "credit_note.voided"
"""The events of Stripe's that tell whose request has done something."""

RECORD_PAGES_MAX = 5
"""Of payment records, looked through after a failure of Stripe's: the newest 500."""

Source = records.PaymentIntent | records.PaymentRecord
Rows = tuple[list[Any], bool]


@dataclass(frozen=True, slots=True)
class SourceRef:
    """What pays, by Stripe's type and id, and where it stands in the mutation's input."""

    type: str
    id: str
    path: tuple[str, ...]

    def missing(self) -> Refused:
        return no_such(self.type, self.id, self.path)


@dataclass(frozen=True, slots=True)
class InvoiceBooks:
    """The reads of one write on one invoice."""

    api: StripeApi
    meter: Meter
    invoice_id: str

    async def _invoice(self, **params: Any) -> dict[str, Any]:
        return await self.api.get(f"/v1/invoices/{self.invoice_id}", params, self.meter)

    async def _list(self, noun: str, **params: Any) -> Rows:
        """A page, and whether there is more: one answers for all but the oddest invoices."""
        page = {**params, "limit": PAGE_SIZE_MAX}
        return embedded_list(await self.api.get(f"/v1/{noun}", page, self.meter))

    async def invoice(self) -> records.Invoice:
        return invoice_record(await self._invoice())

    async def book(self, source: SourceRef) -> Book:
        """The invoice, the payments that its object shows, and in any case those by the source."""
        book, complete = book_of(await self._invoice(expand=EXPAND))
        if complete or book.live_payment_by(source.id) is not None:
            return book
        for payment in await self.payments_by(source, invoice=self.invoice_id):
            book = book.with_payment(payment)
        return book

    async def payments_by(self, source: SourceRef, **where: str) -> list[records.InvoicePayment]:
        """The payments by one source, of one invoice or of all."""
        payment = {"type": source.type, source.type: source.id}
        rows, _ = await self._list("invoice_payments", payment=payment, **where)
        return [invoice_payment_record(one) for one in rows]

    async def claimed_elsewhere(self, source: SourceRef) -> int:
        """How much of a source the payments of other invoices take."""
        every = await self.payments_by(source)
        return sum(claim(one) for one in every if one.invoice_id != self.invoice_id)

    async def source(self, source: SourceRef) -> Source:
        raw = await self.api.get(f"/v1/{source.type}s/{source.id}", {}, self.meter)
        if source.type == "payment_intent":
            return payment_intent_record(raw)
        return payment_record_record(raw)

    async def book_with_reported(self, key: str) -> tuple[Book, records.InvoicePayment | None]:
        """The invoice with what it shows, and the payment that was reported under this key."""
        raw = await self._invoice(expand=["payments.data.payment.payment_record"])
        book, complete = book_of(raw)
        items, _ = embedded_list(raw["payments"])
        if not complete:
            items, _ = await self._list(
                "invoice_payments",
                invoice=self.invoice_id,
                payment={"type": "payment_record"},
                expand=["data.payment.payment_record"],
            )
        ours = [one for one in items if _key_of(one, "payment", "payment_record") == key]
        return book, invoice_payment_record(ours[0]) if ours else None

    async def reported_under(self, key: str) -> tuple[str | None, bool]:
        """The payment record that was reported under this key, and whether that is certain.

        Stripe cannot filter records by metadata, so the newest are looked through.
        """
        where: dict[str, str] = {}
        for _ in range(RECORD_PAGES_MAX):
            items, has_more = await self._list("payment_records", **where)
            ours = [one["id"] for one in items if _key_of(one) == key and is_id(one.get("id"))]
            if ours or not has_more:
                return (ours[0] if ours else None), True
            where = {"starting_after": payment_record_record(items[-1]).id if items else ""}
        return None, False

    async def credit_note(self, note_id: str) -> records.CreditNote:
        return credit_note_record(await self.api.get(f"/v1/credit_notes/{note_id}", {}, self.meter))

    async def credit_note_under(self, key: str) -> records.CreditNote | None:
        """The credit note that was issued under this key; newest first, so one page is enough."""
        rows, _ = await self._list("credit_notes", invoice=self.invoice_id)
        found = harvest([one for one in rows if _key_of(one) == key])
        return found[0] if found and isinstance(found[0], records.CreditNote) else None

    async def detached_since(self, intent_id: str, since: int | None) -> list[str]:
        """The ids of payments by this intent that were taken off this invoice, newest first."""
        gone = harvest([subject for _, subject in await self._events(DETACHED, since)])
        payments = [one for one in gone if isinstance(one, records.InvoicePayment)]
        wanted = (self.invoice_id, intent_id)
        return [one.id for one in payments if (one.invoice_id, one.source_id) == wanted]

    async def payment_under(self, happened: str, key: str) -> records.InvoicePayment | None:
        """The payment that counted at once when this key attached it (`PAID`), or that it has taken
        off (`DETACHED`), from Stripe's event. Only its ids may be used: the snapshot is old."""
        events = await self._events(happened)
        ours = harvest([subject for request_key, subject in events if request_key == key])
        return next((one for one in ours if isinstance(one, records.InvoicePayment)), None)

    async def keys_behind(self, happened: str, object_id: str) -> set[str | None]:
        """The idempotency keys of the requests to which this has happened, by Stripe's events;
        None for one without."""
        events = await self._events(happened)
        return {key for key, subject in events if subject.get("id") == object_id}

    async def _events(
        self, happened: str, since: int | None = None
    ) -> list[tuple[str | None, Any]]:
        """The idempotency keys behind Stripe's newest events of a type, and what they are about.

        Who looks for a key or an object gives no `since`: the clock that noted it may be wrong.
        """
        created = {} if since is None else {"created": {"gte": since}}
        rows, _ = await self._list("events", type=happened, **created)
        try:
            return [
                ((one.get("request") or {}).get("idempotency_key"), one["data"]["object"])
                for one in rows
            ]
        except (LookupError, TypeError, AttributeError):
            raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's events cannot be read") from None


def book_of(raw: Mapping[str, Any]) -> tuple[Book, bool]:
    """The book that an invoice read with its payments shows, and whether it shows all of them."""
    if "payments" not in raw:
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe left out the payments that were asked for")
    items, has_more = embedded_list(raw["payments"])
    payments = [invoice_payment_record(one) for one in items]
    intents = [one for one in harvest(raw) if isinstance(one, records.PaymentIntent)]
    book = Book(
        invoice=invoice_record(raw),
        payments=tuple(sorted(payments, key=lambda one: one.created)),
        intents={one.id: one for one in intents},
    )
    return book, not has_more


def _key_of(raw: Any, *where: str) -> str | None:
    """Our key in the metadata of an object, or of the one that is expanded there."""
    for name in (*where, "metadata", GATEWAY_KEY):
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, str) else None
