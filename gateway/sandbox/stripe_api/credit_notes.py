"""The operations on credit notes.

Source: https://docs.stripe.com/api/credit_notes, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.ledger import credit_notes as rules
from gateway.sandbox.stripe_api import edits
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.errors import missing
from gateway.sandbox.stripe_api.lists import page_of, query_of
from gateway.sandbox.stripe_api.parameters import (
    Table,
    amount,
    clearable,
    instant,
    metadata,
    one_of,
    refused,
    required,
    share,
    table,
    text,
    window,
)
from gateway.sandbox.stripe_api.rendering import render
from schema import records
from schema.ports import CreditNoteDraft

CREATED: Table = table(
    amount=amount,
    credit_amount=share,
    effective_at=instant,
    email_type=one_of("credit_note", "none"),
    invoice=required(text),
    lines=refused,
    memo=clearable,
    metadata=metadata,
    out_of_band_amount=share,
    reason=one_of("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    refund_amount=share,
    refunds=refused,
    shipping_cost=refused,
)


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
    now = account.twin.now()
    _, note = rules.issue(
        book, draft, number="preview", now=now, new_id=lambda prefix: f"{prefix}_preview"
    )
    return {**render(account, note), **_kept(account, call, {})}


def retrieve(account: Account, call: Call) -> records.CreditNote:
    found: records.CreditNote = account.get("credit_note", call.id)
    return found


def list_all(account: Account, call: Call) -> Listed:
    given = call.params
    for kind in ("customer", "invoice"):
        if kind in given:
            account.referred(kind, given[kind], kind)
    customer_id = given.get("customer")

    def check(note: records.CreditNote) -> bool:
        return customer_id is None or note.customer_id == customer_id

    query = query_of(call, check, invoice_id=given.get("invoice"))
    return page_of(call, "credit_note", account.twin.credit_notes, query)


def update(account: Account, call: Call) -> records.CreditNote:
    note = account.get("credit_note", call.id)
    account.keep(note.id, _kept(account, call, account.kept(note.id, "metadata", {})))
    return edits.change_credit_note(account.twin, note, call.request, **call.picked("memo"))


def void(account: Account, call: Call) -> records.CreditNote:
    return edits.void_credit_note(account.twin, account.get("credit_note", call.id), call.request)


KIND = "credit_note"
ALL = "/v1/credit_notes"
ONE = "/v1/credit_notes/{id}"

OPERATIONS = (
    Operation(
        "GET",
        ALL,
        KIND,
        list_all,
        table(created=window, customer=text, customer_account=refused, invoice=text),
        is_list=True,
    ),
    Operation("POST", ALL, KIND, create, CREATED),
    Operation("GET", f"{ALL}/preview", KIND, preview, CREATED),
    Operation("GET", ONE, KIND, retrieve),
    Operation("POST", ONE, KIND, update, table(memo=clearable, metadata=metadata)),
    Operation("POST", f"{ONE}/void", KIND, void),
)
