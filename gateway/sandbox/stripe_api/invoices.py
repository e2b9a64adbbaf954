"""Invoices as objects: create, read, list, change, delete. Their steps are in `invoice_steps`.

Source: https://docs.stripe.com/api/invoices, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.backends.memory.tables import Query
from gateway.sandbox.stripe_api import edits
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.errors import invalid
from gateway.sandbox.stripe_api.invoice_items import take_pending
from gateway.sandbox.stripe_api.lists import page_in, page_of, query_of
from gateway.sandbox.stripe_api.parameters import (
    Table,
    anything,
    boolean,
    clearable,
    currency,
    hash_of,
    instant,
    integer,
    list_of,
    metadata,
    one_of,
    preview,
    refused,
    required,
    table,
    text,
    window,
)
from schema import records

SECONDS_A_DAY = 86_400
COLLECTION_METHOD = one_of("charge_automatically", "send_invoice")

KEPT = ("auto_advance", "custom_fields", "footer", "number", "statement_descriptor")
"""What is shown as it was sent, of the parameters that the ledger does not know."""

EDITED: Table = table(
    account_tax_ids=anything,
    amounts_due=preview(refused),
    application_fee_amount=refused,
    auto_advance=boolean,
    automatic_tax=hash_of(enabled=one_of("false"), liability=anything),
    automatically_finalizes_at=refused,
    collection_method=COLLECTION_METHOD,
    custom_fields=list_of(hash_of(name=required(text), value=required(text))),
    days_until_due=integer,
    default_margins=preview(refused),
    default_payment_method=anything,
    default_source=anything,
    default_tax_rates=refused,
    description=clearable,
    discounts=refused,
    due_date=instant,
    effective_at=anything,
    footer=clearable,
    issuer=anything,
    metadata=metadata,
    number=clearable,
    on_behalf_of=refused,
    payment_settings=anything,
    rendering=anything,
    shipping_cost=refused,
    shipping_details=anything,
    statement_descriptor=clearable,
    transfer_data=refused,
)
CREATED: Table = {
    **EDITED,
    **table(
        currency=currency,
        customer=required(text),
        customer_account=refused,
        from_invoice=refused,
        pending_invoice_items_behavior=one_of("exclude", "include"),
        subscription=refused,
    ),
}


def create(account: Account, call: Call) -> records.Invoice:
    """A draft; with `include` it takes what waits on the customer."""
    customer = account.referred("customer", call.params["customer"], "customer")
    twin = account.twin
    invoice = records.Invoice(
        id=twin.new_id("in"),
        created=twin.now(),
        currency=call.params.get("currency", "usd"),
        customer_id=customer.id,
        status="draft",
        livemode=twin.livemode,
        number=call.params.get("number"),
        collection_method=call.params.get("collection_method", "charge_automatically"),
        description=call.params.get("description"),
        customer_name=customer.name,
        customer_email=customer.email,
        metadata=merged((), call.params.get("metadata")),
    )
    invoice = replace(invoice, due_date=_due_date(invoice, call))
    account.keep(invoice.id, call.picked(*KEPT))
    twin.create_invoice(invoice, (), request=call.request)
    if call.params.get("pending_invoice_items_behavior") == "include":
        take_pending(account, invoice, call.request)
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


def retrieve(account: Account, call: Call) -> records.Invoice:
    return account.twin.invoice(account.get("invoice", call.id).id)


def update(account: Account, call: Call) -> records.Invoice:
    """Drafts can be changed; of others only what is a note on them."""
    invoice = account.get("invoice", call.id)
    notes = {"metadata", "description", "footer", "expand", "auto_advance", "rendering"}
    beyond = sorted(set(call.params) - notes)
    if beyond:
        edits.check_draft(invoice, beyond[0])
    fields: dict[str, Any] = call.picked("description", "collection_method", "number")
    if "metadata" in call.params:
        fields["metadata"] = merged(invoice.metadata, call.params["metadata"])
    fields["due_date"] = _due_date(replace(invoice, **fields), call)
    account.keep(invoice.id, call.picked(*KEPT))
    return edits.change_invoice(account.twin, invoice, call.request, **fields)


def delete(account: Account, call: Call) -> dict[str, Any]:
    invoice = account.get("invoice", call.id)
    account.twin.delete_draft(invoice.id, call.request)
    return {"id": invoice.id, "object": "invoice", "deleted": True}


def list_all(account: Account, call: Call) -> Listed:
    given = call.params
    if "customer" in given:
        account.referred("customer", given["customer"], "customer")
    query: Query[records.Invoice] = query_of(
        call,
        None,
        customer_id=given.get("customer"),
        status=given.get("status"),
        collection_method=given.get("collection_method"),
        subscription_id=given.get("subscription"),
    )
    query = replace(query, due=given.get("due_date"))
    return page_of(call, "invoice", account.twin.invoices, query)


def lines(account: Account, call: Call) -> Listed:
    invoice = account.get("invoice", call.id)
    url = f"/v1/invoices/{invoice.id}/lines"
    return page_in(call, "line_item", account.twin.lines.get(invoice.id, ()), url)


ONE = "/v1/invoices/{invoice}"
STATUS = one_of("draft", "open", "paid", "uncollectible", "void")
LISTED: Table = table(
    collection_method=COLLECTION_METHOD,
    created=window,
    customer=text,
    customer_account=refused,
    due_date=window,
    status=STATUS,
    subscription=text,
)
OPERATIONS = (
    Operation("GET", "/v1/invoices", "invoice", list_all, LISTED, is_list=True),
    Operation("POST", "/v1/invoices", "invoice", create, CREATED),
    Operation("GET", ONE, "invoice", retrieve),
    Operation("POST", ONE, "invoice", update, EDITED),
    Operation("DELETE", ONE, "invoice", delete),
    Operation("GET", f"{ONE}/lines", "line_item", lines, is_list=True),
)
