"""What moving a payment from one invoice to another must see at Stripe, in two calls: every payment
by the intent with the invoice it is on, and the invoice that it is to pay.

Both are read past every cache, for the write and for its preview. A list of an intent's payments
expands to one level less than an invoice does: the intents of the other payments stay ids, which
no rule looks at.
Source: https://docs.stripe.com/api/invoice-payment/list and
https://docs.stripe.com/api/expanding_objects, 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.writes.invoice_state import EXPAND, book_of
from gateway.backends.supplier import no_such
from gateway.ledger.book import Book, claim
from gateway.ledger.reallocation import Reallocation
from gateway.stripe_objects.reading import (
    embedded_list,
    invoice_payment_record,
    payment_intent_record,
)
from schema import records
from schema.ports import (
    PAGE_SIZE_MAX,
    ErrorCode,
    Failed,
    Meter,
    ReallocatePayment,
    Refused,
    Viewer,
)

OF_INTENT = ["data.invoice.payments", "data.payment.payment_intent"]


@dataclass(frozen=True, slots=True)
class BothInvoices:
    """The reads for one payment that is to be moved."""

    api: StripeApi
    viewer: Viewer
    asked: ReallocatePayment
    meter: Meter

    async def read(self) -> Reallocation:
        """Raises `Failed`, and `Refused` for what does not exist and what is another's."""
        asked = self.asked
        rows, target = await asyncio.gather(
            _or_failed(self._payments()), _or_failed(self._invoice(asked.to_invoice_id))
        )
        if isinstance(rows, Failed) and rows.code is not ErrorCode.NOT_FOUND:
            raise rows
        found = [] if isinstance(rows, Failed) else rows
        payments = [invoice_payment_record(row) for row in found]
        source = _book_in(found, asked.from_invoice_id)
        if source is None:
            source = await _or_failed(self._invoice(asked.from_invoice_id))
        left = self._checked(source, asked.from_invoice_id, "fromInvoiceId")
        entered = self._checked(target, asked.to_invoice_id, "toInvoiceId")
        intent = await self._intent(found)
        both = (asked.from_invoice_id, asked.to_invoice_id)
        return Reallocation(
            source=_complete(left, payments).with_intent(intent),
            target=_complete(entered, payments),
            intent=intent,
            claimed_elsewhere=sum(claim(one) for one in payments if one.invoice_id not in both),
        )

    async def _payments(self) -> list[Any]:
        """All payments by the intent; one page answers for all but the oddest."""
        intent_id = self.asked.payment_intent_id
        params = {
            "payment": {"type": "payment_intent", "payment_intent": intent_id},
            "limit": PAGE_SIZE_MAX,
            "expand": OF_INTENT,
        }
        rows, _ = embedded_list(await self.api.get("/v1/invoice_payments", params, self.meter))
        return rows

    async def _invoice(self, invoice_id: str) -> Book:
        raw = await self.api.get(f"/v1/invoices/{invoice_id}", {"expand": EXPAND}, self.meter)
        book, _ = book_of(raw)
        return book

    def _checked(self, found: Book | Failed, invoice_id: str, argument: str) -> Book:
        if isinstance(found, Failed) and found.code is not ErrorCode.NOT_FOUND:
            raise found
        if isinstance(found, Failed) or not self.viewer.sees(found.invoice.customer_id):
            raise no_such("invoice", invoice_id, (argument,))
        return found

    async def _intent(self, rows: list[Any]) -> records.PaymentIntent:
        """What stands in the list is read with it; an intent that pays nothing has to be asked."""
        intent_id, missing = self.asked.payment_intent_id, self._no_such_intent()
        for row in rows:
            if isinstance(row["payment"].get("payment_intent"), dict):
                intent = payment_intent_record(row["payment"]["payment_intent"])
                break
        else:
            try:
                raw = await self.api.get(f"/v1/payment_intents/{intent_id}", {}, self.meter)
            except Failed as failed:
                raise (missing if failed.code is ErrorCode.NOT_FOUND else failed) from None
            intent = payment_intent_record(raw)
        if not self.viewer.sees(intent.customer_id):
            raise missing
        return intent

    def _no_such_intent(self) -> Refused:
        return no_such("payment_intent", self.asked.payment_intent_id, ("paymentIntentId",))


async def _or_failed(reading: Awaitable[Any]) -> Any:
    """What was read, or why not: of two that fail the first in the input is told."""
    try:
        return await reading
    except Failed as failed:
        return failed


def _book_in(rows: list[Any], invoice_id: str) -> Book | None:
    """The invoice, if it came with a payment by the intent."""
    for row in rows:
        if isinstance(row["invoice"], dict) and row["invoice"].get("id") == invoice_id:
            book, _ = book_of(row["invoice"])
            return book
    return None


def _complete(book: Book, payments: list[records.InvoicePayment]) -> Book:
    """The book with all payments by the intent, which need not be among those that its invoice
    shows; and with an intent for its open default, which the arithmetic keeps in step and of which
    no rule asks more."""
    for payment in payments:
        if payment.invoice_id == book.invoice.id:
            book = book.with_payment(payment)
    default = book.open_default
    if default is None or default.source_id in book.intents:
        return book
    return book.with_intent(
        records.PaymentIntent(
            id=default.source_id,
            created=default.created,
            currency=default.currency,
            status="requires_payment_method",
            amount=default.amount_requested,
            customer_id=book.invoice.customer_id,
        )
    )
