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
from gateway.ledger.book import Book, claim
from gateway.stripe_objects.reading import (
    embedded_list,
    harvest,
    invoice_payment_record,
    invoice_record,
    is_id,
    payment_intent_record,
    payment_record_record,
)
from schema import records
from schema.ports import GATEWAY_KEY, ErrorCode, Failed, Meter

PAGE_SIZE = 100
"""Stripe's largest page: one call answers for all but the oddest invoices."""

RECORD_PAGES_MAX = 5
"""Of payment records, looked through after a failure of Stripe's: the newest 500."""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """What pays, by Stripe's type and id."""

    type: str
    id: str

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the input of an attach."""
        field = "paymentIntentId" if self.type == "payment_intent" else "paymentRecordId"
        return ("payment", field)

    @property
    def filter(self) -> dict[str, Any]:
        """The parameter that lists its invoice payments."""
        return {"payment": {"type": self.type, self.type: self.id}}


class InvoiceBooks:
    """The reads of one write."""

    def __init__(self, api: StripeApi, meter: Meter) -> None:
        self._api = api
        self._meter = meter

    async def invoice(self, invoice_id: str) -> records.Invoice:
        return invoice_record(await self._api.get(f"/v1/invoices/{invoice_id}", {}, self._meter))

    async def book(self, invoice_id: str, source: SourceRef | None) -> Book:
        """The invoice, the payments that its object shows, and in any case those by the source."""
        path = f"/v1/invoices/{invoice_id}"
        expand = {"expand": ["payments.data.payment.payment_intent"]}
        raw = await self._api.get(path, expand, self._meter)
        book, complete = book_of(raw)
        if complete or source is None or book.live_payment_by(source.id) is not None:
            return book
        for payment in await self.payments_by(source, invoice_id=invoice_id):
            book = book.with_payment(payment)
        return book

    async def payments_by(
        self, source: SourceRef, invoice_id: str | None = None
    ) -> list[records.InvoicePayment]:
        """The payments by one source, of one invoice or of all."""
        params = source.filter | {"limit": PAGE_SIZE}
        if invoice_id is not None:
            params["invoice"] = invoice_id
        raw = await self._api.get("/v1/invoice_payments", params, self._meter)
        return [invoice_payment_record(one) for one in embedded_list(raw)[0]]

    async def claimed_elsewhere(self, source: SourceRef, invoice_id: str) -> int:
        """How much of a source the payments of other invoices take."""
        every = await self.payments_by(source)
        return sum(claim(one) for one in every if one.invoice_id != invoice_id)

    async def source(self, source: SourceRef) -> records.PaymentIntent | records.PaymentRecord:
        raw = await self._api.get(f"/v1/{source.type}s/{source.id}", {}, self._meter)
        if source.type == "payment_intent":
            return payment_intent_record(raw)
        return payment_record_record(raw)

    async def book_with_reported(
        self, invoice_id: str, key: str
    ) -> tuple[Book, records.InvoicePayment | None]:
        """The invoice with what it shows, and the payment that was reported under this key."""
        path = f"/v1/invoices/{invoice_id}"
        expand = {"expand": ["payments.data.payment.payment_record"]}
        raw = await self._api.get(path, expand, self._meter)
        book, complete = book_of(raw)
        items = _items(raw)
        if not complete:
            params = {
                "invoice": invoice_id,
                "payment": {"type": "payment_record"},
                "limit": PAGE_SIZE,
                "expand": ["data.payment.payment_record"],
            }
            page = await self._api.get("/v1/invoice_payments", params, self._meter)
            items, _ = embedded_list(page)
        ours = [one for one in items if reported_under(one) == key]
        return book, invoice_payment_record(ours[0]) if ours else None

    async def reported_under(self, key: str) -> tuple[str | None, bool]:
        """The payment record that was reported under this key, and whether that is certain.

        Stripe cannot filter records by metadata, so the newest are looked through.
        """
        params: dict[str, Any] = {"limit": PAGE_SIZE}
        for _ in range(RECORD_PAGES_MAX):
            page = await self._api.get("/v1/payment_records", params, self._meter)
            items, has_more = embedded_list(page)
            ours = [one["id"] for one in items if _key_of(one) == key and is_id(one.get("id"))]
            if ours or not has_more:
                return (ours[0] if ours else None), True
            params["starting_after"] = payment_record_record(items[-1]).id if items else ""
        return None, False

    async def credit_note_under(self, invoice_id: str, key: str) -> records.CreditNote | None:
        """The credit note that was issued under this key; newest first, so one page is enough."""
        params = {"invoice": invoice_id, "limit": PAGE_SIZE}
        raw = await self._api.get("/v1/credit_notes", params, self._meter)
        ours = [one for one in embedded_list(raw)[0] if _key_of(one) == key]
        found = harvest(ours)
        return found[0] if found and isinstance(found[0], records.CreditNote) else None

    async def detached_payment_id(self, invoice_id: str, intent_id: str) -> str:
        """The id of a payment that is gone, from Stripe's event about it; empty if there is none.

        Only the ids in the event are used; its snapshot is old.
        """
        try:
            gone = await self.detached_since(invoice_id, intent_id, None)
        except Failed:
            return ""
        return gone[0] if gone else ""

    async def detached_since(self, invoice_id: str, intent_id: str, since: int | None) -> list[str]:
        """The ids of payments by this intent that were taken off this invoice, newest first."""
        events = await self._events("invoice_payment.detached", since)
        gone = harvest([subject for _, subject in events])
        payments = [one for one in gone if isinstance(one, records.InvoicePayment)]
        wanted = (invoice_id, intent_id)
        return [one.id for one in payments if (one.invoice_id, one.source_id) == wanted]

    async def paid_under(self, key: str, since: int | None) -> records.InvoicePayment | None:
        """The payment that counted at once when this key attached it, from Stripe's event."""
        return await self._payment_under("invoice_payment.paid", key, since)

    async def detached_under(self, key: str, since: int | None) -> records.InvoicePayment | None:
        """The payment that this key has taken off, from Stripe's event."""
        return await self._payment_under("invoice_payment.detached", key, since)

    async def keys_behind(self, type: str, payment_id: str, since: int | None) -> set[str | None]:
        """The idempotency keys of the requests that Stripe's events of this type tell of this
        payment; None for one without."""
        events = await self._events(f"invoice_payment.{type}", since)
        return {key for key, subject in events if subject.get("id") == payment_id}

    async def _payment_under(
        self, type: str, key: str, since: int | None
    ) -> records.InvoicePayment | None:
        events = await self._events(type, since)
        ours = harvest([subject for request_key, subject in events if request_key == key])
        return next((one for one in ours if isinstance(one, records.InvoicePayment)), None)

    async def _events(self, type: str, since: int | None) -> list[tuple[str | None, Any]]:
        """The idempotency keys behind Stripe's newest events of a type, and what they are about."""
        params: dict[str, Any] = {"type": type, "limit": PAGE_SIZE}
        if since is not None:
            params["created"] = {"gte": since}
        raw = await self._api.get("/v1/events", params, self._meter)
        try:
            return [
                ((one.get("request") or {}).get("idempotency_key"), one["data"]["object"])
                for one in embedded_list(raw)[0]
            ]
        except (LookupError, TypeError, AttributeError):
            raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's events cannot be read") from None


def book_of(raw: Mapping[str, Any]) -> tuple[Book, bool]:
    """The book that an invoice read with its payments shows, and whether it shows all of them."""
    payments = [invoice_payment_record(one) for one in _items(raw)]
    intents = [one for one in harvest(raw) if isinstance(one, records.PaymentIntent)]
    book = Book(
        invoice=invoice_record(raw),
        payments=tuple(sorted(payments, key=lambda one: one.created)),
        intents={one.id: one for one in intents},
    )
    return book, not embedded_list(raw["payments"])[1]


def _items(raw: Mapping[str, Any]) -> list[Any]:
    if "payments" not in raw:
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe left out the payments that were asked for")
    return embedded_list(raw["payments"])[0]


def reported_under(raw_payment: Any) -> str | None:
    """Our key in the metadata of the expanded payment record of an invoice payment."""
    payment = raw_payment.get("payment") if isinstance(raw_payment, Mapping) else None
    return _key_of(payment.get("payment_record")) if isinstance(payment, Mapping) else None


def _key_of(raw: Any) -> str | None:
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    key = metadata.get(GATEWAY_KEY) if isinstance(metadata, Mapping) else None
    return key if isinstance(key, str) else None
