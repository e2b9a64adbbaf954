"""What an operation may cost, told from its document, its variables and the printed SDL.

Cost is the number of objects that an answer may hold at most: each field counts its `@cost`, a
list multiplies by its `@listSize`. Nothing else is looked at, so that a client can compute the same
from `schema.graphql`. Fragments are priced once for each type that they stand on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_interface_type,
    is_object_type,
)
from strawberry.schema_directive import Location

from schema.planner import field_definition
from schema.ports import NODES_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

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
    f"{PAGE_SIZE_MAX}; the length of a list of ids, at most {NODES_MAX}; else assumedSize. The "
    "cost of the field and of all below it is multiplied by it.",
)
class ListSize:
    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True


def list_size(*arguments: str, assumed: int = PAGE_SIZE_DEFAULT) -> ListSize:
    """The directive of a connection field that is sliced by these arguments."""
    return ListSize(
        assumed_size=assumed,
        slicing_arguments=list(arguments),
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )


def ids_size() -> ListSize:
    """The directive of a list with one object for each id that is asked for."""
    return ListSize(
        assumed_size=NODES_MAX, slicing_arguments=["ids"], require_one_slicing_argument=False
    )


def priced(directives: Sequence[object], needs: Callable[..., Any] | None) -> list[object]:
    """The directives of a field, with a cost of 1 where it may need a fetch and says no other."""
    is_priced = needs is None or any(isinstance(one, Cost) for one in directives)
    return [*directives] if is_priced else [Cost(weight="1"), *directives]


@dataclass(slots=True)
class _Pricing:
    """Prices selection sets; a fragment's price depends on the type that it stands on."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any] = field(repr=False)
    known: dict[str, int] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None, type_name: str) -> int:
        if selections is None:
            return 0
        total = sum(self._one(node, type_name) for node in selections.selections)
        return min(total, COST_COUNTED_MAX)

    def _one(self, node: Any, type_name: str) -> int:
        if isinstance(node, FieldNode):
            return self._field(node, type_name)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self.of(node.selection_set, condition.name.value if condition else type_name)
        return self._fragment(node.name.value)

    def _fragment(self, name: str) -> int:
        if name not in self.known:
            definition = self.fragments[name]
            on = definition.type_condition.name.value
            self.known[name] = self.of(definition.selection_set, on)
        return self.known[name]

    def _field(self, node: FieldNode, type_name: str) -> int:
        name = node.name.value
        if name in INTROSPECTION_COSTS:
            return INTROSPECTION_COSTS[name]
        parent = self.schema.type_map[type_name]
        if not (is_object_type(parent) or is_interface_type(parent)) or name not in parent.fields:
            return 0  # __typename, also of a union.
        definition = parent.fields[name]
        inner = self.of(node.selection_set, get_named_type(definition.type).name)
        return min(self._size(node, definition) * (weight_of(definition) + inner), COST_COUNTED_MAX)

    def _size(self, node: FieldNode, definition: GraphQLField) -> int:
        directive = _directive(definition, ListSize)
        if directive is None:
            return 1
        given = [
            size
            for argument in node.arguments or ()
            if argument.name.value in directive.slicing_arguments
            and (size := self._argument_size(argument.value)) is not None
        ]
        return max(given, default=directive.assumed_size)

    def _argument_size(self, value: Any) -> int | None:
        if isinstance(value, VariableNode):
            value = self.variables.get(value.name.value)
        elif isinstance(value, IntValueNode):
            # Python refuses to read thousands of digits, and more than nine are too many anyhow.
            value = int(value.value[:10])
        elif isinstance(value, ListValueNode):
            value = [*value.values]
        if isinstance(value, list):
            return min(max(len(value), 1), NODES_MAX)
        return min(max(value, 1), PAGE_SIZE_MAX) if isinstance(value, int) else None


def _directive(definition: GraphQLField, kind: type[Any]) -> Any:
    strawberry_field = field_definition(definition)
    directives: Iterable[object] = strawberry_field.directives if strawberry_field else ()
    return next((directive for directive in directives if isinstance(directive, kind)), None)


def weight_of(definition: GraphQLField) -> int:
    """The `@cost` of a field, 0 where it has none."""
    cost = _directive(definition, Cost)
    return 0 if cost is None else int(cost.weight)


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """How many weighted objects a valid operation may return, at least 1.

    `variables` are coerced, defaults included.
    """
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return max(1, _Pricing(schema, fragments, variables).of(operation.selection_set, root.name))
