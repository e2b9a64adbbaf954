"""Query, and with Mutation and Subscription the one Schema.

Query is everything that can be read. Its fields only look up what was loaded for them before
execution began.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from schema import VERSION, filters
from schema.context import Info
from schema.cost import ListSize, price_fields
from schema.credit_note import CreditNote, CreditNotePreview, credit_note_preview
from schema.customer import Customer
from schema.event_loading import Subscription
from schema.fields import field, loaded, plain
from schema.invoice import Invoice
from schema.invoice_payment import (
    Charge,
    InvoicePayment,
    PaymentIntent,
    PaymentRecord,
    ReallocationPreview,
    reallocation_preview,
)
from schema.invoice_payment_event import InvoicePaymentEventConnection, events
from schema.node import Connection, Node, checked_id, id_need, listed
from schema.payloads import InputProblem, StateProblem, UpstreamProblem, problem_type
from schema.payment_mutations import Mutation
from schema.ports import (
    NODES_MAX,
    BackendKind,
    ById,
    Capability,
    Loaded,
    Refused,
    bad_input,
)
from schema.scalars import SCALARS, DateTime, EventCursor

READ = "invoices:read"

strawberry.enum(BackendKind, description="What supplies the answers.")
strawberry.enum(Capability, description="Something that a deployment may or may not be able to do.")

SCOPE_OF: dict[Capability, str] = {
    Capability.ATTACH_PAYMENT_INTENT: "payments:write",
    Capability.ATTACH_PAYMENT_RECORD: "payments:write",
    Capability.ATTACH_OUT_OF_BAND: "payments:write",
    Capability.DETACH: "payments:write",
    Capability.CREDIT_NOTE: "credit_notes:write",
    Capability.EVENT_REPLAY: "events:read",
}


@strawberry.type(description="What this deployment is, and what it can do for this caller.")
class GatewayInfo:
    version: str = plain("Version of the gateway.")
    backend: BackendKind = plain("What supplies the answers.")
    livemode: bool = plain("True when real money moves.")
    stripe_api_version: str | None = plain("The pinned Stripe-Version; null with MEMORY.")
    capabilities: list[Capability] = plain(
        "What this deployment and this caller can really do; hide the button instead of failing "
        "the click."
    )
    scopes: list[str] = plain("The rights of this caller.")
    oldest_event_cursor: EventCursor | None = plain(
        "How far back EventCursor can resume; null while the log is empty."
    )
    last_complete_catch_up: DateTime | None = plain(
        "Up to when all that Stripe lists of events is known to be in the log, whether or not a "
        "webhook came. Moves with each run of catch-up; null before the first that came to its "
        "end, and with MEMORY. A list that the account or its key may not read does not count."
    )


def _of_any_kind(id: strawberry.ID) -> ById:
    return id_need(id, "id")


def _several(ids: list[strawberry.ID]) -> tuple[ById, ...]:
    """In the order of the ids."""
    if len(ids) > NODES_MAX:
        raise bad_input(f"ids must be at most {NODES_MAX} at a time, got {len(ids)}")
    return tuple(id_need(value, f"ids[{at}]", quiet=True) for at, value in enumerate(ids))


def _one(kind: str) -> Callable[..., ById]:
    def by_id(id: strawberry.ID) -> ById:
        return ById(kind, checked_id(kind, id, "id"))

    return by_id


def found(kind: str, description: str) -> Any:
    """A field that shows the object of this kind that has the given id."""
    return loaded(description, _one(kind), scope=READ)


@strawberry.type(description="Everything that can be read.")
class Query:
    node: Node | None = loaded(
        "Any object by its id; what it is follows from the id's prefix.", _of_any_kind, scope=READ
    )
    nodes: list[Node | None] | None = loaded(
        "Several objects at once, at most 50; a null where an id is unknown or not yours.",
        _several,
        size=ListSize(
            assumed_size=NODES_MAX, slicing_arguments=["ids"], require_one_slicing_argument=False
        ),
        scope=READ,
    )
    invoice: Invoice | None = found(
        "Invoice", "One invoice. NOT_FOUND when it is unknown or not yours."
    )
    invoices: Connection[Invoice] | None = listed(
        "Invoices, newest first.", filters.invoices, scope=READ
    )
    invoice_payment: InvoicePayment | None = found(
        "InvoicePayment",
        "One invoice payment. NOT_FOUND when it is unknown, detached or not yours.",
    )
    invoice_payments: Connection[InvoicePayment] | None = listed(
        "Invoice payments, newest first.", filters.invoice_payments, scope=READ
    )
    payment_intent: PaymentIntent | None = found(
        "PaymentIntent", "One PaymentIntent. NOT_FOUND when it is unknown or not yours."
    )
    customer: Customer | None = found(
        "Customer", "One customer. NOT_FOUND when it is unknown or not yours."
    )
    credit_note_preview: CreditNotePreview | None = loaded(
        "What a credit note would do, before it is issued. Writes nothing. Null, with an entry in "
        "errors that names the rule, when it would be refused.",
        credit_note_preview,
        scope=READ,
    )
    reallocation_preview: ReallocationPreview | None = loaded(
        "May a PaymentIntent be moved from one invoice to another now, and what would follow? "
        "Writes nothing, and reads both invoices anew. NOT_FOUND when one of the three is unknown "
        "or not yours.",
        reallocation_preview,
        scope=READ,
    )
    invoice_payment_events: InvoicePaymentEventConnection | None = listed(
        "The payment event log, oldest first: same log and cursors as the subscription, for "
        "pollers, partners and catch-up. Without `after` it begins at the oldest event.",
        events,
    )

    @field("What this deployment is, and what it can do for this caller.")
    async def gateway(self, info: Info) -> GatewayInfo:
        description, viewer = info.context.reads.describe(), info.context.viewer
        events = info.context.events
        oldest, complete = await events.oldest(), await events.last_complete()
        return GatewayInfo(
            version=VERSION,
            backend=description.kind,
            livemode=description.livemode,
            stripe_api_version=description.stripe_api_version,
            capabilities=[
                one
                for one in Capability
                if one in description.capabilities and viewer.may(SCOPE_OF[one])
            ],
            scopes=sorted(viewer.scopes),
            oldest_event_cursor=None if oldest is None else EventCursor(oldest),
            last_complete_catch_up=None if complete is None else DateTime(complete),
        )


def type_of(value: Any, *_: object) -> str:
    """The GraphQL type of an object is named as the class of its record is; a refusal's is said
    by its code."""
    record = value.record if type(value) is Loaded else value
    return problem_type(record.code) if type(record) is Refused else type(record).__name__


def _finish(kind: GraphQLNamedType) -> None:
    """What Strawberry makes otherwise: types are known by their records alone, and it is printed
    `first: Int` and not `first: Int = null`, which clients would take for a value.
    """
    inputs: list[GraphQLArgument | GraphQLInputField] = []
    if isinstance(kind, GraphQLInputObjectType):
        inputs = list(kind.fields.values())
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        inputs = [one for field in kind.fields.values() for one in field.args.values()]
    for one in inputs:
        if one.default_value is None:
            one.default_value = Undefined
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        kind.resolve_type = type_of
    elif isinstance(kind, GraphQLObjectType):
        kind.is_type_of = None


@cache
def make_schema() -> strawberry.Schema:
    """The one schema of this process; building it does no I/O."""
    return built(Query)


@cache
def printed_schema() -> str:
    """The schema as text: what `schema.graphql` has."""
    return make_schema().as_str()


def built(query: type, scalars: Mapping[object, ScalarDefinition] = {}) -> strawberry.Schema:
    """All put together, below this Query, with the scalars that it has beside the others."""
    schema = strawberry.Schema(
        query=query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Charge, CreditNote, PaymentRecord, InputProblem, UpstreamProblem, StateProblem],
        config=StrawberryConfig(scalar_map={**SCALARS, **scalars}),
    )
    for kind in schema._schema.type_map.values():
        _finish(kind)
    price_fields(schema._schema)
    return schema
