"""Query: everything that can be read. Its fields only look up what was loaded for them before
execution began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry

from schema import filters
from schema.context import Info
from schema.cost import ids_size
from schema.credit_note import CreditNotePreview, credit_note_preview
from schema.customer import Customer
from schema.fields import field, loaded
from schema.gateway_info import GatewayInfo, gateway_info
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment
from schema.invoice_payment_event import InvoicePaymentEventConnection, events
from schema.node import Connection, Node, checked_id, id_need, listed
from schema.payment_intent import PaymentIntent
from schema.ports import NODES_MAX, ById, bad_input

READ = "invoices:read"


def _of_any_kind(id: strawberry.ID) -> ById:
    return id_need(id, "id")


def _several(ids: list[strawberry.ID]) -> tuple[ById, ...]:
    """In the order of the ids."""
    if len(ids) > NODES_MAX:
        raise bad_input(f"ids must be at most {NODES_MAX} at a time, got {len(ids)}")
    return tuple(id_need(value, f"ids[{at}]", quiet=True) for at, value in enumerate(ids))


def _one(kind: str) -> Callable[..., ById]:
    def by_id(id: strawberry.ID) -> ById:
        return ById(kind, checked_id(kind, id, "id"))

    return by_id


def found(kind: str, description: str) -> Any:
    """A field that shows the object of this kind that has the given id."""
    return loaded(description, _one(kind), scope=READ)


@strawberry.type(description="Everything that can be read.")
class Query:
    node: Node | None = loaded(
        "Any object by its id; what it is follows from the id's prefix.", _of_any_kind, scope=READ
    )
    nodes: list[Node | None] | None = loaded(
        "Several objects at once, at most 50; a null where an id is unknown or not yours.",
        _several,
        size=ids_size(),
        scope=READ,
    )
    invoice: Invoice | None = found(
        "Invoice", "One invoice. NOT_FOUND when it is unknown or not yours."
    )
    invoices: Connection[Invoice] | None = listed(
        "Invoices, newest first.", filters.invoices, scope=READ
    )
    invoice_payment: InvoicePayment | None = found(
        "InvoicePayment",
        "One invoice payment. NOT_FOUND when it is unknown, detached or not yours.",
    )
    invoice_payments: Connection[InvoicePayment] | None = listed(
        "Invoice payments, newest first.", filters.invoice_payments, scope=READ
    )
    payment_intent: PaymentIntent | None = found(
        "PaymentIntent", "One PaymentIntent. NOT_FOUND when it is unknown or not yours."
    )
    customer: Customer | None = found(
        "Customer", "One customer. NOT_FOUND when it is unknown or not yours."
    )
    credit_note_preview: CreditNotePreview | None = loaded(
        "What a credit note would do, before it is issued. Writes nothing. Null, with an entry in "
        "errors that names the rule, when it would be refused.",
        credit_note_preview,
        scope=READ,
    )
    invoice_payment_events: InvoicePaymentEventConnection | None = listed(
        "The payment event log, oldest first: same log and cursors as the subscription, for "
        "pollers, partners and catch-up. Without `after` it begins at the oldest event.",
        events,
    )

    @field("What this deployment is, and what it can do for this caller.")
    async def gateway(self, info: Info) -> GatewayInfo:
        context = info.context
        oldest = await context.events.oldest()
        return gateway_info(context.reads.describe(), context.viewer, oldest)
