"""Query, Mutation and Subscription put together, and the one Schema.

Query fields only look up what was loaded for them before execution began. Each mutation field
writes and then loads; the subscription loads for each event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig

from schema import payment_mutations as mutations
from schema.context import Info
from schema.credit_note import (
    CreditNote,
    CreditNoteInput,
    CreditNotePreview,
    credit_note_preview_need,
)
from schema.customer import Customer
from schema.fields import field, read_attribute, recognized
from schema.gateway_info import GatewayInfo, gateway_info
from schema.invoice import CollectionMethod, Invoice
from schema.invoice_payment import InvoicePayment, InvoicePaymentStatus
from schema.invoice_payment_event import (
    EVENTS_LIST_SIZE,
    InvoicePaymentEventConnection,
    InvoicePaymentEventFilter,
    InvoicePaymentStreamItem,
    event_filter,
    events_need,
    stream,
)
from schema.invoice_status import InvoiceStatus
from schema.limits import Cost, ListSize, list_size
from schema.needs import Loaded, Needs
from schema.node import Connection, Node, checked_id, id_need, node_needs, page_arguments
from schema.payment_intent import PaymentIntent
from schema.payment_record import Charge, PaymentRecord
from schema.permissions import require
from schema.ports import ALWAYS, ById, ListFilter, Listing, TimeRange, bad_input
from schema.scalars import SCALARS, DateTime, EventCursor
from schema.version import VERSION


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


def invoice_need(id: str) -> ById:
    return ById("Invoice", checked_id("Invoice", id, "id"))


def invoice_payment_need(id: str) -> ById:
    return ById("InvoicePayment", checked_id("InvoicePayment", id, "id"))


def payment_intent_need(id: str) -> ById:
    return ById("PaymentIntent", checked_id("PaymentIntent", id, "id"))


def customer_need(id: str) -> ById:
    return ById("Customer", checked_id("Customer", id, "id"))


def node_need(id: str) -> ById:
    return id_need(id, "id")


def nodes_need(ids: list[str]) -> tuple[ById, ...]:
    return node_needs(ids)


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


@strawberry.type(description="Everything that can be read.")
class Query:
    @field(
        "Any object by its id; what it is follows from the id's prefix.",
        needs=node_need,
    )
    @staticmethod
    def node(root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID) -> Node | None:
        require(info.context.viewer, "invoices:read")
        return root.child(node_need(id))  # type: ignore[no-any-return]

    @field(
        "Several objects at once, at most 50; a null where an id is unknown or not yours.",
        needs=nodes_need,
        directives=[ListSize(assumed_size=50)],
    )
    @staticmethod
    def nodes(
        root: strawberry.Parent[Loaded[Any]], info: Info, ids: list[strawberry.ID]
    ) -> list[Node | None] | None:
        require(info.context.viewer, "invoices:read")
        return [root.child(need) for need in nodes_need(ids)]  # type: ignore[arg-type]

    @field(
        "One invoice. NOT_FOUND when it is unknown or not yours.",
        needs=invoice_need,
    )
    @staticmethod
    def invoice(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> Invoice | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_need(id))  # type: ignore[no-any-return]

    @field(
        "Invoices, newest first.",
        needs=invoices_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def invoices(
        root: strawberry.Parent[Loaded[Any]],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: InvoiceFilter | None = None,
    ) -> Connection[Invoice] | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoices_need(first, after, last, before, filter))  # type: ignore[no-any-return]

    @field(
        "One invoice payment. NOT_FOUND when it is unknown, detached or not yours.",
        needs=invoice_payment_need,
    )
    @staticmethod
    def invoice_payment(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> InvoicePayment | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_payment_need(id))  # type: ignore[no-any-return]

    @field(
        "Invoice payments, newest first.",
        needs=invoice_payments_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def invoice_payments(
        root: strawberry.Parent[Loaded[Any]],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: InvoicePaymentFilter | None = None,
    ) -> Connection[InvoicePayment] | None:
        require(info.context.viewer, "invoices:read")
        return root.child(invoice_payments_need(first, after, last, before, filter))  # type: ignore[no-any-return]

    @field(
        "One PaymentIntent. NOT_FOUND when it is unknown or not yours.",
        needs=payment_intent_need,
    )
    @staticmethod
    def payment_intent(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> PaymentIntent | None:
        require(info.context.viewer, "invoices:read")
        return root.child(payment_intent_need(id))  # type: ignore[no-any-return]

    @field(
        "One customer. NOT_FOUND when it is unknown or not yours.",
        needs=customer_need,
    )
    @staticmethod
    def customer(
        root: strawberry.Parent[Loaded[Any]], info: Info, id: strawberry.ID
    ) -> Customer | None:
        require(info.context.viewer, "invoices:read")
        return root.child(customer_need(id))  # type: ignore[no-any-return]

    @field(
        "What a credit note would do, before it is issued. Writes nothing. Null, with "
        "an entry in errors that names the rule, when it would be refused.",
        needs=credit_note_preview_need,
    )
    @staticmethod
    def credit_note_preview(
        root: strawberry.Parent[Loaded[Any]], info: Info, input: CreditNoteInput
    ) -> CreditNotePreview | None:
        require(info.context.viewer, "invoices:read")
        return root.child(credit_note_preview_need(input))  # type: ignore[no-any-return]

    @field(
        "The payment event log, oldest first: same log and cursors as the "
        "subscription, for pollers, partners and catch-up. Without `after` it begins at the "
        "oldest event.",
        needs=events_need,
        directives=[EVENTS_LIST_SIZE],
    )
    @staticmethod
    def invoice_payment_events(
        root: strawberry.Parent[Loaded[Any]],
        first: int | None = 50,
        after: EventCursor | None = None,
        filter: InvoicePaymentEventFilter | None = None,
    ) -> InvoicePaymentEventConnection | None:
        return root.child(events_need(first, after, filter))  # type: ignore[no-any-return]

    @field("What this deployment is, and what it can do for this caller.")
    async def gateway(self, info: Info) -> GatewayInfo:
        context = info.context
        return gateway_info(
            VERSION, context.backend.describe(), context.viewer, await context.events.oldest()
        )


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    @field(
        "Attach a payment to an open invoice. It counts at once if it has already succeeded.",
        directives=[Cost(weight="10")],
    )
    async def attach_payment(
        self, info: Info, input: mutations.AttachPaymentInput
    ) -> mutations.AttachPaymentPayload | None:
        wanted = field_needs(info)
        return await mutations.attach_payment(info.context, input, wanted)  # type: ignore[return-value]

    @field(
        "Free a PaymentIntent from an invoice. A paid invoice reopens when a balance comes back.",
        directives=[Cost(weight="10")],
    )
    async def detach_payment(
        self, info: Info, input: mutations.DetachPaymentInput
    ) -> mutations.DetachPaymentPayload | None:
        wanted = field_needs(info)
        return await mutations.detach_payment(info.context, input, wanted)  # type: ignore[return-value]

    @field(
        "Issue a credit note: it first lowers what is still asked for, the rest is "
        "settled as the input says.",
        directives=[Cost(weight="10")],
    )
    async def create_credit_note(
        self, info: Info, input: mutations.CreateCreditNoteInput
    ) -> mutations.CreateCreditNotePayload | None:
        wanted = field_needs(info)
        return await mutations.create_credit_note(info.context, input, wanted)  # type: ignore[return-value]


@strawberry.type(description="Everything that can be listened to.")
class Subscription:
    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="Invoice payment events as they happen: first a checkpoint, then everything "
        "after `after`, then live. Nothing is delivered twice and nothing is left out in silence."
    )
    async def invoice_payment_events(
        self,
        info: Info,
        filter: InvoicePaymentEventFilter | None = None,
        after: EventCursor | None = None,
    ) -> AsyncGenerator[InvoicePaymentStreamItem, None]:
        start = after if after is not None else info.context.resume_after
        async for item in stream(info, event_filter(filter), start, field_needs(info)):
            yield item


def field_needs(info: Info) -> Needs:
    """The needs below the root field that is being resolved."""
    raw = info._raw_info
    return info.context.selection.of_field(raw.field_name, raw.parent_type, str(raw.path.key))


def _without_null_defaults(schema: GraphQLSchema) -> None:
    """Print `first: Int` and not `first: Int = null`, which clients would take for a value."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            inputs: list[GraphQLArgument | GraphQLInputField] = list(kind.fields.values())
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            inputs = [one for field in kind.fields.values() for one in field.args.values()]
        else:
            continue
        for one in inputs:
            if one.default_value is None:
                one.default_value = Undefined


def make_schema() -> strawberry.Schema:
    """The one schema; building it does no I/O."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            Charge,
            CreditNote,
            PaymentRecord,
            mutations.InputProblem,
            mutations.UpstreamProblem,
            mutations.StateProblem,
        ],
        config=StrawberryConfig(default_resolver=read_attribute, scalar_map=SCALARS),
    )
    _without_null_defaults(schema._schema)
    return schema
