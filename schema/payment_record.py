"""PaymentRecord and Charge: what else than a PaymentIntent can pay an invoice."""

from __future__ import annotations

from typing import Any

import strawberry

from schema import records
from schema.cost import Cost, list_size
from schema.fields import field, instant_field, is_record, optional_id_field, plain
from schema.money import amount_field
from schema.node import Connection, MetadataEntry, Node, metadata_entries
from schema.payment_intent import LazyInvoicePayment, invoice_payments_need
from schema.ports import Loaded


@strawberry.type(description="A payment made outside Stripe and reported to it.")
class PaymentRecord(Node):
    is_type_of = is_record(records.PaymentRecord)

    amount = amount_field("amount", "What was paid, as reported.")
    description: str | None = plain("Free text; null when there is none.")
    created_at = instant_field("created", "When it was reported.")
    customer_id = optional_id_field("customer_id", "Id of who paid; null when not reported.")

    @field("Stripe's metadata, possibly empty.")
    @staticmethod
    def metadata(parent: strawberry.Parent[Any]) -> list[MetadataEntry]:
        return metadata_entries(parent)

    @field(
        "The invoices it pays, newest first.",
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


@strawberry.type(description="A charge, where an old invoice payment points at one.")
class Charge(Node):
    is_type_of = is_record(records.Charge)

    amount = amount_field("amount", "What was charged.")
    created_at = instant_field("created", "When it was charged.")
