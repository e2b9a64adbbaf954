"""Invoice payment events: the log as a paged query and as a stream, with objects re-read.

An event carries ids; `invoice`, `invoicePayment` and `paymentIntent` are read when it is
delivered and are never older than the event. What is gone by then is null, without an error.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Union

import strawberry

from schema import ports
from schema.enums import spelling
from schema.fields import derived, enumerated, linked, optional, plain
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment, PaymentIntent
from schema.node import PageInfo, checked_id
from schema.ports import EventListing, Loaded, bad_input
from schema.scalars import DateTime, EventCursor

EVENTS_DEFAULT = 50
NOTHING: frozenset[str] = frozenset()
"""One for all filters: each stream holds its own, and Python makes an empty one anew each time."""
FILTER_IDS_MAX = 100
"""A filter is compared with every event; longer lists belong in several streams."""


@strawberry.enum(description="What happened to an invoice's payments.")
class InvoicePaymentEventType(enum.Enum):
    ATTACHED = strawberry.enum_value(
        "ATTACHED",
        description="A payment was attached: through this gateway, or elsewhere, as in Stripe's "
        "dashboard. Of the latter Stripe tells by thin events alone (v1.invoice_payment.open), as "
        "webhooks or by catch-up; an account without them shows it as INVOICE_CHANGED or PAID.",
    )
    PAID = strawberry.enum_value("PAID", description="An invoice payment turned paid.")
    DETACHED = strawberry.enum_value("DETACHED", description="A payment was taken off the invoice.")
    CANCELED = strawberry.enum_value(
        "CANCELED", description="An invoice payment was canceled, mostly with its PaymentIntent."
    )
    OVERPAID = strawberry.enum_value("OVERPAID", description="More came in than was asked for.")
    INVOICE_CHANGED = strawberry.enum_value(
        "INVOICE_CHANGED", description="Anything else about the invoice or its credit notes."
    )
    UNRECOGNIZED = strawberry.enum_value("UNRECOGNIZED", description="See rawType. Output only.")


@strawberry.enum(description="How the gateway came to know.")
class EventOrigin(enum.Enum):
    WEBHOOK = strawberry.enum_value(
        "WEBHOOK", description="Stripe told us, by a snapshot event or a thin one."
    )
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
    invoice_ids: list[strawberry.ID] | None = optional("Only events of these invoices.")
    customer_ids: list[strawberry.ID] | None = optional("Only events of these customers' invoices.")
    types: list[InvoicePaymentEventType] | None = optional("Only these types.")


def _checked_ids(kind: str, ids: Iterable[str] | None, argument: str) -> frozenset[str]:
    checked = frozenset(checked_id(kind, one, argument) for one in ids) if ids else NOTHING
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
        types=frozenset(spelling(one, "filter.types") for one in given.types or ()) or NOTHING,
    )


def events(
    first: int | None = EVENTS_DEFAULT,
    after: EventCursor | None = None,
    filter: InvoicePaymentEventFilter | None = None,
) -> EventListing:
    """The need of a page of the log. Raises `Failed` BAD_USER_INPUT."""
    size = EVENTS_DEFAULT if first is None else first
    if not 1 <= size <= ports.PAGE_SIZE_MAX:
        raise bad_input(f"first must be between 1 and {ports.PAGE_SIZE_MAX}, got {first}")
    return EventListing(size, after, event_filter(filter))


@strawberry.type(description="One entry of the payment event log.")
class InvoicePaymentEvent:
    cursor: EventCursor = plain("Its place in the log; give it as `after` to go on from here.")
    source_event_id: str | None = plain(
        "Upstream event id where there is one; equal ids are the same fact. Where Stripe tells one "
        "fact by two events, a snapshot event and a thin one, it is that of the first that came."
    )
    raw_type: str = plain(
        "Stripe's spelling, e.g. invoice_payment.detached; a thin event's begins with v1., what "
        "the gateway announces itself with gateway."
    )
    invoice_id: strawberry.ID = plain("The invoice.")
    customer_id: strawberry.ID | None = plain("Who is billed; null when nobody is.")
    invoice_payment_id: strawberry.ID | None = plain(
        "The payment, where there is one. Survives detach, when invoicePayment is null."
    )
    payment_intent_id: strawberry.ID | None = plain("The PaymentIntent, where there is one.")
    idempotency_key: str | None = plain(
        "Key of the mutation that caused it, so its own client can drop the echo. Only shown to "
        "that client."
    )
    type: InvoicePaymentEventType = enumerated(InvoicePaymentEventType, "What happened.")
    origin: EventOrigin = plain("How the gateway came to know.")
    occurred_at: DateTime = plain(
        "When it happened upstream. Order events by cursor, never by this."
    )
    invoice: Invoice | None = linked(
        "Current state, re-read at delivery and never older than this event: not the snapshot "
        "inside the webhook."
    )
    invoice_payment: InvoicePayment | None = linked("Current state; null once it is detached.")
    payment_intent: PaymentIntent | None = linked(
        "Current state; null where no intent is involved."
    )


@strawberry.type(
    description="First item of every stream, then a heartbeat on a quiet one: everything up to "
    "`cursor` has been delivered."
)
class StreamCheckpoint:
    cursor: EventCursor = plain("Where to resume from.")
    live: bool = plain("True once the backlog is through.")


@strawberry.type(
    description="History between the two positions is gone, was dropped or cannot be read: "
    "refetch, then go on from resumesAt. After SLOW_CONSUMER the operation completes."
)
class StreamGap:
    after: EventCursor | None = plain("The last position that was delivered or asked for, or null.")
    resumes_at: EventCursor = plain("Where the history goes on.")
    reason: StreamGapReason = plain("Why history is missing.")


InvoicePaymentStreamItem = Annotated[
    Union[InvoicePaymentEvent, StreamCheckpoint, StreamGap],  # noqa: UP007
    strawberry.union("InvoicePaymentStreamItem", description="One item of a live stream."),
]


@strawberry.type(description="One event with its place in the log.")
class InvoicePaymentEventEdge:
    node: InvoicePaymentEvent = plain("The event.")
    cursor: EventCursor = plain("The event's own place in the log.")


@dataclass(slots=True)
class EventsLoaded:
    """A page of the log with the objects of its events."""

    page: ports.EventPage
    items: list[Loaded[Any]]


def _edges(events: EventsLoaded) -> list[InvoicePaymentEventEdge]:
    items: list[Any] = events.items
    return [InvoicePaymentEventEdge(node=one, cursor=one.record.cursor) for one in items]


def _page_info(events: EventsLoaded) -> PageInfo:
    return PageInfo(
        has_next_page=events.page.has_next,
        has_previous_page=events.page.has_previous,
        start_cursor=events.items[0].record.cursor if events.items else None,
        end_cursor=events.page.end,
    )


@strawberry.type(description="One page of the log, oldest first.")
class InvoicePaymentEventConnection:
    edges: list[InvoicePaymentEventEdge] = derived(
        "The events of the page, each with its cursor.", _edges
    )
    nodes: list[InvoicePaymentEvent] = plain("The events of the page.", of="items")
    page_info: PageInfo = derived(
        "endCursor is never null: on an empty page it is where to go on from.", _page_info
    )
    gaps: list[StreamGap] = derived(
        "Where history is missing before endCursor, oldest first; mostly empty.",
        lambda events: events.page.gaps,
    )
