"""The operations on credit notes.

Source: https://docs.stripe.com/api/credit_notes, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.ledger import credit_notes as rules
from gateway.ledger.book import PREVIEW
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call
from gateway.sandbox.stripe_api.errors import missing
from gateway.sandbox.stripe_api.rendering import render
from schema import records
from schema.ports import CreditNoteDraft


def create(account: Account, call: Call) -> records.CreditNote:
    note = account.twin.credit(_draft(account, call), request=call.request)
    account.keep(note.id, _kept(call, {}))
    return note


def preview(account: Account, call: Call) -> dict[str, Any]:
    """The note that would be issued, with an id that stands for nothing."""
    draft = _draft(account, call)
    at = replace(PREVIEW, now=account.twin.now())
    _, note = rules.issue(account.twin.book(draft.invoice_id), draft, at, number="preview")
    return {**render(account, note), **_kept(call, {})}


def _draft(account: Account, call: Call) -> CreditNoteDraft:
    given = call.params
    invoice = account.get("invoice", given["invoice"], "invoice")
    if "amount" not in given:
        raise missing("amount")
    return CreditNoteDraft(
        invoice_id=invoice.id,
        amount=given["amount"],
        reason=given.get("reason"),
        memo=given.get("memo"),
        refund=given.get("refund_amount"),
        credit=given.get("credit_amount"),
        out_of_band=given.get("out_of_band_amount"),
    )


def _kept(call: Call, metadata: dict[str, str]) -> dict[str, Any]:
    """What is kept beside the note; its metadata as a hash, as it is printed."""
    kept = call.changes(tuple(metadata.items()), "effective_at")
    return {name: dict(value) if name == "metadata" else value for name, value in kept.items()}


def update(account: Account, call: Call) -> records.CreditNote:
    note: records.CreditNote = account.get("credit_note", call.id)
    account.keep(note.id, _kept(call, account.kept(note.id, "metadata", {})))
    return account.change(note, call.request, **call.picked("memo"))


def void(account: Account, call: Call) -> records.CreditNote:
    return account.twin.void_credit_note(account.get("credit_note", call.id).id, call.request)
