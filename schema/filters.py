"""Filters of the root lists, and the needs that they become."""

import enum
import re

import strawberry

from schema.enums import CollectionMethod, InvoicePaymentStatus, InvoiceStatus, spelling
from schema.fields import optional
from schema.node import ID_LENGTH_MAX, optional_id, page_arguments
from schema.ports import ALWAYS, ListFilter, Listing, TimeRange, bad_input
from schema.scalars import DateTime


@strawberry.input(name="TimeRange", description="A range of instants, both ends included.")
class TimeRangeInput:
    start: DateTime | None = strawberry.field(
        default=None, name="from", description="From this instant on; open when left out."
    )
    end: DateTime | None = strawberry.field(
        default=None, name="to", description="Up to this instant; open when left out."
    )


@strawberry.input(description="Which invoices are wanted; all that is given must hold.")
class InvoiceFilter:
    customer_id: strawberry.ID | None = optional("Only this customer's.")
    status: InvoiceStatus | None = optional("Only in this state.")
    collection_method: CollectionMethod | None = optional("Only collected this way.")
    subscription_id: strawberry.ID | None = optional("Only of this subscription (sub_).")
    created: TimeRangeInput | None = optional("Only created in this range.")
    due: TimeRangeInput | None = optional(
        "Only due in this range; invoices without a due date are left out."
    )


@strawberry.input(
    description="Which invoice payments are wanted. Callers restricted to customers must give one "
    "of the three ids: Stripe cannot filter payments by customer."
)
class InvoicePaymentFilter:
    invoice_id: strawberry.ID | None = optional("Only of this invoice.")
    payment_intent_id: strawberry.ID | None = optional("Only by this PaymentIntent.")
    payment_record_id: strawberry.ID | None = optional("Only by this payment record.")
    status: InvoicePaymentStatus | None = optional("Only in this state.")
    created: TimeRangeInput | None = optional("Only attached in this range.")


_SUBSCRIPTION = re.compile(rf"sub_[A-Za-z0-9_]{{1,{ID_LENGTH_MAX - 4}}}", re.ASCII)


def _range(given: TimeRangeInput | None, argument: str) -> TimeRange:
    if given is None:
        return ALWAYS
    if given.start is not None and given.end is not None and given.start > given.end:
        raise bad_input(f"{argument}.from must not lie after {argument}.to")
    return TimeRange(given.start, given.end)


def _subscription(value: str | None) -> str | None:
    if value is None or _SUBSCRIPTION.fullmatch(value):
        return value
    raise bad_input(
        f"filter.subscriptionId must be the id of one subscription (sub_), got {value!r:.60}"
    )


def _spelling(value: enum.Enum | None, argument: str) -> str | None:
    return None if value is None else spelling(value, argument)


def invoices(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: InvoiceFilter | None = None,
) -> Listing:
    """The need of a page of all invoices. Raises `Failed` BAD_USER_INPUT."""
    page = page_arguments(first, after, last, before)
    if filter is None:
        return Listing("invoices", page)
    status = _spelling(filter.status, "filter.status")
    where = ListFilter(
        customer_id=optional_id("Customer", filter.customer_id, "filter.customerId"),
        statuses=() if status is None else (status,),
        collection_method=_spelling(filter.collection_method, "filter.collectionMethod"),
        subscription_id=_subscription(filter.subscription_id),
        created=_range(filter.created, "filter.created"),
        due=_range(filter.due, "filter.due"),
    )
    return Listing("invoices", page, where)


def invoice_payments(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: InvoicePaymentFilter | None = None,
) -> Listing:
    """The need of a page of all invoice payments. Raises `Failed` BAD_USER_INPUT."""
    page = page_arguments(first, after, last, before)
    if filter is None:
        return Listing("invoice_payments", page)
    intent, record = filter.payment_intent_id, filter.payment_record_id
    if intent is not None and record is not None:
        raise bad_input("filter: give paymentIntentId or paymentRecordId, a payment has one source")
    status = _spelling(filter.status, "filter.status")
    where = ListFilter(
        invoice_id=optional_id("Invoice", filter.invoice_id, "filter.invoiceId"),
        payment_intent_id=optional_id("PaymentIntent", intent, "filter.paymentIntentId"),
        payment_record_id=optional_id("PaymentRecord", record, "filter.paymentRecordId"),
        statuses=() if status is None else (status,),
        created=_range(filter.created, "filter.created"),
    )
    return Listing("invoice_payments", page, where)
