"""PaymentRecord and Charge: what else than a PaymentIntent can pay an invoice."""

from __future__ import annotations

import strawberry

from schema.fields import plain
from schema.money import Money, amount_field
from schema.node import Connection, MetadataEntry, Node, listed, metadata_field
from schema.payment_intent import LazyInvoicePayment
from schema.scalars import DateTime


@strawberry.type(description="A payment made outside Stripe and reported to it.")
class PaymentRecord(Node):
    description: str | None = plain("Free text; null when there is none.")
    amount: Money = amount_field("What was paid, as reported.")
    created_at: DateTime = plain("When it was reported.", of="created")
    customer_id: strawberry.ID | None = plain("Id of who paid; null when not reported.")
    metadata: list[MetadataEntry] = metadata_field()
    invoice_payments: Connection[LazyInvoicePayment] | None = listed(
        "The invoices it pays, newest first.", cost=2
    )


@strawberry.type(description="A charge, where an old invoice payment points at one.")
class Charge(Node):
    amount: Money = amount_field("What was charged.")
    created_at: DateTime = plain("When it was charged.", of="created")
