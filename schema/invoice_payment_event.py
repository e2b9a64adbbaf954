"""Invoice payment events: the log as a paged query and as a stream, with objects re-read.

An event carries ids; `invoice`, `invoicePayment` and `paymentIntent` are read when it is
delivered and are never older than the event. What is gone by then is null, without an error.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated, Any, Union

import strawberry

from schema import ports
from schema.cost import list_size
from schema.fields import field, instant_field, plain, recognize, recognized
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment
from schema.node import PageInfo, checked_id
from schema.payment_intent import PaymentIntent
from schema.ports import EventListing, Link, Loaded, bad_input
from schema.scalars import EventCursor

INVOICE = Link("invoice")


INVOICE_PAYMENT = Link("invoice_payment")


PAYMENT_INTENT = Link("payment_intent")


EVENTS_DEFAULT = 50


FILTER_IDS_MAX = 100
"""A filter is compared with every event; longer lists belong in several streams."""


@strawberry.enum(description="What happened to an invoice's payments.")
class InvoicePaymentEventType(enum.Enum):
    ATTACHED = strawberry.enum_value(
        "ATTACHED",
        description="Attached through this gateway. Stripe has no such event: attaching elsewhere "
        "shows as INVOICE_CHANGED or PAID.",
    )
    PAID = strawberry.enum_value("PAID", description="An invoice payment turned paid.")
    DETACHED = strawberry.enum_value("DETACHED", description="A payment was taken off the invoice.")
    CANCELED = strawberry.enum_value("CANCELED", description="Its PaymentIntent was canceled.")
    OVERPAID = strawberry.enum_value("OVERPAID", description="More came in than was asked for.")
    INVOICE_CHANGED = strawberry.enum_value(
        "INVOICE_CHANGED", description="Anything else about the invoice or its credit notes."
    )
    UNRECOGNIZED = strawberry.enum_value("UNRECOGNIZED", description="See rawType. Output only.")


@strawberry.enum(description="How the gateway came to know.")
class EventOrigin(enum.Enum):
    WEBHOOK = strawberry.enum_value("WEBHOOK", description="Stripe told us.")
    MUTATION = strawberry.enum_value("MUTATION", description="Done through this gateway.")
    RECONCILED = strawberry.enum_value("RECONCILED", description="Found while catching up.")


@strawberry.enum(description="Why history is missing.")
class StreamGapReason(enum.Enum):
    RETENTION = strawberry.enum_value("RETENTION", description="Older than what the log keeps.")
    SLOW_CONSUMER = strawberry.enum_value(
        "SLOW_CONSUMER", description="The reader fell behind; the operation completes after this."
    )
    UNKNOWN_CURSOR = strawberry.enum_value(
        "UNKNOWN_CURSOR", description="The cursor belongs to another log."
    )
    UNREADABLE = strawberry.enum_value(
        "UNREADABLE",
        description="Written by a newer release than the one that answers. It is not lost: once "
        "the upgrade is through, `after` brings it.",
    )


@strawberry.input(description="Which events are wanted; the three restrict together.")
class InvoicePaymentEventFilter:
    invoice_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only events of these invoices."
    )
    customer_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Only events of these customers' invoices."
    )
    types: list[InvoicePaymentEventType] | None = strawberry.field(
        default=None, description="Only these types."
    )


def _checked_ids(kind: str, ids: Iterable[str] | None, argument: str) -> frozenset[str]:
    checked = frozenset(checked_id(kind, one, argument) for one in ids or ())
    if len(checked) > FILTER_IDS_MAX:
        raise bad_input(f"{argument} must name at most {FILTER_IDS_MAX} objects")
    return checked


def event_filter(given: InvoicePaymentEventFilter | None) -> ports.EventFilter:
    """The port's filter. Raises `Failed` BAD_USER_INPUT."""
    if given is None:
        return ports.EventFilter()
    return ports.EventFilter(
        invoice_ids=_checked_ids("Invoice", given.invoice_ids, "filter.invoiceIds"),
        customer_ids=_checked_ids("Customer", given.customer_ids, "filter.customerIds"),
        types=frozenset(recognized(one, "filter.types") for one in given.types or ()),
    )


def events_need(
    first: int | None = None,
    after: str | None = None,
    filter: InvoicePaymentEventFilter | None = None,
) -> EventListing:
    size = EVENTS_DEFAULT if first is None else first
    if not 1 <= size <= ports.PAGE_SIZE_MAX:
        raise bad_input(f"first must be between 1 and {ports.PAGE_SIZE_MAX}, got {first}")
    return EventListing(size, after, event_filter(filter))


def invoice_link() -> Link:
    return INVOICE


def invoice_payment_link() -> Link:
    return INVOICE_PAYMENT


def payment_intent_link() -> Link:
    return PAYMENT_INTENT


def is_event(value: Any, _info: Any) -> bool:
    return isinstance(value, Loaded) and isinstance(value.record, ports.InvoicePaymentEvent)


@strawberry.type(description="One entry of the payment event log.")
class InvoicePaymentEvent:
    is_type_of = is_event

    cursor: EventCursor = plain("Its place in the log; give it as `after` to go on from here.")
    source_event_id: str | None = plain(
        "Upstream event id where there is one; equal ids are the same fact."
    )

    @field("What happened.")
    @staticmethod
    def type(parent: strawberry.Parent[Any]) -> InvoicePaymentEventType:
        return recognize(InvoicePaymentEventType, parent.record.type)

    raw_type: str = plain(
        "Stripe's spelling, e.g. invoice_payment.detached; what the gateway announces itself "
        "begins with gateway."
    )

    @field("How the gateway came to know.")
    @staticmethod
    def origin(parent: strawberry.Parent[Any]) -> EventOrigin:
        return EventOrigin(parent.record.origin)

    occurred_at = instant_field(
        "occurred_at", "When it happened upstream. Order events by cursor, never by this."
    )
    invoice_id: strawberry.ID = plain("The invoice.")
    customer_id: strawberry.ID | None = plain("Who is billed; null when nobody is.")
    invoice_payment_id: strawberry.ID | None = plain(
        "The payment, where there is one. Survives detach, when invoicePayment is null."
    )
    payment_intent_id: strawberry.ID | None = plain("The PaymentIntent, where there is one.")

    @field(
        "Current state, re-read at delivery and never older than this event: not the "
        "snapshot inside the webhook.",
        needs=invoice_link,
    )
    @staticmethod
    def invoice(parent: strawberry.Parent[Loaded[Any]]) -> Invoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    @field("Current state; null once it is detached.", needs=invoice_payment_link)
    @staticmethod
    def invoice_payment(parent: strawberry.Parent[Loaded[Any]]) -> InvoicePayment | None:
        return parent.child(INVOICE_PAYMENT)  # type: ignore[no-any-return]

    @field(
        "Current state; null where no intent is involved.",
        needs=payment_intent_link,
    )
    @staticmethod
    def payment_intent(parent: strawberry.Parent[Loaded[Any]]) -> PaymentIntent | None:
        return parent.child(PAYMENT_INTENT)  # type: ignore[no-any-return]

    idempotency_key: str | None = plain(
        "Key of the mutation that caused it, so its own client can drop the echo. Only shown to "
        "that client."
    )


@strawberry.type(
    description="First item of every stream, then a heartbeat on a quiet one: everything up to "
    "`cursor` has been delivered."
)
class StreamCheckpoint:
    cursor: EventCursor = plain("Where to resume from.")
    live: bool = plain("True once the backlog is through.")

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, ports.StreamCheckpoint)


@strawberry.type(
    description="History between the two positions is gone, was dropped or cannot be read: "
    "refetch, then go on from resumesAt. After SLOW_CONSUMER the operation completes."
)
class StreamGap:
    after: EventCursor | None = plain("The last position that was delivered or asked for, or null.")
    resumes_at: EventCursor = plain("Where the history goes on.")

    @field("Why history is missing.")
    @staticmethod
    def reason(parent: strawberry.Parent[Any]) -> StreamGapReason:
        return StreamGapReason(parent.reason)

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, ports.StreamGap)


InvoicePaymentStreamItem = Annotated[
    Union[InvoicePaymentEvent, StreamCheckpoint, StreamGap],  # noqa: UP007
    strawberry.union("InvoicePaymentStreamItem", description="One item of a live stream."),
]


@strawberry.type(description="One event with its place in the log.")
class InvoicePaymentEventEdge:
    node: InvoicePaymentEvent = plain("The event.")
    cursor: EventCursor = plain("The event's own place in the log.")


@strawberry.type(description="One page of the log, oldest first.")
class InvoicePaymentEventConnection:
    @field("The events of the page, each with its cursor.")
    @staticmethod
    def edges(page: strawberry.Parent[Any]) -> list[InvoicePaymentEventEdge]:
        return [
            InvoicePaymentEventEdge(node=event, cursor=event.record.cursor) for event in page.items
        ]

    @field("The events of the page.")
    @staticmethod
    def nodes(page: strawberry.Parent[Any]) -> list[InvoicePaymentEvent]:
        return page.items  # type: ignore[no-any-return]

    @field("endCursor is never null: on an empty page it is where to go on from.")
    @staticmethod
    def page_info(page: strawberry.Parent[Any]) -> PageInfo:
        return PageInfo(
            has_next_page=page.page.has_next,
            has_previous_page=page.page.has_previous,
            start_cursor=page.items[0].record.cursor if page.items else None,
            end_cursor=page.page.end,
        )

    @field("Where history is missing before endCursor, oldest first; mostly empty.")
    @staticmethod
    def gaps(page: strawberry.Parent[Any]) -> list[StreamGap]:
        return list(page.page.gaps)


class EventsLoaded:
    """A page of the log with the objects of its events."""

    def __init__(self, page: ports.EventPage, items: list[Loaded[Any]]) -> None:
        self.page = page
        self.items = items


EVENTS_LIST_SIZE = list_size("first", assumed=EVENTS_DEFAULT)
