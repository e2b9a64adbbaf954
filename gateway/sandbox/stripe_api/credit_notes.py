"""The operations on credit notes.

Source: https://docs.stripe.com/api/credit_notes, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.ledger import credit_notes as rules
from gateway.ledger.book import PREVIEW
from gateway.sandbox.stripe_api import edits
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.errors import missing
from gateway.sandbox.stripe_api.operations import (
    Call,
    Operation,
    listing,
    reading,
)
from gateway.sandbox.stripe_api.rendering import render
from schema import records
from schema.ports import CreditNoteDraft


def _draft(account: Account, call: Call) -> CreditNoteDraft:
    given = call.params
    invoice = account.referred("invoice", given["invoice"], "invoice")
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


def create(account: Account, call: Call) -> records.CreditNote:
    draft = _draft(account, call)
    note = account.twin.credit(draft, request=call.request)
    account.keep(note.id, _kept(account, call, {}))
    return note


def _kept(account: Account, call: Call, before: dict[str, str]) -> dict[str, Any]:
    kept = call.picked("effective_at")
    if "metadata" in call.params:
        kept["metadata"] = dict(merged(tuple(before.items()), call.params["metadata"]))
    return kept


def preview(account: Account, call: Call) -> dict[str, Any]:
    """The note that would be issued, with an id that stands for nothing."""
    draft = _draft(account, call)
    book = account.twin.book(draft.invoice_id)
    at = replace(PREVIEW, now=account.twin.now())
    _, note = rules.issue(book, draft, at, number="preview")
    return {**render(account, note), **_kept(account, call, {})}


def update(account: Account, call: Call) -> records.CreditNote:
    note = account.get("credit_note", call.id)
    account.keep(note.id, _kept(account, call, account.kept(note.id, "metadata", {})))
    return edits.change_credit_note(account.twin, note, call.request, **call.picked("memo"))


def void(account: Account, call: Call) -> records.CreditNote:
    return account.twin.void_credit_note(account.get("credit_note", call.id).id, call.request)


KIND = "credit_note"
ALL = "/v1/credit_notes"
ONE = "/v1/credit_notes/{id}"

OPERATIONS = (
    listing(
        KIND,
        ALL,
        indexed={"invoice": "invoice_id"},
        compared={"customer": "customer_id"},
        known=("customer", "invoice"),
    ),
    Operation("POST", ALL, KIND, create),
    Operation("GET", f"{ALL}/preview", KIND, preview),
    reading(KIND, ONE),
    Operation("POST", ONE, KIND, update),
    Operation("POST", f"{ONE}/void", KIND, void),
)
