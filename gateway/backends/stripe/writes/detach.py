"""Detaching a PaymentIntent at Stripe: a look at the invoice, then one call of a preview version.

The look gives what the answer cannot: the id of the payment that is about to leave, and whether
the rules allow it, some of which lose money if Stripe were left to decide alone (a payment whose
money was credited back). It is recorded before the call, as afterwards nobody could tell any more.
Announces nothing.
Source: https://docs.stripe.com/api/invoices/detach_payment, 2026-09-30.preview.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.backends.stripe.client import PostResult
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes import refusals
from gateway.backends.stripe.writes.account import (
    EXPAND,
    Account,
    asked_again,
    check_owner,
    glance,
    invoice_path,
    known_from,
    look,
    look_back,
)
from gateway.backends.stripe.writes.invoice_state import SourceRef, book_of
from gateway.backends.supplier import Found, no_such, no_such_invoice
from gateway.ledger.book import Book
from gateway.ledger.payments import detach_refusals
from schema import records
from schema.ports import Capability, Detached, DetachPayment, Failed, Refused, Viewer

SEEN = ", though the payment is gone"
"""What a look has shown that does not tell by whom."""


@dataclass(frozen=True, slots=True)
class Detaching:
    """One detach: who asks, and what for; it is used once."""

    account: Account
    viewer: Viewer
    command: DetachPayment

    @property
    def source(self) -> SourceRef:
        return SourceRef("payment_intent", self.command.payment_intent_id)

    async def run(self) -> Detached:
        """Detach, and say what is gone and what took over. Raises `Refused`."""
        recorded = self._before_recorded()
        if recorded is not None:
            return await self._send(recorded)
        book, refused = await self._look()
        if refused is not None:
            return await self._against_the_rules(book, refused)
        return await self._send(_seen_in(book, self.source.id), book.intents.get(self.source.id))

    def _before_recorded(self) -> Found | None:
        """What the first try saw; a repeat of one in doubt must not look anew and judge by that,
        as what it would see may be its own work. Raises `Refused` for who may not see it."""
        found = self.account.attempt.found
        if not self.account.attempt.in_doubt or found.payment_id is None:
            return None
        if not self.viewer.sees(found.customer_id):
            raise no_such_invoice(self.command.invoice_id)
        return found

    async def _look(self) -> tuple[Book, Refused | None]:
        """The invoice before, and the first rule that stands against it. Raises `Refused`.

        A payment that is not there is no refusal yet: this may be the repeat of a call that took
        it off and whose answer was lost, and then Stripe answers as it did the first time.
        """
        reading = self._book()
        book = await look(reading, "invoice", self.command.invoice_id, ("invoiceId",))
        check_owner(self.viewer, book.invoice)
        payment = book.live_payment_by(self.source.id)
        if payment is None:
            await self._check_intent_owner()
            return book, None
        return book, next(iter(self._rules(book)), None)

    async def _against_the_rules(self, book: Book, refused: Refused) -> Detached:
        """What a rule forbids now an earlier try may have done, which found no payment yet: then
        Stripe's event names our key. That there is none proves that nothing was done, once nothing
        can arrive any more. Raises `Refused`."""
        attempt = self.account.attempt
        if not attempt.in_doubt:
            raise refused
        reading = self.account.books.detached_under(
            self.command.idempotency_key, self.account.since_first_sent
        )
        ours = await look_back(reading, WriteUnknown(), self.command.invoice_id)
        if ours is not None:
            before = replace(_seen_in(book, self.source.id), payment_id=ours.id)
            return await self._detached(before, book)
        refused.settles = not attempt.may_be_in_transit
        raise refused

    async def _send(
        self, before: Found, met: records.PaymentIntent | None = None, *, is_asking: bool = False
    ) -> Detached:
        """`met` is the intent as the look has shown it; `is_asking`: again with the same key, as a
        look has shown that the payment is gone."""
        try:
            result = await self.account.send(
                invoice_path(self.command.invoice_id, "detach_payment"),
                {"payment_intent": self.source.id, "expand": list(EXPAND)},
                idempotency_key=self.command.idempotency_key,
                version=self.account.preview_version,
                found=before,
            )
        except WriteRejected as rejected:
            return await self._after_rejection(before, rejected)
        except WriteUnknown as unknown:
            invoice_id = self.command.invoice_id
            if is_asking:
                raise refusals.outcome_unknown(unknown, invoice_id, seen=SEEN) from None
            detached = await self._after_doubt(before, unknown)
            if detached is not None:
                return detached
            asking = self._send(before, is_asking=True)
            return await asked_again(asking, unknown, invoice_id, seen=SEEN)
        return await self._after_success(before, result, met)

    async def _book(self) -> Book:
        return await self.account.books.book(self.command.invoice_id, self.source)

    def _rules(self, book: Book) -> list[Refused]:
        """The refusals of the ledger, which looks at no more of the intent than its id."""
        invoice = book.invoice
        intent = book.intents.get(self.source.id) or records.PaymentIntent(
            id=self.source.id,
            created=invoice.created,
            currency=invoice.currency,
            status="succeeded",
            amount=0,
            customer_id=invoice.customer_id,
        )
        return list(detach_refusals(book, intent, self.command.if_amount_paid))

    async def _check_intent_owner(self) -> None:
        """What pays the viewer's invoice is the viewer's; any other intent has to be asked."""
        if self.viewer.customers is None:
            return
        path = ("paymentIntentId",)
        reading = self.account.books.source(self.source)
        intent = await look(reading, "payment_intent", self.source.id, path)
        if not self.viewer.sees(intent.customer_id):
            raise no_such("payment_intent", self.source.id, path)

    async def _after_success(
        self, before: Found, result: PostResult, met: records.PaymentIntent | None
    ) -> Detached:
        try:
            book, complete = book_of(result.body)
        except Failed:
            book, complete = None, True
        if book is not None and not complete and _new_default(book, before) is None:
            book = await glance(self._book()) or book
        detached = await self._detached(before, book, replayed=result.stored)
        return replace(detached, known=known_from(result, met))

    async def _after_doubt(self, before: Found, unknown: WriteUnknown) -> Detached | None:
        """None where the payment has left, be it by this call or by another: the key tells.

        Where the key cannot be asked any more, what is gone must do, unless Stripe's event says
        that another request took it off. Raises `Refused`.
        """
        book = await look_back(self._book(), unknown, self.command.invoice_id)
        is_asked_in_vain = unknown.stored or not self.account.attempt.may_send
        if before.payment_id is None:
            is_gone = book.live_payment_by(self.source.id) is None
            seen = ", and what was attached before is not known"
        else:
            is_gone, seen = not _still_there(book, before), ", and the payment is attached so far"
        if is_gone and not is_asked_in_vain:
            return None
        if is_gone and before.payment_id is not None:
            if await self._took_another(before.payment_id, unknown):
                raise refusals.not_done(unknown, self.command.invoice_id)
            return await self._detached(before, book)
        if unknown.stored and before.payment_id is None:
            return await self._after_stored_failure(before, book, unknown)
        if unknown.stored:
            raise refusals.not_done(unknown, self.command.invoice_id)
        raise refusals.outcome_unknown(unknown, self.command.invoice_id, seen=seen)

    async def _took_another(self, payment_id: str, unknown: WriteUnknown) -> bool:
        """Whether another request has taken this payment off. Raises `Refused`: still unknown."""
        reading = self.account.books.keys_behind(
            "detached", payment_id, self.account.since_first_sent
        )
        keys = await look_back(reading, unknown, self.command.invoice_id)
        return bool(keys) and self.command.idempotency_key not in keys

    async def _after_stored_failure(
        self, before: Found, book: Book, unknown: WriteUnknown
    ) -> Detached:
        """Nothing was there at the look, and perhaps it came and was taken off by this very call:
        then Stripe's event names our key. Raises `Refused`."""
        reading = self.account.books.detached_under(
            self.command.idempotency_key, self.account.since_first_sent
        )
        ours = await look_back(reading, unknown, self.command.invoice_id)
        if ours is None:
            raise refusals.not_done(unknown, self.command.invoice_id)
        return await self._detached(replace(before, payment_id=ours.id), book)

    async def _after_rejection(self, before: Found, rejected: WriteRejected) -> Detached:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        invoice_id = self.command.invoice_id
        if rejected.unsupported:
            what = "detach payments"
            raise self.account.unsupported(Capability.DETACH, what, rejected)
        book = await glance(self._book())
        if book is None:
            raise refusals.upstream_rejected(rejected, invoice_id)
        if self.account.attempt.in_doubt:
            # A key whose age a wrong clock has noted may be forgotten, and its deed stand.
            reading = self.account.books.detached_under(self.command.idempotency_key, None)
            ours = await glance(reading)
            if ours is not None:
                found = replace(before, payment_id=ours.id, customer_id=book.invoice.customer_id)
                return await self._detached(found, book, replayed=True)
        refused = next(iter(self._rules(book)), None)
        if refused is None:
            raise refusals.upstream_rejected(rejected, invoice_id)
        if book.live_payment_by(self.source.id) is None:
            refused = await self._missing_intent() or refused
        raise refusals.explained_by(refused, rejected)

    async def _missing_intent(self) -> Refused | None:
        """NOT_FOUND for an intent that does not exist; that comes before its not being attached."""
        reading = self.account.books.source(self.source)
        try:
            await look(reading, "payment_intent", self.source.id, ("paymentIntentId",))
        except Refused as refused:
            return None if refused.retryable else refused
        return None

    async def _detached(
        self, before: Found, book: Book | None, *, replayed: bool = False
    ) -> Detached:
        """What has left must be named. Where it cannot be now the outcome is left open: a repeat
        gets the same answer again."""
        payment_id = before.payment_id or await self.account.books.detached_payment_id(
            self.command.invoice_id, self.source.id
        )
        if not payment_id:
            raise refusals.outcome_unknown(
                WriteUnknown(),
                self.command.invoice_id,
                seen=" in part, though the payment is detached",
            )
        return Detached(
            invoice_id=self.command.invoice_id,
            invoice_payment_id=payment_id,
            customer_id=before.customer_id,
            payment_intent_id=self.source.id,
            new_default_payment_id=None if book is None else _new_default(book, before),
            replayed=replayed,
        )


def _seen_in(book: Book, intent_id: str) -> Found:
    """What of a look must be recorded before the call."""
    payment = book.live_payment_by(intent_id)
    return Found(
        customer_id=book.invoice.customer_id,
        payment_id=None if payment is None else payment.id,
        payment_ids=tuple(sorted(one.id for one in book.payments)),
    )


def _still_there(book: Book, before: Found) -> bool:
    return any(one.id == before.payment_id for one in book.payments)


def _new_default(book: Book, before: Found) -> str | None:
    """The default payment that took over; after a repeat any that is open must be the one."""
    default = book.open_default
    if default is None or (before.payment_id and default.id in before.payment_ids):
        return None
    return default.id
