"""Detaching a PaymentIntent at Stripe: a look at the invoice, then one call of a preview version.

The look gives what the answer cannot: the id of the payment that is about to leave, and whether
the rules allow it, some of which lose money if Stripe were left to decide alone (a payment whose
money was credited back). It is recorded before the call, as afterwards nobody could tell any more.
Announces nothing.
Source: https://docs.stripe.com/api/invoices/detach_payment, 2026-09-30.preview.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gateway.backends.stripe.client import PostResult
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes.invoice_state import DETACHED, EXPAND, SourceRef, book_of
from gateway.backends.stripe.writes.stripe_write import (
    StripeWrite,
    explained_by,
    glance,
    known_from,
)
from gateway.backends.supplier import Found, no_such_invoice
from gateway.ledger.book import Book
from gateway.ledger.payments import detach_refusals
from schema import records
from schema.ports import Capability, Detached, DetachPayment, Failed, Refused

SEEN = ", though the payment is gone"
"""What a look has shown that does not tell by whom."""


class Detaching(StripeWrite[DetachPayment]):
    """One detach."""

    __slots__ = ()

    @property
    def intent(self) -> SourceRef:
        return SourceRef("payment_intent", self.command.payment_intent_id, ("paymentIntentId",))

    async def run(self) -> Detached:
        """Detach, and say what is gone and what took over. Raises `Refused`."""
        before, met = self._before_recorded(), None
        if before is None:
            book, refused = await self._look()
            if refused is not None:
                return await self._against_the_rules(book, refused)
            before, met = self._seen_in(book), book.intents.get(self.intent.id)
        send, look = partial(self._send, before, met), partial(self._after_doubt, before)
        return await self.settled(send, look, seen=SEEN)

    def _before_recorded(self) -> Found | None:
        """What was seen before: by the first try, as a repeat of one in doubt must not look anew
        and judge by what may be its own work; or by whoever has asked the rules already. Raises
        `Refused` for who may not see it."""
        found = self.attempt.found
        if found.payment_id is None:
            return None
        if not self.viewer.sees(found.customer_id):
            raise no_such_invoice(self.invoice_id)
        return found

    async def _look(self) -> tuple[Book, Refused | None]:
        """The invoice before, and the first rule that stands against it. Raises `Refused`.

        A payment that is not there is no refusal yet: this may be the repeat of a call that took
        it off and whose answer was lost, and then Stripe answers as it did the first time.
        """
        book = await self.look(self.books.book(self.intent))
        self.checked(book.invoice)
        if book.live_payment_by(self.intent.id) is not None:
            return book, self._broken_rule(book)
        # What pays the viewer's invoice is the viewer's; any other intent has to be asked.
        if self.viewer.customers is not None:
            await self.check_source_owner(self.intent)
        return book, None

    async def _against_the_rules(self, book: Book, refused: Refused) -> Detached:
        """What a rule forbids now an earlier try may have done, which found no payment yet: then
        Stripe's event names our key. That there is none proves that nothing was done, once nothing
        can arrive any more. Raises `Refused`."""
        if not self.attempt.in_doubt:
            raise refused
        ours = await self._taken_off_by_us(WriteUnknown())
        if ours is not None:
            return await self._detached(replace(self._seen_in(book), payment_id=ours.id), book)
        refused.settles = not self.attempt.may_be_in_transit
        raise refused

    async def _taken_off_by_us(self, unknown: WriteUnknown) -> records.InvoicePayment | None:
        """By Stripe's event, which names our key. Raises `Refused`: still unknown."""
        reading = self.books.payment_under(DETACHED, self.key)
        return await self.look_back(reading, unknown)

    async def _send(self, before: Found, met: records.PaymentIntent | None) -> Detached:
        """`met` is the intent as the look has shown it."""
        try:
            result = await self.send(
                f"/v1/invoices/{self.invoice_id}/detach_payment",
                {"payment_intent": self.intent.id, "expand": EXPAND},
                key=self.key,
                version=self.preview_version,
                found=before,
            )
        except WriteRejected as rejected:
            return await self._after_rejection(before, rejected)
        return await self._after_success(before, result, met)

    def _broken_rule(self, book: Book) -> Refused | None:
        """The refusal of the ledger, which looks at no more of the intent than its id."""
        invoice = book.invoice
        intent = book.intents.get(self.intent.id) or records.PaymentIntent(
            id=self.intent.id,
            created=invoice.created,
            currency=invoice.currency,
            status="succeeded",
            amount=0,
            customer_id=invoice.customer_id,
        )
        return next(detach_refusals(book, intent, self.command.if_amount_paid), None)

    async def _after_success(
        self, before: Found, result: PostResult, met: records.PaymentIntent | None
    ) -> Detached:
        try:
            book, complete = book_of(result.body)
        except Failed:
            book, complete = None, True
        if book is not None and not complete and _new_default(book, before) is None:
            book = await glance(self.books.book(self.intent)) or book
        detached = await self._detached(before, book, replayed=result.stored)
        return replace(detached, known=known_from(result, met))

    async def _after_doubt(self, before: Found, unknown: WriteUnknown) -> Detached | None:
        """None where the payment has left, be it by this call or by another: the key tells.

        Where the key cannot be asked any more, what is gone must do, unless Stripe's event says
        that another request took it off. Raises `Refused`.
        """
        book = await self.look_back(self.books.book(self.intent), unknown)
        if before.payment_id is None:
            is_gone = book.live_payment_by(self.intent.id) is None
            seen = ", and what was attached before is not known"
        else:
            is_gone = all(one.id != before.payment_id for one in book.payments)
            seen = ", and the payment is attached so far"
        if is_gone and not unknown.stored and self.attempt.may_send:
            return None
        if is_gone and before.payment_id is not None:
            if await self._took_another(before.payment_id, unknown):
                raise self.not_done(unknown)
            return await self._detached(before, book)
        if not unknown.stored:
            raise self.unknown(unknown, seen=seen)
        # Perhaps it came after the look and was taken off by this very call.
        ours = await self._taken_off_by_us(unknown) if before.payment_id is None else None
        if ours is None:
            raise self.not_done(unknown)
        return await self._detached(replace(before, payment_id=ours.id), book)

    async def _took_another(self, payment_id: str, unknown: WriteUnknown) -> bool:
        """Whether another request has taken this payment off. Raises `Refused`: still unknown."""
        reading = self.books.keys_behind(DETACHED, payment_id)
        keys = await self.look_back(reading, unknown)
        return bool(keys) and self.key not in keys

    async def _after_rejection(self, before: Found, rejected: WriteRejected) -> Detached:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        if rejected.unsupported:
            raise self.unsupported(Capability.DETACH, "detach payments", rejected)
        book = await glance(self.books.book(self.intent))
        if book is None:
            raise self.rejected(rejected)
        if self.attempt.in_doubt:
            # A key whose age a wrong clock has noted may be forgotten, and its deed stand.
            ours = await glance(self.books.payment_under(DETACHED, self.key))
            if ours is not None:
                found = replace(before, payment_id=ours.id, customer_id=book.invoice.customer_id)
                return await self._detached(found, book, replayed=True)
        refused = self._broken_rule(book)
        if refused is None:
            raise self.rejected(rejected)
        if book.live_payment_by(self.intent.id) is None:
            refused = await self._missing_intent() or refused
        raise explained_by(refused, rejected)

    async def _missing_intent(self) -> Refused | None:
        """NOT_FOUND for an intent that does not exist; that comes before its not being attached."""
        try:
            await self.source(self.intent)
        except Refused as refused:
            return None if refused.retryable else refused
        return None

    async def _detached(
        self, before: Found, book: Book | None, *, replayed: bool = False
    ) -> Detached:
        """What has left must be named. Where it cannot be now the outcome is left open: a repeat
        gets the same answer again."""
        gone = [before.payment_id] if before.payment_id else None
        gone = gone or await glance(self.books.detached_since(self.intent.id, None))
        if not gone:
            seen = " in part, though the payment is detached"
            raise self.unknown(WriteUnknown(), seen=seen)
        return Detached(
            invoice_id=self.invoice_id,
            invoice_payment_id=gone[0],
            customer_id=before.customer_id,
            payment_intent_id=self.intent.id,
            new_default_payment_id=None if book is None else _new_default(book, before),
            replayed=replayed,
        )

    def _seen_in(self, book: Book) -> Found:
        """What of a look must be recorded before the call."""
        payment = book.live_payment_by(self.intent.id)
        return Found(
            customer_id=book.invoice.customer_id,
            payment_id=None if payment is None else payment.id,
            payment_ids=tuple(sorted(one.id for one in book.payments)),
        )


def _new_default(book: Book, before: Found) -> str | None:
    """The default payment that took over; after a repeat any that is open must be the one."""
    default = book.open_default
    if default is None or (before.payment_id and default.id in before.payment_ids):
        return None
    return default.id
