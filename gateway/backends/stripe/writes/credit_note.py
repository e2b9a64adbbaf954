"""Issuing a credit note at Stripe: one call, and a look at the notes when its answer was lost.

The note carries our key in its metadata, so that it is recognised without a guess.
Source: https://docs.stripe.com/api/credit_notes/create, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.reads.credit_note_preview import note_params
from gateway.backends.stripe.writes import refusals
from gateway.backends.stripe.writes.account import (
    Account,
    check_owner,
    glance,
    known_from,
    look,
    look_back,
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
    Viewer,
)


@dataclass(frozen=True, slots=True)
class Crediting:
    """One credit note: who asks, and what for; it is used once."""

    account: Account
    viewer: Viewer
    command: CreateCreditNote

    async def run(self) -> CreditNoteCreated:
        """Issue the note. Raises `Refused`."""
        if self.viewer.customers is not None:
            check_owner(self.viewer, await self._invoice())
        done = await self._done_before() if self.account.attempt.in_doubt else None
        return done or await self._send()

    async def _done_before(self) -> CreditNoteCreated | None:
        """What an earlier try has issued, if it has. Raises `Refused`."""
        invoice_id = self.command.invoice_id
        note = await look(self._issued(), "invoice", invoice_id, ("invoiceId",))
        return None if note is None else self._created(note, replayed=True)

    async def _send(self) -> CreditNoteCreated:
        command = self.command
        try:
            result = await self.account.send(
                "/v1/credit_notes",
                {**note_params(command.draft), "metadata": {GATEWAY_KEY: command.idempotency_key}},
                idempotency_key=command.idempotency_key,
            )
            created = self._created(credit_note_record(result.body), replayed=result.stored)
            return replace(created, known=known_from(result))
        except WriteRejected as rejected:
            return await self._after_rejection(rejected)
        except WriteUnknown as unknown:
            return await self._after_doubt(unknown)
        except Failed:
            return await self._after_doubt(WriteUnknown())

    async def _invoice(self) -> records.Invoice:
        """Raises `Refused`."""
        invoice_id = self.command.invoice_id
        reading = self.account.books.invoice(invoice_id)
        return await look(reading, "invoice", invoice_id, ("invoiceId",))

    async def _issued(self) -> records.CreditNote | None:
        """The note with our key. Raises `Failed`."""
        command = self.command
        return await self.account.books.credit_note_under(
            command.invoice_id, command.idempotency_key
        )

    async def _after_doubt(self, unknown: WriteUnknown) -> CreditNoteCreated:
        invoice_id = self.command.invoice_id
        note = await look_back(self._issued(), unknown, invoice_id)
        if note is not None:
            return self._created(note)
        if unknown.stored:
            raise refusals.not_done(unknown, invoice_id)
        raise refusals.outcome_unknown(
            unknown, invoice_id, seen=", and there is no such credit note so far"
        )

    async def _after_rejection(self, rejected: WriteRejected) -> CreditNoteCreated:
        """The first rule of the ledger that stands against it; Stripe's words if none does."""
        invoice_id = self.command.invoice_id
        if rejected.unsupported:
            what = "issue credit notes"
            raise self.account.unsupported(Capability.CREDIT_NOTE, what, rejected)
        note = await glance(self._issued()) if rejected.in_doubt else None
        if note is not None:
            return self._created(note)
        try:
            preview(Book(await self._invoice()), self.command.draft)
        except Refused as refused:
            if not refused.retryable:
                raise refusals.explained_by(refused, rejected) from None
        raise refusals.upstream_rejected(rejected, invoice_id)

    def _created(self, note: records.CreditNote, *, replayed: bool = False) -> CreditNoteCreated:
        return CreditNoteCreated(
            invoice_id=self.command.invoice_id,
            credit_note_id=note.id,
            customer_id=note.customer_id,
            replayed=replayed,
        )
