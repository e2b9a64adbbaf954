"""What an operation may cost, told from its document, its variables and the printed SDL.

Cost is the number of objects that an answer may hold at most: each field counts its `@cost`, a
list multiplies by its `@listSize`. Nothing else is looked at, so that a client can compute the same
from `schema.graphql`. Fragments are priced once for each type that they stand on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from schema.ports import PAGE_SIZE_MAX

COST_COUNTED_MAX = 1_000_000_000
"""Where counting stops: nested pages multiply to numbers that nobody needs to read."""
INTROSPECTION_COSTS: Mapping[str, int] = {"__schema": 100, "__type": 10}
"""They read no object, but take as long to answer as reading so many."""


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
    description="What each object behind this field counts towards the cost of an operation. "
    "Without it: 0, because it comes with its parent.",
)
class Cost:
    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How many objects the list may hold: what the slicing argument says, at most "
    f"{PAGE_SIZE_MAX}; the length of a list of ids, at most assumedSize; else assumedSize. The "
    "cost of the field and of all below it is multiplied by it.",
)
class ListSize:
    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True


@dataclass(frozen=True, slots=True)
class Price:
    """What the directives of one field say. `behind` is the name of the type that it leads to."""

    weight: int
    behind: str = ""
    sliced_by: frozenset[str] = frozenset()
    assumed_size: int = 1


STRAWBERRY = GraphQLCoreConverter.DEFINITION_BACKREF
"""Where graphql-core's fields and schema have Strawberry's."""
PRICES = "prices"
"""Where a schema has the price of each field, by the names of its type and its own."""


SLICING = "slicing arguments"
"""Where a schema has the names of all arguments that say how long a list may be."""


def field_definition(definition: GraphQLField) -> StrawberryField | None:
    """The Strawberry field behind a graphql-core field."""
    return definition.extensions.get(STRAWBERRY)


def price_fields(schema: GraphQLSchema) -> None:
    """Read the directives of all fields, so that no operation has to."""
    assert schema.query_type is not None
    schema.extensions[PRICES] = {
        (kind.name, name): _price(definition)
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        for name, definition in kind.fields.items()
    } | {
        (schema.query_type.name, name): Price(weight)
        for name, weight in INTROSPECTION_COSTS.items()
    }
    prices = schema.extensions[PRICES].values()
    schema.extensions[SLICING] = frozenset(name for price in prices for name in price.sliced_by)


def _price(definition: GraphQLField) -> Price:
    made = field_definition(definition)
    weight, size = 0, ListSize(assumed_size=1, slicing_arguments=[])
    for directive in made.directives if made else ():
        if isinstance(directive, Cost):
            weight = int(directive.weight)
        elif isinstance(directive, ListSize):
            size = directive
    sliced_by = frozenset(size.slicing_arguments or ())
    behind = get_named_type(definition.type).name
    return Price(weight, behind, sliced_by, size.assumed_size or 1)


@dataclass(slots=True)
class _Pricing:
    """Prices selection sets; a fragment's price depends on the type that it stands on."""

    prices: Mapping[tuple[str, str], Price]
    variables: Mapping[str, Any] = field(repr=False)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None, type_name: str) -> int:
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                price = self.prices.get((type_name, node.name.value))
                if price is not None:  # None: __typename, or a part of introspection.
                    inner = self.of(node.selection_set, price.behind) if node.selection_set else 0
                    size = self._size(node, price) if price.sliced_by else 1
                    total += size * (price.weight + inner)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                on = node.type_condition
                total += self.of(node.selection_set, on.name.value if on else type_name)
        return min(total, COST_COUNTED_MAX)

    def _fragment(self, name: str) -> int:
        if name not in self.known:
            definition = self.fragments[name]
            on = definition.type_condition.name.value
            self.known[name] = self.of(definition.selection_set, on)
        return self.known[name]

    def _size(self, node: FieldNode, price: Price) -> int:
        given = [
            size
            for argument in node.arguments or ()
            if argument.name.value in price.sliced_by
            and (size := self._argument_size(argument.value, price.assumed_size)) is not None
        ]
        return max(given, default=price.assumed_size)

    def _argument_size(self, value: Any, list_max: int) -> int | None:
        if isinstance(value, VariableNode):
            value = self.variables.get(value.name.value)
        elif isinstance(value, IntValueNode):
            # Python refuses to read thousands of digits, and more than nine are too many anyhow.
            value = int(value.value[:10])
        elif isinstance(value, ListValueNode):
            value = [*value.values]
        if isinstance(value, list):
            return min(max(len(value), 1), list_max)
        return min(max(value, 1), PAGE_SIZE_MAX) if isinstance(value, int) else None


def priced_by(schema: GraphQLSchema, document: DocumentNode) -> tuple[str, ...]:
    """The variables on which the cost of an operation of this document can depend."""
    slicing = schema.extensions[SLICING]
    arguments = (
        argument
        for part in selected_in(document.definitions)
        for argument in getattr(part, "arguments", None) or ()
        if argument.name.value in slicing
    )
    return variables_of(arguments)


def selected_in(definitions: Iterable[Node]) -> Iterator[Any]:
    """These definitions and all that is selected in them; a fragment's own where it is defined."""
    parts: list[Any] = [*definitions]
    while parts:
        part = parts.pop()
        yield part
        selected = getattr(part, "selection_set", None)
        parts += selected.selections if selected is not None else ()


def variables_of(arguments: Iterable[ArgumentNode]) -> tuple[str, ...]:
    """The names of those arguments that are variables, each once."""
    values = (argument.value for argument in arguments)
    names = (value.name.value for value in values if isinstance(value, VariableNode))
    return tuple(dict.fromkeys(names))


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """How many weighted objects a valid operation may return, at least 1.

    `variables` are coerced, defaults included.
    """
    pricing = _Pricing(schema.extensions[PRICES], variables)
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            pricing.fragments[node.name.value] = node
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return max(1, pricing.of(operation.selection_set, root.name))
