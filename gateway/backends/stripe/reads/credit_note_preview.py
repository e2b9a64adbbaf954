"""What a credit note would do, as Stripe reckons it; where Stripe refuses, the rule that is broken.

Source: https://docs.stripe.com/api/credit_notes/preview and
https://docs.stripe.com/api/credit_notes/create, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.backends.assembly import failure_of
from gateway.backends.stripe.client import StripeApi
from gateway.ledger.book import Book
from gateway.ledger.credit_notes import preview
from gateway.stripe_objects import reading
from schema import records
from schema.ports import CreditNoteDraft, ErrorCode, Failed, Meter, Refused


def note_params(draft: CreditNoteDraft) -> dict[str, Any]:
    """A note that is to be, in Stripe's words; what was left out is not sent."""
    stated = {
        "invoice": draft.invoice_id,
        "amount": draft.amount,
        "reason": draft.reason,
        "memo": draft.memo,
        "refund_amount": draft.refund,
        "credit_amount": draft.credit,
        "out_of_band_amount": draft.out_of_band,
    }
    return {name: value for name, value in stated.items() if value is not None}


async def credit_note_preview(
    api: StripeApi, draft: CreditNoteDraft, meter: Meter
) -> records.CreditNotePreview:
    """Raises `Failed`."""
    try:
        params = {**note_params(draft), "expand": ["invoice"]}
        raw = await api.get("/v1/credit_notes/preview", params, meter)
    except Failed as failed:
        await _explain(failed, api, draft, meter)
        raise
    note, invoice = reading.credit_note_record(raw), reading.invoice_record(raw["invoice"])
    return records.CreditNotePreview(
        type=note.type,
        currency=note.currency,
        amount=note.amount,
        pre_payment_amount=note.pre_payment_amount,
        post_payment_amount=note.post_payment_amount,
        amount_remaining_after=invoice.amount_remaining - note.pre_payment_amount,
    )


async def _explain(failed: Failed, api: StripeApi, draft: CreditNoteDraft, meter: Meter) -> None:
    """Raises the first rule of the ledger that stands against the note, as the memory backend
    does; returns where none does, or where Stripe did not answer at all."""
    if failed.code is not ErrorCode.UPSTREAM_ERROR or not failed.extensions.get("requestId"):
        return
    try:
        raw = await api.get(f"/v1/invoices/{draft.invoice_id}", {}, meter)
        preview(Book(reading.invoice_record(raw)), draft)
    except Refused as refused:
        raise failure_of(refused) from failed
    except Failed:
        return
