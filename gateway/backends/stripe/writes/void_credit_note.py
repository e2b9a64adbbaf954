"""Voiding a credit note at Stripe: a look at the note, as the call names no invoice, and the call.

That a note is void tells not by whom: the key does, and once it cannot be asked, Stripe's event.
Source: https://docs.stripe.com/api/credit_notes/void, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.writes.invoice_state import NOTE_VOIDED
from gateway.backends.stripe.writes.stripe_write import (
    StripeWrite,
    explained_by,
    glance,
    known_from,
)
from gateway.backends.supplier import no_such
from gateway.ledger.book import Book
from gateway.ledger.credit_notes import check_voidable
from schema import records
from schema.ports import Capability, CreditNoteVoided, Refused, VoidCreditNote


class Voiding(StripeWrite[VoidCreditNote]):
    """One credit note that is taken back."""

    __slots__ = ()

    async def run(self) -> CreditNoteVoided:
        """Void the note. Raises `Refused`.

        That it is void already is no refusal yet: this may be the repeat of a call whose answer was
        lost, and then Stripe answers as it did the first time.
        """
        missing = no_such("credit_note", self.command.credit_note_id, ("creditNoteId",))
        note = await self.look(self._read(), missing)
        if note.invoice_id != self.invoice_id or not self.viewer.sees(note.customer_id):
            raise missing
        send = partial(self._send, note)
        return await self.settled(send, self._after_doubt, seen=", though the note is void")

    async def _read(self) -> records.CreditNote:
        """Raises `Failed`."""
        return await self.books.credit_note(self.command.credit_note_id)

    async def _send(self, note: records.CreditNote) -> CreditNoteVoided:
        try:
            result = await self.send(f"/v1/credit_notes/{note.id}/void", {}, key=self.key)
        except WriteRejected as rejected:
            return await self._after_rejection(note, rejected)
        voided = self._voided(note, replayed=result.stored)
        return replace(voided, known=known_from(result))

    async def _after_doubt(self, unknown: WriteUnknown) -> CreditNoteVoided | None:
        """None where the note is void, be it by this call or by another: the key tells. Where it
        cannot be asked any more, Stripe's event does. Raises `Refused`."""
        note = await self.look_back(self._read(), unknown)
        if note.status != "void":
            if unknown.stored:
                raise self.not_done(unknown)
            raise self.unknown(unknown, seen=", and the note is not void so far")
        if not unknown.stored and self.attempt.may_send:
            return None
        reading = self.books.keys_behind(NOTE_VOIDED, note.id)
        keys = await self.look_back(reading, unknown)
        if keys and self.key not in keys:
            raise self.not_done(unknown)
        return self._voided(note)

    async def _after_rejection(
        self, note: records.CreditNote, rejected: WriteRejected
    ) -> CreditNoteVoided:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        if rejected.unsupported:
            raise self.unsupported(Capability.CREDIT_NOTE, "void credit notes", rejected)
        if rejected.in_doubt or self.attempt.in_doubt:
            # A key whose age a wrong clock has noted may be forgotten, and its deed stand.
            keys = await glance(self.books.keys_behind(NOTE_VOIDED, note.id))
            if keys and self.key in keys:
                return self._voided(note, replayed=True)
        invoice, now = await glance(self.books.invoice()), await glance(self._read())
        if invoice is None or now is None:
            raise self.rejected(rejected)
        try:
            check_voidable(Book(invoice), now)
        except Refused as refused:
            raise explained_by(refused, rejected) from None
        raise self.rejected(rejected)

    def _voided(self, note: records.CreditNote, *, replayed: bool = False) -> CreditNoteVoided:
        return CreditNoteVoided(
            invoice_id=self.invoice_id,
            credit_note_id=note.id,
            customer_id=note.customer_id,
            replayed=replayed,
        )
