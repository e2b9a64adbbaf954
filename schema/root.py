"""Query, Mutation and Subscription put together, and the one Schema.

The subscription loads for each event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

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

from schema.context import Info, field_needs
from schema.credit_note import (
    CreditNote,
)
from schema.event_loading import stream
from schema.fields import read_attribute
from schema.invoice_payment_event import (
    InvoicePaymentEventFilter,
    InvoicePaymentStreamItem,
    event_filter,
)
from schema.payment_errors import InputProblem, StateProblem, UpstreamProblem
from schema.payment_mutations import Mutation
from schema.payment_record import Charge, PaymentRecord
from schema.query import Query
from schema.scalars import SCALARS, EventCursor


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
        context = info.context
        start = context.events.newer(after, context.resume_after)
        async for item in stream(info, event_filter(filter), start, field_needs(info)):
            yield item


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
            InputProblem,
            UpstreamProblem,
            StateProblem,
        ],
        config=StrawberryConfig(default_resolver=read_attribute, scalar_map=SCALARS),
    )
    _without_null_defaults(schema._schema)
    return schema
