"""Query, Mutation and Subscription put together, and the one Schema.

Each mutation field writes and then loads; the subscription loads for each event.
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
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig

from schema import payment_mutations as mutations
from schema.context import Info
from schema.cost import price_fields
from schema.credit_note import CreditNote
from schema.event_loading import stream
from schema.fields import field
from schema.invoice_payment_event import (
    InvoicePaymentEventFilter,
    InvoicePaymentStreamItem,
    event_filter,
)
from schema.payment_errors import InputProblem, StateProblem, UpstreamProblem
from schema.payment_inputs import AttachPaymentInput, CreateCreditNoteInput, DetachPaymentInput
from schema.payment_record import Charge, PaymentRecord
from schema.ports import Loaded, Needs
from schema.query import Query
from schema.scalars import SCALARS, EventCursor


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    @field(
        "Attach a payment to an open invoice. It counts at once if it has already succeeded.",
        cost=10,
        graphql_type=mutations.AttachPaymentPayload | None,
    )
    async def attach_payment(self, info: Info, input: AttachPaymentInput) -> mutations.Outcome:
        return await mutations.attach_payment(info.context, input, field_needs(info))

    @field(
        "Free a PaymentIntent from an invoice. A paid invoice reopens when a balance comes back.",
        cost=10,
        graphql_type=mutations.DetachPaymentPayload | None,
    )
    async def detach_payment(self, info: Info, input: DetachPaymentInput) -> mutations.Outcome:
        return await mutations.detach_payment(info.context, input, field_needs(info))

    @field(
        "Issue a credit note: it first lowers what is still asked for, the rest is "
        "settled as the input says.",
        cost=10,
        graphql_type=mutations.CreateCreditNotePayload | None,
    )
    async def create_credit_note(
        self, info: Info, input: CreateCreditNoteInput
    ) -> mutations.Outcome:
        return await mutations.create_credit_note(info.context, input, field_needs(info))


@strawberry.type(description="Everything that can be listened to.")
class Subscription:
    @field(
        "Invoice payment events as they happen: first a checkpoint, then everything after "
        "`after`, then live. Nothing is delivered twice and nothing is left out in silence.",
        is_subscription=True,
    )
    async def invoice_payment_events(
        self,
        info: Info,
        filter: InvoicePaymentEventFilter | None = None,
        after: EventCursor | None = None,
    ) -> AsyncGenerator[InvoicePaymentStreamItem, None]:
        context = info.context
        start = context.events.newer(after, context.resume_after)
        async for item in stream(info, event_filter(filter), start, field_needs(info)):
            yield item


def field_needs(info: Info) -> Needs:
    """The needs below the root field that is being resolved."""
    raw = info._raw_info
    return info.context.selection.of_field(raw.parent_type, str(raw.path.key))


def type_of(value: Any, *_: object) -> str:
    """The GraphQL type of an object is named as the class of its record is."""
    return type(value.record if type(value) is Loaded else value).__name__


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


def make_schema() -> strawberry.Schema:
    """The one schema; building it does no I/O."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Charge, CreditNote, PaymentRecord, InputProblem, UpstreamProblem, StateProblem],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    for kind in schema._schema.type_map.values():
        _finish(kind)
    price_fields(schema._schema)
    return schema
