"""Attaching a payment at Stripe: one call for a PaymentIntent or a payment record, three for a
payment that was made elsewhere and has to be reported first.

Every step has a key of its own, derived from the command's, so that a repeat resumes where the
last try broke off. Where an earlier try may have been done, a look tells what is attached, and only
the same key by whom. Announces nothing.
Source: https://docs.stripe.com/api/invoices/attach_payment and
https://docs.stripe.com/api/payment-record/report-payment, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.backends.stripe.client import PostResult
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes import refusals
from gateway.backends.stripe.writes.account import (
    EXPAND,
    Account,
    Params,
    asked_again,
    check_owner,
    glance,
    invoice_path,
    known_from,
    look,
    look_back,
)
from gateway.backends.stripe.writes.invoice_state import SourceRef, book_of
from gateway.backends.stripe.writes.payment_report import is_marked, report_params
from gateway.backends.supplier import KEY_PREFIX, NOTHING, Found, no_such, pointing_out_of_band
from gateway.ledger.book import Book
from gateway.ledger.payments import attach_refusals, to_be_reported
from gateway.stripe_objects.reading import fields_of
from schema import records
from schema.ports import (
    Attached,
    AttachPayment,
    Capability,
    Failed,
    OutOfBandPayment,
    Refused,
    Viewer,
)

ATTACH_STEPS = ("attach", "attach-2", "attach-3")
"""Keys for attaching what was reported; a second one is needed after a stored failure only."""

SEEN = ", though the payment is attached"
"""What a look has shown that does not tell by whom."""

CAPABILITIES = {
    "payment_intent": Capability.ATTACH_PAYMENT_INTENT,
    "payment_record": Capability.ATTACH_PAYMENT_RECORD,
}


@dataclass(frozen=True, slots=True)
class Attaching:
    """One attach: who asks, what for, and with what; it is used once."""

    account: Account
    viewer: Viewer
    command: AttachPayment

    async def run(self) -> Attached:
        """Attach, and say which invoice payment it became. Raises `Refused`."""
        command = self.command
        if command.out_of_band is not None:
            return await self._report_and_attach(command.out_of_band)
        source = _source_of(command)
        if self.viewer.customers is not None:
            await self._check_ownership(source)
        return await self._attach(source, command.idempotency_key)

    async def _check_ownership(self, source: SourceRef) -> None:
        """Both the invoice and what is to pay it must be the viewer's, before anything is sent."""
        books, invoice_id = self.account.books, self.command.invoice_id
        reading = books.invoice(invoice_id)
        check_owner(self.viewer, await look(reading, "invoice", invoice_id, ("invoiceId",)))
        found = await look(books.source(source), source.type, source.id, source.path)
        if not self.viewer.sees(found.customer_id):
            raise no_such(source.type, source.id, source.path)

    async def _attach(
        self, source: SourceRef, key: str, found: Found = NOTHING, *, is_asking: bool = False
    ) -> Attached:
        """`is_asking`: again with the same key, as a look has shown the payment attached."""
        command = self.command
        params: Params = {source.type: source.id, "expand": list(EXPAND)}
        version = None
        if command.amount_requested is not None:
            params["amount_requested"] = command.amount_requested
            version = self.account.preview_version
        try:
            result = await self.account.send(
                invoice_path(command.invoice_id, "attach_payment"),
                params,
                idempotency_key=key,
                version=version,
                found=found,
            )
        except WriteRejected as rejected:
            return await self._after_rejection(source, key, rejected)
        except WriteUnknown as unknown:
            if is_asking:
                raise refusals.outcome_unknown(unknown, command.invoice_id, seen=SEEN) from None
            attached = await self._after_doubt(source, key, unknown)
            if attached is not None:
                return attached
            asking = self._attach(source, key, found, is_asking=True)
            return await asked_again(asking, unknown, command.invoice_id, seen=SEEN)
        return await self._after_success(source, result)

    async def _after_success(self, source: SourceRef, result: PostResult) -> Attached:
        """The new payment is among those in the answer, or has to be asked for.

        Where it cannot be found the outcome is left open: a repeat gets the same answer again.
        """
        payment, customer_id = _payment_in(result, source)
        if payment is None:
            invoice_id = self.command.invoice_id
            reading = self.account.books.payments_by(source, invoice_id=invoice_id)
            payment = _newest_live(await glance(reading) or [], source)
        if payment is None:
            raise refusals.outcome_unknown(
                WriteUnknown(result.request_id),
                self.command.invoice_id,
                seen=" in part, though the payment is attached",
            )
        attached = self._attached(payment, customer_id, replayed=result.stored)
        return replace(attached, known=known_from(result))

    async def _after_doubt(
        self, source: SourceRef, key: str, unknown: WriteUnknown
    ) -> Attached | None:
        """None where the payment is attached now, be it by this call or by another: the key tells.

        Where the key cannot be asked any more, what is there must do, unless Stripe's event says
        that another write of ours attached it. Raises `Refused`.
        """
        reading = self.account.books.book(self.command.invoice_id, source)
        book = await look_back(reading, unknown, self.command.invoice_id)
        payment = book.live_payment_by(source.id)
        if payment is not None:
            if not unknown.stored and self.account.attempt.may_send:
                return None
            if await self._came_by_another(payment.id, key, unknown):
                raise refusals.not_done(unknown, self.command.invoice_id)
            return self._attached(payment, book.invoice.customer_id)
        if unknown.stored:
            customer_id = book.invoice.customer_id
            return await self._after_stored_failure(source, key, unknown, customer_id)
        raise refusals.outcome_unknown(
            unknown, self.command.invoice_id, seen=", and the payment is not attached so far"
        )

    async def _came_by_another(self, payment_id: str, key: str, unknown: WriteUnknown) -> bool:
        """Whether it counted at once under another key of ours. Any other key may be of a request
        that paid the intent later, and says nothing. Raises `Refused`: still unknown."""
        reading = self.account.books.keys_behind("paid", payment_id, self.account.since_first_sent)
        keys = await look_back(reading, unknown, self.command.invoice_id)
        return key not in keys and any(one and one.startswith(KEY_PREFIX) for one in keys)

    async def _after_stored_failure(
        self, source: SourceRef, key: str, unknown: WriteUnknown, customer_id: str | None
    ) -> Attached:
        """It is not attached now: because it never was, or because it was taken off again since.

        Only intents can be taken off, which Stripe's events tell. Raises `Refused`.
        """
        books, invoice_id = self.account.books, self.command.invoice_id
        since = self.account.since_first_sent
        gone: list[str] = []
        if source.type == "payment_intent":
            reading = books.detached_since(invoice_id, source.id, since)
            gone = await look_back(reading, unknown, invoice_id)
        if not gone:
            raise refusals.not_done(unknown, invoice_id)
        paid = books.paid_under(key, since)
        ours = await look_back(paid, unknown, invoice_id)
        if ours is None:
            raise refusals.never_known(unknown, invoice_id)
        return self._attached(ours, customer_id)

    async def _after_rejection(
        self, source: SourceRef, key: str, rejected: WriteRejected
    ) -> Attached:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        if rejected.unsupported:
            whole = self.command.amount_requested is None
            what = "attach payments" if whole else "attach a share of a payment"
            capability = CAPABILITIES[source.type] if whole else None
            raise self.account.unsupported(capability, what, rejected)
        book = await self._seen_after(source, rejected)
        if self.account.attempt.in_doubt:
            # A key whose age a wrong clock has noted may be forgotten, and its deed stand.
            ours = await glance(self.account.books.paid_under(key, None))
            if ours is not None:
                return self._attached(ours, book.invoice.customer_id, replayed=True)
        refused = await self._broken_rule(book, source)
        if refused is None:
            raise refusals.upstream_rejected(rejected, self.command.invoice_id)
        raise refusals.explained_by(refused, rejected)

    async def _seen_after(self, source: SourceRef, rejected: WriteRejected) -> Book:
        invoice_id = self.command.invoice_id
        reading = self.account.books.book(invoice_id, source)
        try:
            return await look(reading, "invoice", invoice_id, ("invoiceId",))
        except Refused as refused:
            if refused.retryable:
                raise refusals.upstream_rejected(rejected, invoice_id) from None
            raise refusals.explained_by(refused, rejected) from None

    async def _broken_rule(self, book: Book, source: SourceRef) -> Refused | None:
        """The refusal of the ledger, or None where it has none or cannot see enough."""
        books = self.account.books
        try:
            found = await look(books.source(source), source.type, source.id, source.path)
            claimed = await books.claimed_elsewhere(source, book.invoice.id)
        except Refused as refused:
            return None if refused.retryable else refused
        except Failed:
            return None
        rules = attach_refusals(book, found, self.command.amount_requested, claimed)
        return next(rules, None)

    def _attached(
        self,
        payment: records.InvoicePayment,
        customer_id: str | None,
        *,
        replayed: bool = False,
    ) -> Attached:
        return Attached(
            invoice_id=self.command.invoice_id,
            invoice_payment_id=payment.id,
            customer_id=customer_id,
            payment_intent_id=self.command.payment_intent_id,
            replayed=replayed,
        )

    async def _report_and_attach(self, facts: OutOfBandPayment) -> Attached:
        """Report the payment and attach its record, in steps that a repeat can resume.

        The rules are asked before the report, as a record that cannot be attached would lie about
        among the payments, and the next try would report it again.
        """
        command, books = self.command, self.account.books
        reading = books.book_with_reported(command.invoice_id, command.idempotency_key)
        book, done = await look(reading, "invoice", command.invoice_id, ("invoiceId",))
        check_owner(self.viewer, book.invoice)
        known = await self._reported_before()
        if done is None and known is not None:
            done = book.live_payment_by(known)
        if done is not None:
            return self._attached(done, book.invoice.customer_id, replayed=True)
        record_id = known or await self._reported_now(facts, book)
        return await self._attach_reported(SourceRef("payment_record", record_id))

    async def _reported_before(self) -> str | None:
        """The record that an earlier try has reported, if there is one. Raises `Refused`."""
        if (
            self.account.attempt.found.payment_record_id is not None
            or not self.account.attempt.in_doubt
        ):
            return self.account.attempt.found.payment_record_id
        record_id, _ = await look(
            self.account.books.reported_under(self.command.idempotency_key),
            "invoice",
            self.command.invoice_id,
            ("invoiceId",),
        )
        return record_id

    async def _reported_now(self, facts: OutOfBandPayment, book: Book) -> str:
        """Report it, if the rules allow it to be attached then. Raises `Refused`."""
        record = to_be_reported(facts, book.invoice)
        refused = next(attach_refusals(book, record, self.command.amount_requested, 0), None)
        if refused is None:
            return await self._report(facts, book.invoice.customer_id)
        # A look that found no report proves that there was none, once none can arrive any more.
        refused.settles = is_marked(facts) and not self.account.attempt.may_be_in_transit
        raise pointing_out_of_band(refused)

    async def _report(self, facts: OutOfBandPayment, customer_id: str | None) -> str:
        """The id of the payment record; a repeat gets that of the first time."""
        command = self.command
        try:
            result = await self.account.send(
                "/v1/payment_records/report_payment",
                report_params(facts, customer_id, command.idempotency_key),
                idempotency_key=f"{command.idempotency_key}-report",
            )
            return fields_of(result.body, "payment_record").id
        except WriteRejected as rejected:
            if rejected.unsupported:
                what = "report payments that were made elsewhere"
                raise self.account.unsupported(
                    Capability.ATTACH_OUT_OF_BAND, what, rejected
                ) from None
            refused = refusals.upstream_rejected(rejected, command.invoice_id)
            refused.path = ("payment", "outOfBand")
            raise refused from None
        except WriteUnknown as unknown:
            return await self._reported_after_doubt(unknown)
        except Failed:
            return await self._reported_after_doubt(WriteUnknown())

    async def _reported_after_doubt(self, unknown: WriteUnknown) -> str:
        """The record if it is there. That it is not counts only against a stored failure, whose
        key is of no more use; else the report may still be under way."""
        command = self.command
        reading = self.account.books.reported_under(command.idempotency_key)
        record_id, certain = await look_back(reading, unknown, command.invoice_id)
        if record_id is not None:
            return record_id
        if unknown.stored and certain and is_marked(command.out_of_band):
            raise refusals.not_done(unknown, command.invoice_id)
        raise refusals.outcome_unknown(
            unknown, command.invoice_id, seen=", and no such payment was reported so far"
        )

    async def _attach_reported(self, source: SourceRef) -> Attached:
        """Attach what was reported. That the record exists must not be lost in a refusal.

        A stored failure that did nothing uses up its key, so the next of a few is taken.
        """
        found = Found(payment_record_id=source.id)
        for step in ATTACH_STEPS:
            try:
                return await self._attach(source, f"{self.command.idempotency_key}-{step}", found)
            except Refused as refused:
                is_used_up = refused.rule == refusals.STORED_FAILURE
                if is_used_up and step != ATTACH_STEPS[-1]:
                    continue
                if is_used_up:
                    refused.message += f"; the payment was reported as {source.id} already"
                    raise
                if refused.retryable:
                    raise refusals.half_done(refused, source.id) from None
                refused.message += f" (the payment was reported as {source.id}: attach that)"
                raise pointing_out_of_band(refused) from None
        raise AssertionError("the last step answers or raises")


def _source_of(command: AttachPayment) -> SourceRef:
    if command.payment_intent_id is not None:
        return SourceRef("payment_intent", command.payment_intent_id)
    assert command.payment_record_id is not None
    return SourceRef("payment_record", command.payment_record_id)


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
    live = [one for one in found if one.source_id == source.id and one.status in ("open", "paid")]
    return max(live, key=lambda one: one.created, default=None)
