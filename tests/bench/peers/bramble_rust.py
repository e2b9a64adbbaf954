"""bramble-graphql: Rust parses and validates, Python executes. Queries alone.

It has no adapter for aiohttp, so a handler calls its schema; annotations are no texts, which it
refuses.
"""

import enum
from typing import NewType

import bramble
import orjson
from aiohttp import web
from bramble.schema.config import SchemaConfig

from tests.bench.peers.world import BY_ID, INVOICES, serve

CurrencyCode = NewType("CurrencyCode", str)
DateTime = NewType("DateTime", str)
MinorUnits = NewType("MinorUnits", int)

SCALARS = {kind: bramble.scalar(name=kind.__name__, serialize=lambda value: value)
           for kind in (CurrencyCode, DateTime, MinorUnits)}  # fmt: skip


def enumeration(name: str, members: str) -> type[enum.Enum]:
    made = enum.Enum(name, {one: one for one in (*members.split(), "UNRECOGNIZED")})
    return bramble.enum(made)


InvoiceStatus = enumeration("InvoiceStatus", "DRAFT OPEN PAID UNCOLLECTIBLE VOID")
CollectionMethod = enumeration("CollectionMethod", "CHARGE_AUTOMATICALLY SEND_INVOICE")
InvoicePaymentStatus = enumeration("InvoicePaymentStatus", "OPEN PAID CANCELED")
PaymentSourceType = enumeration("PaymentSourceType", "PAYMENT_INTENT PAYMENT_RECORD CHARGE")
PaymentIntentStatus = enumeration(
    "PaymentIntentStatus",
    "REQUIRES_PAYMENT_METHOD REQUIRES_CONFIRMATION REQUIRES_ACTION PROCESSING REQUIRES_CAPTURE "
    "CANCELED SUCCEEDED",
)


@bramble.type
class Money:
    minor_units: MinorUnits
    currency: CurrencyCode


@bramble.type
class PaymentIntent:
    id: bramble.ID
    description: str | None
    livemode: bool
    status: PaymentIntentStatus  # type: ignore[valid-type]
    raw_status: str
    amount: Money
    amount_received: Money
    customer_id: bramble.ID | None
    created_at: DateTime
    canceled_at: DateTime | None


@bramble.type
class InvoicePayment:
    id: bramble.ID
    invoice_id: bramble.ID
    source_id: bramble.ID
    is_default: bool
    status: InvoicePaymentStatus  # type: ignore[valid-type]
    raw_status: str
    amount_requested: Money
    amount_paid: Money | None
    source_type: PaymentSourceType  # type: ignore[valid-type]
    created_at: DateTime
    paid_at: DateTime | None
    canceled_at: DateTime | None
    intent: bramble.Private[PaymentIntent | None]

    @bramble.field
    async def payment_intent(self: bramble.Parent["InvoicePayment"]) -> PaymentIntent | None:
        return self.intent


@bramble.type
class InvoicePaymentConnection:
    nodes: list[InvoicePayment]


@bramble.type
class Invoice:
    id: bramble.ID
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
    paid_by: bramble.Private[list[InvoicePayment]]

    @bramble.field
    async def payments(
        self: bramble.Parent["Invoice"], first: int | None = None
    ) -> InvoicePaymentConnection | None:
        return InvoicePaymentConnection(nodes=self.paid_by[: first or 20])


@bramble.type
class InvoiceConnection:
    nodes: list[Invoice]


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
assert len(OBJECTS_BY_ID) == len(BY_ID)


@bramble.type
class Query:
    @bramble.field
    async def invoice(id: bramble.ID) -> Invoice | None:  # noqa: N805 - there is no parent.
        return OBJECTS_BY_ID.get(id)

    @bramble.field
    async def invoices(first: int | None = None) -> InvoiceConnection | None:  # noqa: N805
        return InvoiceConnection(nodes=OBJECTS[: first or 20])


def main() -> None:
    schema = bramble.Schema(query=Query, config=SchemaConfig(scalar_map=SCALARS))

    async def answered(request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        answer = await schema.execute_async(asked["query"], variable_values=asked["variables"])
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    app = web.Application()
    app.router.add_post("/graphql", answered)
    serve(app)


if __name__ == "__main__":
    main()
