"""The operations on invoices: as objects, then their steps, what pays them, and credit notes.

Source: https://docs.stripe.com/api/invoices and https://docs.stripe.com/api/credit_notes,
2026-10-28.endive; `detach_payment`,
`amount_requested` and `payment_record_data` exist in preview versions only (2026-01-28.preview).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.ledger.book import PREVIEW
from gateway.ledger.credit_notes import issue
from gateway.sandbox.stripe_api import invoice_items, payment_intents
from gateway.sandbox.stripe_api.account import KEPT, Account
from gateway.sandbox.stripe_api.api_call import Call, page_in, page_of
from gateway.sandbox.stripe_api.api_errors import exclusive, invalid, missing
from gateway.sandbox.stripe_api.payment_records import check_attachable, reported_here
from gateway.sandbox.stripe_api.rendering import invoice_prefix, render
from gateway.stripe_objects.writing import deleted
from schema import records
from schema.ports import CreditNoteDraft

SECONDS_A_DAY = 86_400


def create(account: Account, call: Call) -> records.Invoice:
    """A draft; with `include` it takes what waits on the customer."""
    given, twin = call.params, account.twin
    customer = account.get("customer", given["customer"], "customer")
    invoice = records.Invoice(
        **account.fresh("in", given),
        currency=given.get("currency", "usd"),
        customer_id=customer.id,
        status="draft",
        number=given.get("number"),
        collection_method=given.get("collection_method", "charge_automatically"),
        description=given.get("description"),
        customer_name=customer.name,
        customer_email=customer.email,
    )
    invoice = replace(invoice, due_date=_due_date(invoice, call))
    account.keep(invoice.id, call.picked(*KEPT["invoice"]))
    twin.create_invoice(invoice, (), request=call.request)
    if given.get("pending_invoice_items_behavior") == "include":
        invoice_items.take_pending(account, invoice, call.request)
    return twin.invoice(invoice.id)


def _due_date(invoice: records.Invoice, call: Call) -> int | None:
    days, due_date = call.params.get("days_until_due"), call.params.get("due_date")
    for name, value in (("days_until_due", days), ("due_date", due_date)):
        if value is not None and invoice.collection_method != "send_invoice":
            raise invalid(f"{name} needs collection_method send_invoice.", name)
    if days is not None and due_date is not None:
        raise invalid("Give due_date or days_until_due, not both.", "due_date")
    if days is not None:
        return invoice.created + int(days) * SECONDS_A_DAY
    return invoice.due_date if due_date is None else int(due_date)


def update(account: Account, call: Call) -> records.Invoice:
    """Drafts can be changed; of others only what is a note on them."""
    invoice: records.Invoice = account.get("invoice", call.id)
    notes = {"metadata", "description", "footer", "expand", "auto_advance", "rendering"}
    beyond = sorted(set(call.params) - notes)
    if beyond:
        invoice_items.check_draft(invoice, beyond[0])
    changes = call.changes(invoice.metadata, "description", "collection_method", "number")
    changes["due_date"] = _due_date(replace(invoice, **changes), call)
    account.keep(invoice.id, call.picked(*KEPT["invoice"]))
    return account.change(invoice, call.request, **changes)


def delete(account: Account, call: Call) -> dict[str, Any]:
    invoice = account.get("invoice", call.id)
    account.twin.delete_draft(invoice.id, call.request)
    return deleted("invoice", invoice.id)


def lines(account: Account, call: Call) -> dict[str, Any]:
    invoice = account.get("invoice", call.id)
    members = account.twin.lines.get(invoice.id, ())
    return page_in(account, call, "line_item", members, f"/v1/invoices/{invoice.id}/lines")


def finalize(account: Account, call: Call) -> records.Invoice:
    invoice = account.get("invoice", call.id)
    if invoice.status == "draft":
        account.keep(invoice.id, call.picked("auto_advance"))
    return account.twin.finalize(invoice.id, number=_number(account, invoice), request=call.request)


def _number(account: Account, invoice: records.Invoice) -> str:
    """The customer's prefix, and the place among the customer's numbered invoices."""
    prefix = invoice_prefix(invoice.customer_id or "")
    of_customer = account.twin.invoices.matching("customer_id", invoice.customer_id)
    return f"{prefix}-{sum(one.number is not None for one in of_customer) + 1:04}"


def send(account: Account, call: Call) -> records.Invoice:
    """Finalizes a draft, as Stripe does, and says that the invoice went out."""
    invoice = account.get("invoice", call.id)
    if invoice.status == "draft":
        invoice = finalize(account, call)
    account.twin.tell("invoice.sent", invoice, request=call.request)
    return account.twin.invoice(invoice.id)


def pay(account: Account, call: Call) -> records.Invoice:
    """Out of band, or through the default PaymentIntent; without a method the money comes."""
    invoice, twin = account.get("invoice", call.id), account.twin
    if call.params.get("paid_out_of_band"):
        return twin.pay_out_of_band(invoice.id, call.request)
    method = call.params.get("payment_method")
    if method is None:
        return twin.pay(invoice.id, call.request)
    outcome, default = payment_intents.outcome_of(method), twin.book(invoice.id).open_default
    if default is None or outcome.kind == payment_intents.SUCCEEDS:
        return twin.pay(invoice.id, call.request)
    if outcome.kind == payment_intents.DECLINES:
        twin.tell("invoice.payment_failed", invoice, request=call.request)
    payment_intents.settle_with(account, twin.intent(default.source_id), method, call)
    return twin.invoice(invoice.id)


def void(account: Account, call: Call) -> records.Invoice:
    return account.twin.void(account.get("invoice", call.id).id, call.request)


def mark_uncollectible(account: Account, call: Call) -> records.Invoice:
    return account.twin.mark_uncollectible(account.get("invoice", call.id).id, call.request)


def attach_payment(account: Account, call: Call) -> records.Invoice:
    """Exactly one source: that is a rule of the server, not of the table."""
    invoice = account.get("invoice", call.id)
    given = call.picked("payment_intent", "payment_record", "payment_record_data")
    if not given:
        raise missing("payment_intent")
    name, value = next(iter(given.items()))
    if len(given) > 1:
        raise exclusive(*given, param=name)
    if name == "payment_record_data":
        source = reported_here(account, invoice, value, call)
    else:
        source = account.get(name, value, name)
        check_attachable(account, source)
    account.twin.attach(
        invoice.id,
        source.id,
        amount_requested=call.params.get("amount_requested"),
        request=call.request,
    )
    return account.twin.invoice(invoice.id)


def detach_payment(account: Account, call: Call) -> records.Invoice:
    invoice = account.get("invoice", call.id)
    if "payment_intent" not in call.params:
        raise missing("payment_intent")
    intent = account.get("payment_intent", call.params["payment_intent"], "payment_intent")
    account.twin.detach(invoice.id, intent.id, request=call.request)
    return account.twin.invoice(invoice.id)


def payments(account: Account, call: Call) -> dict[str, Any]:
    """The invoice payments of an invoice, of what pays, or of a type of it.

    Source: https://docs.stripe.com/api/invoice-payment, 2026-10-28.endive.
    """
    given, payment = call.params, call.params.get("payment", {})
    if "invoice" in given:
        account.get("invoice", given["invoice"], "invoice")
    kind: str | None = payment.get("type")
    if set(payment) - {"type", kind}:
        raise missing(f"payment[{kind}]")

    def is_of_kind(one: records.InvoicePayment) -> bool:
        return one.source_type == kind

    return page_of(
        account,
        call,
        "invoice_payment",
        is_of_kind if payment else None,
        invoice_id=given.get("invoice"),
        source_id=payment.get(kind),
        status=given.get("status"),
    )


def credit(account: Account, call: Call) -> records.CreditNote:
    note = account.twin.credit(_credit_note_draft(account, call), request=call.request)
    account.keep(note.id, _kept_with_note(call, {}))
    return note


def preview_credit_note(account: Account, call: Call) -> dict[str, Any]:
    """The note that would be issued, with an id that stands for nothing."""
    draft = _credit_note_draft(account, call)
    at = replace(PREVIEW, now=account.twin.now())
    _, note = issue(account.twin.book(draft.invoice_id), draft, at, number="preview")
    return {**render(account, note), **_kept_with_note(call, {})}


def _credit_note_draft(account: Account, call: Call) -> CreditNoteDraft:
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


def _kept_with_note(call: Call, metadata: dict[str, str]) -> dict[str, Any]:
    """What is kept beside the note; its metadata as a hash, as it is printed."""
    kept = call.changes(tuple(metadata.items()), "effective_at")
    return {name: dict(value) if name == "metadata" else value for name, value in kept.items()}


def update_credit_note(account: Account, call: Call) -> records.CreditNote:
    note: records.CreditNote = account.get("credit_note", call.id)
    account.keep(note.id, _kept_with_note(call, account.kept(note.id, "metadata", {})))
    return account.change(note, call.request, **call.picked("memo"))


def void_credit_note(account: Account, call: Call) -> records.CreditNote:
    return account.twin.void_credit_note(account.get("credit_note", call.id).id, call.request)
