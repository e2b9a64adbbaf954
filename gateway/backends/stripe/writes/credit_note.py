"""Issuing a credit note at Stripe: one call, and a look at the notes when its answer was lost.

The note carries our key in its metadata, so that it is recognised without a guess.
Source: https://docs.stripe.com/api/credit_notes/create, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.reads.credit_note_preview import note_params
from gateway.backends.stripe.writes.stripe_write import (
    StripeWrite,
    explained_by,
    glance,
    known_from,
)
from gateway.ledger.book import Book
from gateway.ledger.credit_notes import preview
from gateway.stripe_objects.reading import credit_note_record
from schema import records
from schema.ports import (
    GATEWAY_KEY,
    Capability,
    CreateCreditNote,
    CreditNoteCreated,
    Failed,
    Refused,
)


class Crediting(StripeWrite[CreateCreditNote]):
    """One credit note."""

    __slots__ = ()

    async def run(self) -> CreditNoteCreated:
        """Issue the note. Raises `Refused`."""
        if self.viewer.customers is not None:
            await self.own_invoice()
        if self.attempt.in_doubt:
            note = await self.look(self.books.credit_note_under(self.key))
            if note is not None:
                return self._created(note, replayed=True)
        return await self.settled(self._send, self._after_doubt)

    async def _send(self) -> CreditNoteCreated:
        params = {**note_params(self.command.draft), "metadata": {GATEWAY_KEY: self.key}}
        try:
            result = await self.send("/v1/credit_notes", params, key=self.key)
            created = self._created(credit_note_record(result.body), replayed=result.stored)
            return replace(created, known=known_from(result))
        except WriteRejected as rejected:
            return await self._after_rejection(rejected)
        except Failed:
            raise WriteUnknown() from None

    async def _after_doubt(self, unknown: WriteUnknown) -> CreditNoteCreated:
        note = await self.look_back(self.books.credit_note_under(self.key), unknown)
        if note is not None:
            return self._created(note)
        if unknown.stored:
            raise self.not_done(unknown)
        raise self.unknown(unknown, seen=", and there is no such credit note so far")

    async def _after_rejection(self, rejected: WriteRejected) -> CreditNoteCreated:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        if rejected.unsupported:
            raise self.unsupported(Capability.CREDIT_NOTE, "issue credit notes", rejected)
        if rejected.in_doubt:
            note = await glance(self.books.credit_note_under(self.key))
            if note is not None:
                return self._created(note)
        try:
            preview(Book(await self.own_invoice()), self.command.draft)
        except Refused as refused:
            if not refused.retryable:
                raise explained_by(refused, rejected) from None
        raise self.rejected(rejected)

    def _created(self, note: records.CreditNote, *, replayed: bool = False) -> CreditNoteCreated:
        return CreditNoteCreated(
            invoice_id=self.invoice_id,
            credit_note_id=note.id,
            customer_id=note.customer_id,
            replayed=replayed,
        )
