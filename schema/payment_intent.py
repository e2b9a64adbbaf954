"""PaymentIntent: Stripe's attempt to collect one amount, and the invoices that it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.customer import Customer
from schema.enums import PaymentIntentStatus
from schema.fields import enumerated, linked, plain
from schema.money import Money, amount_field
from schema.node import Connection, MetadataEntry, Node, listed, metadata_field
from schema.scalars import DateTime

if TYPE_CHECKING:
    from schema.invoice_payment import InvoicePayment

LazyInvoicePayment = Annotated["InvoicePayment", strawberry.lazy("schema.invoice_payment")]


@strawberry.type(description="Stripe's attempt to collect one amount.")
class PaymentIntent(Node):
    description: str | None = plain("Free text; null when there is none.")
    livemode: bool = plain("False in Stripe's test mode.")
    status: PaymentIntentStatus = enumerated(
        PaymentIntentStatus, "How far it has come. UNRECOGNIZED: see rawStatus."
    )
    raw_status: str = plain("Stripe's spelling of the status.", of="status")
    amount: Money = amount_field("What it is meant to collect.")
    amount_received: Money = amount_field(
        "What it has collected; zero until it succeeds or is captured."
    )
    customer: Customer | None = linked(
        "Who pays; null when there is none, or, with an entry in errors, when only this fetch "
        "failed."
    )
    customer_id: strawberry.ID | None = plain("Id of who pays; null when there is none.")
    created_at: DateTime = plain("When it was created.", of="created")
    canceled_at: DateTime | None = plain("Null unless it was canceled.")
    metadata: list[MetadataEntry] = metadata_field()
    invoice_payments: Connection[LazyInvoicePayment] | None = listed(
        "The invoices it pays, newest first: the link that left the REST object in "
        "2025-03-31. A list, because one intent can pay several invoices.",
        cost=2,
    )
