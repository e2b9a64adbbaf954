"""Filters of the root lists, and the needs that they become."""

from __future__ import annotations

import strawberry

from schema.fields import recognized
from schema.invoice import CollectionMethod
from schema.invoice_payment import InvoicePaymentStatus
from schema.invoice_status import InvoiceStatus
from schema.node import checked_id, page_arguments
from schema.ports import ALWAYS, ListFilter, Listing, TimeRange, bad_input
from schema.scalars import DateTime


@strawberry.input(description="A range of instants, both ends included.")
class TimeRangeInput:
    start: DateTime | None = strawberry.field(
        default=None, name="from", description="From this instant on; open when left out."
    )
    end: DateTime | None = strawberry.field(
        default=None, name="to", description="Up to this instant; open when left out."
    )


TimeRangeInput.__strawberry_definition__.name = "TimeRange"  # type: ignore[attr-defined]


@strawberry.input(description="Which invoices are wanted; all that is given must hold.")
class InvoiceFilter:
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only this customer's."
    )
    status: InvoiceStatus | None = strawberry.field(default=None, description="Only in this state.")
    collection_method: CollectionMethod | None = strawberry.field(
        default=None, description="Only collected this way."
    )
    subscription_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only of this subscription (sub_)."
    )
    created: TimeRangeInput | None = strawberry.field(
        default=None, description="Only created in this range."
    )
    due: TimeRangeInput | None = strawberry.field(
        default=None,
        description="Only due in this range; invoices without a due date are left out.",
    )


@strawberry.input(
    description="Which invoice payments are wanted. Callers restricted to customers must give one "
    "of the three ids: Stripe cannot filter payments by customer."
)
class InvoicePaymentFilter:
    invoice_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only of this invoice."
    )
    payment_intent_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only by this PaymentIntent."
    )
    payment_record_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only by this payment record."
    )
    status: InvoicePaymentStatus | None = strawberry.field(
        default=None, description="Only in this state."
    )
    created: TimeRangeInput | None = strawberry.field(
        default=None, description="Only attached in this range."
    )


def _range(given: TimeRangeInput | None, argument: str) -> TimeRange:
    if given is None:
        return ALWAYS
    if given.start is not None and given.end is not None and given.start > given.end:
        raise bad_input(f"{argument}.from must not lie after {argument}.to")
    return TimeRange(given.start, given.end)


def _checked_subscription(value: str) -> str:
    if not value.startswith("sub_") or not value.replace("_", "").isalnum():
        raise bad_input(
            f"filter.subscriptionId must be the id of one subscription (sub_), got {value!r:.60}"
        )
    return value


def invoices_need(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: InvoiceFilter | None = None,
) -> Listing:
    page = page_arguments(first, after, last, before)
    if filter is None:
        return Listing("invoices", page)
    where = ListFilter(
        customer_id=filter.customer_id
        and checked_id("Customer", filter.customer_id, "filter.customerId"),
        statuses=() if filter.status is None else (recognized(filter.status, "filter.status"),),
        collection_method=filter.collection_method
        and recognized(filter.collection_method, "filter.collectionMethod"),
        subscription_id=filter.subscription_id and _checked_subscription(filter.subscription_id),
        created=_range(filter.created, "filter.created"),
        due=_range(filter.due, "filter.due"),
    )
    return Listing("invoices", page, where)


def invoice_payments_need(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: InvoicePaymentFilter | None = None,
) -> Listing:
    page = page_arguments(first, after, last, before)
    if filter is None:
        return Listing("invoice_payments", page)
    if filter.payment_intent_id and filter.payment_record_id:
        raise bad_input("filter: give paymentIntentId or paymentRecordId, a payment has one source")
    where = ListFilter(
        invoice_id=filter.invoice_id
        and checked_id("Invoice", filter.invoice_id, "filter.invoiceId"),
        payment_intent_id=filter.payment_intent_id
        and checked_id("PaymentIntent", filter.payment_intent_id, "filter.paymentIntentId"),
        payment_record_id=filter.payment_record_id
        and checked_id("PaymentRecord", filter.payment_record_id, "filter.paymentRecordId"),
        statuses=() if filter.status is None else (recognized(filter.status, "filter.status"),),
        created=_range(filter.created, "filter.created"),
    )
    return Listing("invoice_payments", page, where)
