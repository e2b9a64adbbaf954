"""Attaching a payment that was made elsewhere: a look, a report, and the attach of its record.

Every step has a key of its own, derived from the command's, so that a repeat resumes where the
last try broke off.
Source: https://docs.stripe.com/api/payment-record/report-payment, 2026-10-28.endive.
"""

from __future__ import annotations

from functools import partial

from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes.attach import Attaching, record_ref
from gateway.backends.stripe.writes.stripe_write import STORED_FAILURE, Params
from gateway.backends.supplier import Found, pointing_out_of_band
from gateway.ledger.book import Book
from gateway.ledger.payments import attach_refusals, to_be_reported
from gateway.stripe_objects.reading import fields_of
from schema.ports import (
    GATEWAY_KEY,
    METADATA_ENTRIES_MAX,
    Attached,
    Capability,
    Failed,
    OutOfBandPayment,
    RefusalCode,
    Refused,
)

ATTACH_STEPS = ("attach", "attach-2", "attach-3")
"""Keys for attaching what was reported; a second one is needed after a stored failure only."""


class ReportingAndAttaching(Attaching):
    """One attach with one report before it."""

    __slots__ = ()

    async def run(self) -> Attached:
        """Report the payment and attach its record, in steps that a repeat can resume.

        The rules are asked before the report, as a record that cannot be attached would lie about
        among the payments, and the next try would report it again.
        """
        book, done = await self.look(self.books.book_with_reported(self.key))
        self.checked(book.invoice)
        record_id = await self._reported_before()
        if done is None and record_id is not None:
            done = book.live_payment_by(record_id)
        if done is not None:
            return self.attached(done, book.invoice.customer_id, replayed=True)
        return await self._attach_reported(record_id or await self._reported_now(book))

    @property
    def facts(self) -> OutOfBandPayment:
        assert self.command.out_of_band is not None
        return self.command.out_of_band

    @property
    def is_marked(self) -> bool:
        """Whether the record carries our key: not where the caller's metadata fill it."""
        return len(dict(self.facts.metadata)) < METADATA_ENTRIES_MAX

    async def _reported_before(self) -> str | None:
        """The record that an earlier try has reported, if there is one. Raises `Refused`."""
        record_id = self.attempt.found.payment_record_id
        if record_id is None and self.attempt.in_doubt:
            record_id, _ = await self.look(self.books.reported_under(self.key))
        return record_id

    async def _reported_now(self, book: Book) -> str:
        """Report it, if the rules allow it to be attached then. Raises `Refused`."""
        record = to_be_reported(self.facts, book.invoice)
        refused = next(attach_refusals(book, record, self.command.amount_requested, 0), None)
        if refused is None:
            report = partial(self._report, book.invoice.customer_id)
            return await self.settled(report, self._reported_after_doubt)
        # A look that found no report proves that there was none, once none can arrive any more.
        refused.settles = self.is_marked and not self.attempt.may_be_in_transit
        raise pointing_out_of_band(refused)

    async def _report(self, customer_id: str | None) -> str:
        """The id of the payment record; a repeat gets that of the first time."""
        params = self._report_params(customer_id)
        path, key = "/v1/payment_records/report_payment", f"{self.key}-report"
        try:
            result = await self.send(path, params, key=key)
            return fields_of(result.body, "payment_record").id
        except WriteRejected as rejected:
            if rejected.unsupported:
                what = "report payments that were made elsewhere"
                raise self.unsupported(Capability.ATTACH_OUT_OF_BAND, what, rejected) from None
            refused = self.rejected(rejected)
            refused.path = ("payment", "outOfBand")
            raise refused from None
        except Failed:
            raise WriteUnknown() from None

    def _report_params(self, customer_id: str | None) -> Params:
        """From the command and the invoice's customer alone, so that a repeat looks the same."""
        facts = self.facts
        metadata = dict(facts.metadata)
        if self.is_marked:
            metadata[GATEWAY_KEY] = self.key
        params: Params = {
            "amount_requested": {"currency": facts.currency, "value": facts.amount},
            "initiated_at": facts.paid_at,
            "payment_method_details": {
                "type": "custom",
                "custom": {"display_name": "Paid outside Stripe"},
            },
            "outcome": "guaranteed",
            "guaranteed": {"guaranteed_at": facts.paid_at},
            "metadata": metadata,
        }
        if customer_id is not None:
            params["customer_details"] = {"customer": customer_id}
        if facts.reference:
            params["description"] = facts.reference
            reference = {"payment_reference": facts.reference}
            params["processor_details"] = {"type": "custom", "custom": reference}
        return params

    async def _reported_after_doubt(self, unknown: WriteUnknown) -> str:
        """The record if it is there. That it is not counts only against a stored failure, whose
        key is of no more use; else the report may still be under way."""
        reading = self.books.reported_under(self.key)
        record_id, certain = await self.look_back(reading, unknown)
        if record_id is not None:
            return record_id
        if unknown.stored and certain and self.is_marked:
            raise self.not_done(unknown)
        raise self.unknown(unknown, seen=", and no such payment was reported so far")

    async def _attach_reported(self, record_id: str) -> Attached:
        """Attach what was reported. That the record exists must not be lost in a refusal.

        A stored failure that did nothing uses up its key, so the next of a few is taken.
        """
        source, found = record_ref(record_id), Found(payment_record_id=record_id)
        for step in ATTACH_STEPS:
            try:
                return await self.attach(source, f"{self.key}-{step}", found)
            except Refused as refused:
                is_used_up = refused.rule == STORED_FAILURE
                if is_used_up and step != ATTACH_STEPS[-1]:
                    continue
                if is_used_up:
                    refused.message += f"; the payment was reported as {record_id} already"
                    raise
                if refused.retryable:
                    raise _half_done(refused, record_id) from None
                refused.message += f" (the payment was reported as {record_id}: attach that)"
                raise pointing_out_of_band(refused) from None
        raise AssertionError("the last step answers or raises")


def _half_done(refused: Refused, record_id: str) -> Refused:
    """An attach that did not go out after its payment was reported: only the same key resumes it,
    while a definite refusal would let the journal report the payment a second time."""
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        "upstream_half_done",
        f"the payment was reported as {record_id} and is not attached yet ({refused.message})",
        stripe_code=refused.stripe_code,
        stripe_request_id=refused.stripe_request_id,
        retryable=True,
        retry_after_seconds=refused.retry_after_seconds,
        looked=refused.looked,
    )
