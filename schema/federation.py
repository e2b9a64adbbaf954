"""The schema as a subgraph of Apollo Federation 2: entities by their ids, and the SDL that says so.

Every object with an id is an entity; a router finds it by `_entities`, with the rights of whoever
asked the router. Nothing of the plain schema is changed: what a router needs beside it is added.
Source: https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec
and the directives of Federation 2.9, where @cost and @listSize, which the plain schema has, are
the federation's own.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, NewType, Union

import strawberry
from graphql import (
    REMOVE,
    SKIP,
    ConstArgumentNode,
    ConstDirectiveNode,
    DirectiveDefinitionNode,
    IntValueNode,
    NameNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from schema.context import Info
from schema.cost import ListSize
from schema.credit_note import CreditNote
from schema.customer import Customer
from schema.fields import field, loaded, require
from schema.invoice import Invoice
from schema.invoice_payment import Charge, InvoicePayment, PaymentIntent, PaymentRecord
from schema.node import PREFIX_BY_KIND, checked_id
from schema.ports import PAGE_SIZE_MAX, ById, bad_input
from schema.root import READ, Query, built, printed_schema

ENTITIES_MAX = PAGE_SIZE_MAX
"""As many as a page of another subgraph's list can lead to."""
SHAREABLE = frozenset({"PageInfo", "Money", "MetadataEntry"})
"""Plain values that another subgraph may have in the same form."""
LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", '
    'import: ["@key", "@shareable", "@cost", "@listSize"])'
)
ID = ConstArgumentNode(name=NameNode(value="fields"), value=StringValueNode(value="id"))
KEY, IS_SHAREABLE = (
    (ConstDirectiveNode(name=NameNode(value="key"), arguments=(ID,)),),
    (ConstDirectiveNode(name=NameNode(value="shareable"), arguments=()),),
)
DIRECTIVES_OF_FEDERATION = frozenset({"cost", "listSize"})
"""Directives that a composition defines itself."""

Representation = NewType("Representation", object)
REPRESENTATION = strawberry.scalar(
    name="_Any",
    description="What a router knows of an entity: its __typename and its id.",
    serialize=lambda value: value,
    parse_value=lambda value: value,
)

Entity = Annotated[
    Union[Invoice, InvoicePayment, PaymentIntent, PaymentRecord, Charge, CreditNote, Customer],  # noqa: UP007  # Strawberry names Annotated unions.
    strawberry.union("_Entity", description="Everything that has an id."),
]


@strawberry.type(name="_Service", description="What a composition is told of this subgraph.")
class Service:
    sdl: str = strawberry.field(description="The subgraph's schema.")


def _of_representations(representations: list[Representation]) -> tuple[ById, ...]:
    """In the order of the representations."""
    if len(representations) > ENTITIES_MAX:
        raise bad_input(
            f"representations must be at most {ENTITIES_MAX} at a time, got {len(representations)}"
        )
    return tuple(_need(one, f"representations[{at}]") for at, one in enumerate(representations))


def _need(representation: object, argument: str) -> ById:
    given = representation if isinstance(representation, Mapping) else {}
    kind, object_id = given.get("__typename"), given.get("id")
    if not isinstance(kind, str) or kind not in PREFIX_BY_KIND or not isinstance(object_id, str):
        kinds = ", ".join(sorted(PREFIX_BY_KIND))
        raise bad_input(f"{argument} must have the id and the __typename of one of {kinds}")
    return ById(kind, checked_id(kind, object_id, f"{argument}.id"), quiet=True)


def _entities() -> Any:
    made = loaded(
        "The objects that a router knows by their ids, at most 100; a null where an id is unknown "
        "or not yours.",
        _of_representations,
        size=ListSize(
            assumed_size=ENTITIES_MAX,
            slicing_arguments=["representations"],
            require_one_slicing_argument=False,
        ),
        scope=READ,
    )
    made.graphql_name = "_entities"
    return made


class _OfSubgraph(Visitor):
    """From the printed schema to the subgraph's: entities have keys, and what the federation
    defines is as it defines it. Its `@cost` has a number where the cost specification, which the
    plain schema follows, has a text; its `@listSize` is sliced by numbers only."""

    def enter_directive_definition(self, node: DirectiveDefinitionNode, *_: Any) -> Any:
        return REMOVE if node.name.value in DIRECTIVES_OF_FEDERATION else SKIP

    def enter_object_type_definition(self, node: ObjectTypeDefinitionNode, *_: Any) -> Any:
        added = KEY if node.name.value in PREFIX_BY_KIND else ()
        added = IS_SHAREABLE if node.name.value in SHAREABLE else added
        return replace(node, directives=(*(node.directives or ()), *added))

    def enter_directive(self, node: ConstDirectiveNode, *_: Any) -> Any:
        given = node.arguments or ()
        if node.name.value == "cost":
            return replace(node, arguments=tuple(_in_numbers(one) for one in given))
        return replace(node, arguments=tuple(one for one in given if not _is_by_ids(one)))


def _in_numbers(argument: ConstArgumentNode) -> ConstArgumentNode:
    assert isinstance(argument.value, StringValueNode)
    return replace(argument, value=IntValueNode(value=argument.value.value))


def _is_by_ids(argument: ConstArgumentNode) -> bool:
    is_slicing = argument.name.value == "slicingArguments"
    return is_slicing and '"ids"' in print_ast(argument.value)


@cache
def subgraph_sdl() -> str:
    """What a composition reads and `_service` answers: the printed schema with its entities."""
    return f"{LINK}\n\n{print_ast(visit(parse(printed_schema()), _OfSubgraph()))}\n"


@strawberry.type(name="Query", description="Everything that can be read.")
class SubgraphQuery(Query):
    entities: list[Entity | None] = _entities()

    @field(
        "What a composition is told of this subgraph; needs the scope schema:introspect.",
        name="_service",
    )
    @staticmethod
    def service(info: Info) -> Service:
        require(info.context.viewer, "schema:introspect")
        return Service(sdl=subgraph_sdl())


@cache
def make_subgraph() -> strawberry.Schema:
    """The schema that a router asks: the plain one, with `_entities` and `_service`."""
    return built(SubgraphQuery, {Representation: REPRESENTATION})
