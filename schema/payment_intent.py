"""PaymentIntent: Stripe's attempt to collect one amount, and the invoices that it pays."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from schema import records
from schema.cost import Cost, list_size
from schema.customer import Customer
from schema.fields import (
    field,
    instant_field,
    is_record,
    optional_id_field,
    optional_instant_field,
    plain,
    recognize,
)
from schema.money import amount_field
from schema.node import Connection, MetadataEntry, Node, metadata_entries, page_arguments
from schema.ports import Link, Listing, Loaded

if TYPE_CHECKING:
    from schema.invoice_payment import InvoicePayment

LazyInvoicePayment = Annotated["InvoicePayment", strawberry.lazy("schema.invoice_payment")]

CUSTOMER = Link("customer")


@strawberry.enum(description="How far a PaymentIntent has come; Stripe's own states.")
class PaymentIntentStatus(enum.Enum):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    UNRECOGNIZED = "UNRECOGNIZED"


def customer_need() -> Link:
    return CUSTOMER


def invoice_payments_need(first: int | None = None, after: str | None = None) -> Listing:
    return Listing("invoice_payments", page_arguments(first, after))


@strawberry.type(description="Stripe's attempt to collect one amount.")
class PaymentIntent(Node):
    is_type_of = is_record(records.PaymentIntent)

    @field("How far it has come. UNRECOGNIZED: see rawStatus.")
    @staticmethod
    def status(parent: strawberry.Parent[Any]) -> PaymentIntentStatus:
        return recognize(PaymentIntentStatus, parent.record.status)

    @field("Stripe's spelling of the status.")
    @staticmethod
    def raw_status(parent: strawberry.Parent[Any]) -> str:
        return str(parent.record.status)

    amount = amount_field("amount", "What it is meant to collect.")
    amount_received = amount_field(
        "amount_received", "What it has collected; zero until it succeeds or is captured."
    )

    @field(
        "Who pays; null when there is none, or, with an entry in errors, when only "
        "this fetch failed.",
        needs=customer_need,
    )
    @staticmethod
    def customer(parent: strawberry.Parent[Loaded[Any]]) -> Customer | None:
        return parent.child(CUSTOMER)  # type: ignore[no-any-return]

    customer_id = optional_id_field("customer_id", "Id of who pays; null when there is none.")
    description: str | None = plain("Free text; null when there is none.")
    created_at = instant_field("created", "When it was created.")
    canceled_at = optional_instant_field("canceled_at", "Null unless it was canceled.")
    livemode: bool = plain("False in Stripe's test mode.")

    @field("Stripe's metadata, possibly empty.")
    @staticmethod
    def metadata(parent: strawberry.Parent[Any]) -> list[MetadataEntry]:
        return metadata_entries(parent)

    @field(
        "The invoices it pays, newest first: the link that left the REST object in "
        "2025-03-31. A list, because one intent can pay several invoices.",
        needs=invoice_payments_need,
        directives=[Cost(weight="2"), list_size("first")],
    )
    @staticmethod
    def invoice_payments(
        parent: strawberry.Parent[Loaded[Any]],
        first: int | None = 10,
        after: str | None = None,
    ) -> Connection[LazyInvoicePayment] | None:
        return parent.child(invoice_payments_need(first, after))  # type: ignore[no-any-return]
