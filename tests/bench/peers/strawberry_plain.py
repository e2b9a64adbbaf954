"""Plain Strawberry on aiohttp, as its documentation shows it."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator
from typing import Annotated, NewType

import strawberry
from aiohttp import web
from strawberry.aiohttp.views import GraphQLView
from strawberry.schema.config import StrawberryConfig

from tests.bench.peers.world import (
    BY_ID,
    EVENT,
    INVOICES,
    emitting,
    invoice_id_of,
    listen,
    publish,
    serve,
)

CurrencyCode = NewType("CurrencyCode", str)
DateTime = NewType("DateTime", str)
EventCursor = NewType("EventCursor", str)
MinorUnits = NewType("MinorUnits", int)

SCALARS = {kind: strawberry.scalar(name=kind.__name__, serialize=lambda value: value)
           for kind in (CurrencyCode, DateTime, EventCursor, MinorUnits)}  # fmt: skip


def enumeration(name: str, members: str) -> type[enum.Enum]:
    made = enum.Enum(name, {one: one for one in (*members.split(), "UNRECOGNIZED")})
    return strawberry.enum(made)


InvoiceStatus = enumeration("InvoiceStatus", "DRAFT OPEN PAID UNCOLLECTIBLE VOID")
CollectionMethod = enumeration("CollectionMethod", "CHARGE_AUTOMATICALLY SEND_INVOICE")
InvoicePaymentStatus = enumeration("InvoicePaymentStatus", "OPEN PAID CANCELED")
PaymentSourceType = enumeration("PaymentSourceType", "PAYMENT_INTENT PAYMENT_RECORD CHARGE")
PaymentIntentStatus = enumeration(
    "PaymentIntentStatus",
    "REQUIRES_PAYMENT_METHOD REQUIRES_CONFIRMATION REQUIRES_ACTION PROCESSING REQUIRES_CAPTURE "
    "CANCELED SUCCEEDED",
)
EventType = enumeration(
    "InvoicePaymentEventType", "ATTACHED PAID DETACHED CANCELED OVERPAID INVOICE_CHANGED"
)


@strawberry.type
class Money:
    minor_units: MinorUnits
    currency: CurrencyCode


@strawberry.type
class PaymentIntent:
    id: strawberry.ID
    description: str | None
    livemode: bool
    status: PaymentIntentStatus  # type: ignore[valid-type]
    raw_status: str
    amount: Money
    amount_received: Money
    customer_id: strawberry.ID | None
    created_at: DateTime
    canceled_at: DateTime | None


@strawberry.type
class InvoicePayment:
    id: strawberry.ID
    invoice_id: strawberry.ID
    source_id: strawberry.ID
    is_default: bool
    status: InvoicePaymentStatus  # type: ignore[valid-type]
    raw_status: str
    amount_requested: Money
    amount_paid: Money | None
    source_type: PaymentSourceType  # type: ignore[valid-type]
    created_at: DateTime
    paid_at: DateTime | None
    canceled_at: DateTime | None
    intent: strawberry.Private[PaymentIntent | None]

    @strawberry.field
    async def payment_intent(self) -> PaymentIntent | None:
        return self.intent


@strawberry.type
class InvoicePaymentConnection:
    nodes: list[InvoicePayment]


@strawberry.type
class Invoice:
    id: strawberry.ID
    number: str | None
    description: str | None
    customer_name: str | None
    customer_email: str | None
    currency: CurrencyCode
    livemode: bool
    status: InvoiceStatus | None  # type: ignore[valid-type]
    collection_method: CollectionMethod  # type: ignore[valid-type]
    amount_due: Money
    amount_paid: Money
    amount_remaining: Money
    created_at: DateTime
    paid_by: strawberry.Private[list[InvoicePayment]]

    @strawberry.field
    async def payments(self, first: int | None = None) -> InvoicePaymentConnection | None:
        return InvoicePaymentConnection(nodes=self.paid_by[: first or 20])


@strawberry.type
class InvoiceConnection:
    nodes: list[Invoice]


@strawberry.type
class InvoicePaymentEvent:
    cursor: EventCursor
    invoice_id: strawberry.ID
    type: EventType  # type: ignore[valid-type]
    occurred_at: DateTime
    current: strawberry.Private[Invoice]

    @strawberry.field
    async def invoice(self) -> Invoice | None:
        return self.current


@strawberry.type
class StreamCheckpoint:
    cursor: EventCursor
    live: bool


@strawberry.input
class InvoicePaymentEventFilter:
    invoice_ids: list[strawberry.ID] | None = None


StreamItem = Annotated[
    InvoicePaymentEvent | StreamCheckpoint, strawberry.union("InvoicePaymentStreamItem")
]


def money(value: dict | None) -> Money | None:
    return (
        None
        if value is None
        else Money(minor_units=value["minorUnits"], currency=value["currency"])
    )


def _intent(value: dict) -> PaymentIntent:
    return PaymentIntent(
        id=value["id"],
        description=value["description"],
        livemode=value["livemode"],
        status=PaymentIntentStatus[value["status"]],
        raw_status=value["rawStatus"],
        amount=money(value["amount"]),
        amount_received=money(value["amountReceived"]),
        customer_id=value["customerId"],
        created_at=value["createdAt"],
        canceled_at=value["canceledAt"],
    )


def _payment(value: dict) -> InvoicePayment:
    return InvoicePayment(
        id=value["id"],
        invoice_id=value["invoiceId"],
        source_id=value["sourceId"],
        is_default=value["isDefault"],
        status=InvoicePaymentStatus[value["status"]],
        raw_status=value["rawStatus"],
        amount_requested=money(value["amountRequested"]),
        amount_paid=money(value["amountPaid"]),
        source_type=PaymentSourceType[value["sourceType"]],
        created_at=value["createdAt"],
        paid_at=value["paidAt"],
        canceled_at=value["canceledAt"],
        intent=_intent(value["paymentIntent"]),
    )


def _invoice(value: dict) -> Invoice:
    return Invoice(
        id=value["id"],
        number=value["number"],
        description=value["description"],
        customer_name=value["customerName"],
        customer_email=value["customerEmail"],
        currency=value["currency"],
        livemode=value["livemode"],
        status=InvoiceStatus[value["status"]],
        collection_method=CollectionMethod[value["collectionMethod"]],
        amount_due=money(value["amountDue"]),
        amount_paid=money(value["amountPaid"]),
        amount_remaining=money(value["amountRemaining"]),
        created_at=value["createdAt"],
        paid_by=[_payment(one) for one in value["payments"]["nodes"]],
    )


OBJECTS = [_invoice(one) for one in INVOICES]
OBJECTS_BY_ID = {one.id: one for one in OBJECTS}
CHANGED = _invoice(EVENT["invoice"])
assert len(OBJECTS_BY_ID) == len(BY_ID)


@strawberry.type
class Query:
    @strawberry.field
    async def invoice(self, id: strawberry.ID) -> Invoice | None:
        return OBJECTS_BY_ID.get(id)

    @strawberry.field
    async def invoices(self, first: int | None = None) -> InvoiceConnection | None:
        return InvoiceConnection(nodes=OBJECTS[: first or 20])


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def invoice_payment_events(
        self, filter: InvoicePaymentEventFilter | None = None
    ) -> AsyncGenerator[StreamItem, None]:
        yield StreamCheckpoint(cursor=EventCursor("c"), live=True)
        async for number in listen(filter.invoice_ids if filter else None):
            yield InvoicePaymentEvent(
                cursor=EventCursor(f"c{number}"),
                invoice_id=strawberry.ID(invoice_id_of(number)),
                type=EventType[EVENT["type"]],
                occurred_at=DateTime(EVENT["occurredAt"]),
                current=CHANGED,
            )


def main() -> None:
    schema = strawberry.Schema(
        query=Query, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
    )
    app = web.Application()
    app.router.add_route("*", "/graphql", GraphQLView(schema=schema))
    app.router.add_post("/emit/{number}", emitting(publish))
    serve(app)


if __name__ == "__main__":
    main()
