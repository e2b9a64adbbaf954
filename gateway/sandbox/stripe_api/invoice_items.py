"""The operations on invoice items: how lines come onto a draft.

An item for an invoice becomes a line at once; one without waits for the customer's next invoice.
Source: https://docs.stripe.com/api/invoiceitems, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.backends.memory.twin import Request, Twin
from gateway.ledger.book import foretold
from gateway.ledger.facts import facts
from gateway.sandbox.stripe_api.account import Account, InvoiceItem
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import StripeError, missing, stated
from gateway.stripe_objects.writing import deleted
from schema import records

Lines = tuple[records.InvoiceLineItem, ...]


def create(account: Account, call: Call) -> InvoiceItem:
    given, twin = call.params, account.twin
    invoice = None
    if "invoice" in given:
        invoice = account.get("invoice", given["invoice"], "invoice")
    customer_id = given.get("customer") or (invoice.customer_id if invoice else None)
    if customer_id is None:
        raise missing("customer")
    account.get("customer", customer_id, "customer")
    item = _item(account, call, customer_id, invoice)
    if invoice is not None:
        check_draft(invoice, "invoice")
        _check_fits(item, invoice)
        item = replace(item, line_id=twin.new_id("il"), invoice_id=invoice.id)
    account.invoice_items.put(item)
    if invoice is not None:
        _add_lines(account, invoice, [item], call.request)
    twin.tell("invoiceitem.created", item, request=call.request)
    return item


def _item(
    account: Account, call: Call, customer_id: str, invoice: records.Invoice | None
) -> InvoiceItem:
    given = call.params
    if "amount" not in given:
        raise missing("amount")
    code = given.get("currency") or (invoice.currency if invoice else None)
    if code is None:
        raise missing("currency")
    fresh = account.fresh("ii", given)
    period = given.get("period", {})
    return InvoiceItem(
        **fresh,
        customer_id=customer_id,
        currency=code,
        amount=given["amount"],
        description=given.get("description"),
        quantity=given.get("quantity", 1),
        period_start=period.get("start", fresh["created"]),
        period_end=period.get("end", fresh["created"]),
    )


def _check_fits(item: InvoiceItem, invoice: records.Invoice) -> None:
    if item.currency != invoice.currency:
        raise stated("other_currency", "currency", item=item.currency, invoice=invoice.currency)
    if item.customer_id != invoice.customer_id:
        raise stated("other_customer", "customer", invoice=invoice.id, customer=item.customer_id)


def _add_lines(
    account: Account, invoice: records.Invoice, items: list[InvoiceItem], request: Request
) -> None:
    lines = account.twin.lines.get(invoice.id, ())
    fresh = tuple(
        records.InvoiceLineItem(
            id=item.line_id or "",
            invoice_id=invoice.id,
            amount=item.amount,
            currency=item.currency,
            description=item.description,
            quantity=str(item.quantity),
            period_start=item.period_start,
            period_end=item.period_end,
        )
        for item in items
    )
    change_lines(account.twin, invoice, (*lines, *fresh), request)


def check_draft(invoice: records.Invoice, param: str) -> None:
    """Raises `StripeError` for an invoice that can no longer be edited."""
    if invoice.status != "draft":
        raise stated("invoice_not_editable", param, invoice=invoice.id, status=invoice.status)


def change_lines(twin: Twin, invoice: records.Invoice, lines: Lines, request: Request) -> None:
    """The lines of a draft, and the totals that follow from them. Raises `StripeError`."""
    check_draft(invoice, "invoice")
    total = sum(line.amount for line in lines)
    before = twin.book(invoice.id)
    twin.lines[invoice.id] = lines
    twin.invoices.put(foretold(replace(invoice, subtotal=total, total=total), before.customer))
    twin.announce(facts(before, twin.book(invoice.id)), request)


def take_pending(account: Account, invoice: records.Invoice, request: Request) -> None:
    """Move what waits on the invoice's customer, in its currency, onto the draft."""
    waiting = [
        replace(item, invoice_id=invoice.id, line_id=account.twin.new_id("il"))
        for item in account.invoice_items.matching("customer_id", invoice.customer_id)
        if item.invoice_id is None and item.currency == invoice.currency
    ]
    for item in waiting:
        account.invoice_items.put(item)
    if waiting:
        _add_lines(account, invoice, waiting, request)


def delete(account: Account, call: Call) -> dict[str, Any]:
    item: InvoiceItem = account.get("invoiceitem", call.id)
    if item.invoice_id is not None:
        invoice = account.twin.invoices.get(item.invoice_id)
        if invoice is None:
            raise StripeError(f"The invoice of {item.id} is gone.", param="id")
        lines = account.twin.lines.get(invoice.id, ())
        kept = tuple(line for line in lines if line.id != item.line_id)
        change_lines(account.twin, invoice, kept, call.request)
    account.invoice_items.remove(item.id)
    account.twin.tell("invoiceitem.deleted", item, request=call.request)
    return deleted("invoiceitem", item.id)
