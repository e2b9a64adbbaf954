"""Attaching a PaymentIntent or a payment record at Stripe, with one call.

Where an earlier try may have been done, a look tells what is attached, and only the same key by
whom. Announces nothing.
Source: https://docs.stripe.com/api/invoices/attach_payment, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gateway.backends.stripe.client import PostResult
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes.invoice_state import EXPAND, PAID, SourceRef, book_of
from gateway.backends.stripe.writes.stripe_write import (
    Params,
    StripeWrite,
    explained_by,
    glance,
    known_from,
)
from gateway.backends.supplier import KEY_PREFIX, NOTHING, Found
from gateway.ledger.book import Book, is_live
from gateway.ledger.payments import attach_refusals
from gateway.stripe_objects.reading import fields_of
from schema import records
from schema.ports import Attached, AttachPayment, Capability, Failed, Refused

SEEN = ", though the payment is attached"
"""What a look has shown that does not tell by whom."""

CAPABILITIES = {
    "payment_intent": Capability.ATTACH_PAYMENT_INTENT,
    "payment_record": Capability.ATTACH_PAYMENT_RECORD,
}


class Attaching(StripeWrite[AttachPayment]):
    """One attach."""

    __slots__ = ()

    async def run(self) -> Attached:
        """Attach, and say which invoice payment it became. Raises `Refused`."""
        source = _source_of(self.command)
        if self.viewer.customers is not None:
            await self.own_invoice()
            await self.check_source_owner(source)
        return await self.attach(source, self.key)

    async def attach(self, source: SourceRef, key: str, found: Found = NOTHING) -> Attached:
        send = partial(self._send, source, key, found)
        return await self.settled(send, partial(self._after_doubt, source, key), seen=SEEN)

    async def _send(self, source: SourceRef, key: str, found: Found) -> Attached:
        params: Params = {source.type: source.id, "expand": EXPAND}
        version = None
        if self.command.amount_requested is not None:
            params["amount_requested"] = self.command.amount_requested
            version = self.preview_version
        path = f"/v1/invoices/{self.invoice_id}/attach_payment"
        try:
            result = await self.send(path, params, key=key, version=version, found=found)
        except WriteRejected as rejected:
            return await self._after_rejection(source, key, rejected)
        return await self._after_success(source, result)

    async def _after_success(self, source: SourceRef, result: PostResult) -> Attached:
        """The new payment is among those in the answer, or has to be asked for.

        Where it cannot be found the outcome is left open: a repeat gets the same answer again.
        """
        payment, customer_id = _payment_in(result, source)
        if payment is None:
            reading = self.books.payments_by(source, invoice=self.invoice_id)
            payment = _newest_live(await glance(reading) or [], source)
        if payment is None:
            seen = " in part, though the payment is attached"
            raise self.unknown(WriteUnknown(result.request_id), seen=seen)
        attached = self.attached(payment, customer_id, replayed=result.stored)
        return replace(attached, known=known_from(result))

    async def _after_doubt(
        self, source: SourceRef, key: str, unknown: WriteUnknown
    ) -> Attached | None:
        """None where the payment is attached now, be it by this call or by another: the key tells.

        Where the key cannot be asked any more, what is there must do, unless Stripe's event says
        that another write of ours attached it. Raises `Refused`.
        """
        book = await self.look_back(self.books.book(source), unknown)
        payment = book.live_payment_by(source.id)
        if payment is not None:
            if not unknown.stored and self.attempt.may_send:
                return None
            if await self._came_by_another(payment.id, key, unknown):
                raise self.not_done(unknown)
            return self.attached(payment, book.invoice.customer_id)
        if unknown.stored:
            return await self._after_stored_failure(source, key, unknown, book.invoice.customer_id)
        raise self.unknown(unknown, seen=", and the payment is not attached so far")

    async def _came_by_another(self, payment_id: str, key: str, unknown: WriteUnknown) -> bool:
        """Whether it counted at once under another key of ours. Any other key may be of a request
        that paid the intent later, and says nothing. Raises `Refused`: still unknown."""
        reading = self.books.keys_behind(PAID, payment_id)
        keys = await self.look_back(reading, unknown)
        return key not in keys and any(one and one.startswith(KEY_PREFIX) for one in keys)

    async def _after_stored_failure(
        self, source: SourceRef, key: str, unknown: WriteUnknown, customer_id: str | None
    ) -> Attached:
        """It is not attached now: because it never was, or because it was taken off again since.

        Only intents can be taken off, which Stripe's events tell; one that was gone before was not
        attached by this. Raises `Refused`.
        """
        since = self.since_first_sent
        gone: list[str] = []
        if source.type == "payment_intent":
            gone = await self.look_back(self.books.detached_since(source.id, since), unknown)
            gone = [one for one in gone if one not in self.attempt.found.payment_ids]
        if not gone:
            raise self.not_done(unknown)
        ours = await self.look_back(self.books.payment_under(PAID, key), unknown)
        if ours is None:
            seen = ", and what is there proves nothing"
            raise self.unknown(unknown, seen=seen, retryable=False)
        return self.attached(ours, customer_id)

    async def _after_rejection(
        self, source: SourceRef, key: str, rejected: WriteRejected
    ) -> Attached:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        if rejected.unsupported and self.command.amount_requested is not None:
            raise self.unsupported(None, "attach a share of a payment", rejected)
        if rejected.unsupported:
            raise self.unsupported(CAPABILITIES[source.type], "attach payments", rejected)
        try:
            book = await self.look(self.books.book(source))
        except Refused as refused:
            if refused.retryable:
                raise self.rejected(rejected) from None
            raise explained_by(refused, rejected) from None
        if self.attempt.in_doubt:
            # A key whose age a wrong clock has noted may be forgotten, and its deed stand.
            ours = await glance(self.books.payment_under(PAID, key))
            if ours is not None:
                return self.attached(ours, book.invoice.customer_id, replayed=True)
        broken = await self._broken_rule(book, source)
        raise self.rejected(rejected) if broken is None else explained_by(broken, rejected)

    async def _broken_rule(self, book: Book, source: SourceRef) -> Refused | None:
        """The refusal of the ledger, or None where it has none or cannot see enough."""
        try:
            found = await self.source(source)
            claimed = await self.books.claimed_elsewhere(source)
        except Refused as refused:
            return None if refused.retryable else refused
        except Failed:
            return None
        return next(attach_refusals(book, found, self.command.amount_requested, claimed), None)

    def attached(
        self, payment: records.InvoicePayment, customer_id: str | None, *, replayed: bool = False
    ) -> Attached:
        return Attached(
            invoice_id=self.invoice_id,
            invoice_payment_id=payment.id,
            customer_id=customer_id,
            payment_intent_id=self.command.payment_intent_id,
            replayed=replayed,
        )


def _source_of(command: AttachPayment) -> SourceRef:
    if command.payment_intent_id is not None:
        path = ("payment", "paymentIntentId")
        return SourceRef("payment_intent", command.payment_intent_id, path)
    assert command.payment_record_id is not None
    return record_ref(command.payment_record_id)


def record_ref(record_id: str) -> SourceRef:
    return SourceRef("payment_record", record_id, ("payment", "paymentRecordId"))


def _payment_in(
    result: PostResult, source: SourceRef
) -> tuple[records.InvoicePayment | None, str | None]:
    """The payment by this source in the answer, and who is billed; what can be read of them."""
    try:
        book, _ = book_of(result.body)
        return _newest_live(list(book.payments), source), book.invoice.customer_id
    except Failed:
        pass
    try:
        return None, fields_of(result.body, "invoice").reference("customer")
    except Failed:
        return None, None


def _newest_live(
    found: list[records.InvoicePayment], source: SourceRef
) -> records.InvoicePayment | None:
    live = [one for one in found if one.source_id == source.id and is_live(one)]
    return max(live, key=lambda one: one.created, default=None)
