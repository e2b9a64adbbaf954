"""Query: everything that can be read. Its fields only look up what was loaded for them before
execution began.
"""

from __future__ import annotations

from typing import Any

import strawberry

from schema.context import Info
from schema.cost import ids_size, list_size
from schema.credit_note import (
    CreditNoteInput,
    CreditNotePreview,
    credit_note_preview_need,
)
from schema.customer import Customer
from schema.fields import field
from schema.filters import InvoiceFilter, InvoicePaymentFilter, invoice_payments_need, invoices_need
from schema.gateway_info import GatewayInfo, gateway_info
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment
from schema.invoice_payment_event import (
    EVENTS_LIST_SIZE,
    InvoicePaymentEventConnection,
    InvoicePaymentEventFilter,
    events_need,
)
from schema.node import Connection, Node, checked_id, id_need, node_needs
from schema.payment_intent import PaymentIntent
from schema.permissions import require
from schema.ports import ById, Loaded
from schema.scalars import EventCursor
from schema.version import VERSION


def invoice_need(id: str) -> ById:
    return ById("Invoice", checked_id("Invoice", id, "id"))


def invoice_payment_need(id: str) -> ById:
    return ById("InvoicePayment", checked_id("InvoicePayment", id, "id"))


def payment_intent_need(id: str) -> ById:
    return ById("PaymentIntent", checked_id("PaymentIntent", id, "id"))


def customer_need(id: str) -> ById:
    return ById("Customer", checked_id("Customer", id, "id"))


def node_need(id: str) -> ById:
    return id_need(id, "id")


def nodes_need(ids: list[str]) -> tuple[ById, ...]:
    return node_needs(ids)


@strawberry.type(description="Everything that can be read.")
class Query:
    @field(
        "Any object by its id; what it is follows from the id's prefix.",
        needs=node_need,
    )
    @staticmethod
    def node(root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID) -> Node | None:
        require(info.context.viewer, "invoices:read")
        return root.child(node_need(id))  # type: ignore[no-any-return]

    @field(
        "Several objects at once, at most 50; a null where an id is unknown or not yours.",
        needs=nodes_need,
        directives=[ids_size()],
    )
    @staticmethod
    def nodes(
        root: strawberry.Parent[Loaded[Any]], info: Info, ids: list[strawberry.ID]
    ) -> list[Node | None] | None:
        require(info.context.viewer, "invoices:read")
        return [root.member(need) for need in nodes_need(ids)]  # type: ignore[arg-type]

    @field(
        "One invoice. NOT_FOUND when it is unknown or not yours.",
        needs=invoice_need,
    )
    @staticmethod
    def invoice(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> Invoice | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_need(id))  # type: ignore[no-any-return]

    @field(
        "Invoices, newest first.",
        needs=invoices_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def invoices(
        root: strawberry.Parent[Loaded[Any]],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: InvoiceFilter | None = None,
    ) -> Connection[Invoice] | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoices_need(first, after, last, before, filter))  # type: ignore[no-any-return]

    @field(
        "One invoice payment. NOT_FOUND when it is unknown, detached or not yours.",
        needs=invoice_payment_need,
    )
    @staticmethod
    def invoice_payment(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> InvoicePayment | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_payment_need(id))  # type: ignore[no-any-return]

    @field(
        "Invoice payments, newest first.",
        needs=invoice_payments_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def invoice_payments(
        root: strawberry.Parent[Loaded[Any]],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: InvoicePaymentFilter | None = None,
    ) -> Connection[InvoicePayment] | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_payments_need(first, after, last, before, filter))  # type: ignore[no-any-return]

    @field(
        "One PaymentIntent. NOT_FOUND when it is unknown or not yours.",
        needs=payment_intent_need,
    )
    @staticmethod
    def payment_intent(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> PaymentIntent | None:
        require(info.context.viewer, "invoices:read")
        return root.child(payment_intent_need(id))  # type: ignore[no-any-return]

    @field(
        "One customer. NOT_FOUND when it is unknown or not yours.",
        needs=customer_need,
    )
    @staticmethod
    def customer(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> Customer | None:
        require(info.context.viewer, "invoices:read")
        return root.child(customer_need(id))  # type: ignore[no-any-return]

    @field(
        "What a credit note would do, before it is issued. Writes nothing. Null, with "
        "an entry in errors that names the rule, when it would be refused.",
        needs=credit_note_preview_need,
    )
    @staticmethod
    def credit_note_preview(
        root: strawberry.Parent[Loaded[Any]], info: Info, input: CreditNoteInput
    ) -> CreditNotePreview | None:
        require(info.context.viewer, "invoices:read")
        return root.child(credit_note_preview_need(input))  # type: ignore[no-any-return]

    @field(
        "The payment event log, oldest first: same log and cursors as the "
        "subscription, for pollers, partners and catch-up. Without `after` it begins at the "
        "oldest event.",
        needs=events_need,
        directives=[EVENTS_LIST_SIZE],
    )
    @staticmethod
    def invoice_payment_events(
        root: strawberry.Parent[Loaded[Any]],
        first: int | None = 50,
        after: EventCursor | None = None,
        filter: InvoicePaymentEventFilter | None = None,
    ) -> InvoicePaymentEventConnection | None:
        return root.child(events_need(first, after, filter))  # type: ignore[no-any-return]

    @field("What this deployment is, and what it can do for this caller.")
    async def gateway(self, info: Info) -> GatewayInfo:
        context = info.context
        return gateway_info(
            VERSION, context.reads.describe(), context.viewer, await context.events.oldest()
        )
