"""Query, Mutation and Subscription put together, and the one Schema."""

from __future__ import annotations

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

from schema.cost import price_fields
from schema.credit_note import CreditNote
from schema.event_loading import Subscription
from schema.payloads import InputProblem, StateProblem, UpstreamProblem, problem_type
from schema.payment_mutations import Mutation
from schema.payments import Charge, PaymentRecord
from schema.ports import Loaded, Refused
from schema.query import Query
from schema.scalars import SCALARS


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
