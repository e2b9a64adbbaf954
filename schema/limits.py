"""How large a document may be and what it may cost, told from the document alone.

One pass with fragments memoised: graphql-core's and Strawberry's own limiters walk a fragment
once per spread, which is exponential. Cost is the number of objects that an answer may hold at
most, weighted by `@cost` and multiplied by `@listSize` as the printed SDL says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_interface_type,
    is_object_type,
)
from strawberry.schema_directive import Location

from schema.needs import field_definition, need_function
from schema.ports import NODES_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, ErrorCode


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
    description="What one object behind this field counts towards the cost of an operation. "
    "Without it: 1 where the object may need a fetch, 0 for everything that comes with its parent.",
)
class Cost:
    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How many objects the list may hold: the slicing argument that is given, else "
    "assumedSize.",
)
class ListSize:
    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True


def list_size(*arguments: str) -> ListSize:
    """The directive of a connection field that is sliced by these arguments."""
    return ListSize(
        assumed_size=PAGE_SIZE_DEFAULT,
        slicing_arguments=list(arguments),
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one document. Cost is counted in objects."""

    tokens_max: int = 1000
    depth_max: int = 15
    aliases_max: int = 15
    root_fields_max: int = 25
    directives_max: int = 50
    directives_per_location_max: int = 10
    fields_max: int = 2000
    cost_max: int = 5000


@dataclass(slots=True)
class _Shape:
    """What a selection set adds up to, fragments spread out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0


def too_complex(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": ErrorCode.QUERY_TOO_COMPLEX.value})


@dataclass(slots=True)
class _Measure:
    """Measures selection sets, each fragment once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    limits: Limits
    seen: dict[str, _Shape | None] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None) -> _Shape:
        shape = _Shape()
        for node in selections.selections if selections else ():
            self._add(shape, node)
        return shape

    def _add(self, shape: _Shape, node: Any) -> None:
        if len(node.directives or ()) > self.limits.directives_per_location_max:
            raise too_complex(
                f"at most {self.limits.directives_per_location_max} directives in one place"
            )
        if isinstance(node, FragmentSpreadNode):
            inner, levels = self._fragment(node.name.value), 0
        else:
            inner = self.of(node.selection_set)
            levels = 1 if isinstance(node, FieldNode) else 0
        shape.depth = max(shape.depth, inner.depth + levels)
        shape.fields += inner.fields + levels
        shape.aliases += inner.aliases + (1 if isinstance(node, FieldNode) and node.alias else 0)
        shape.directives += inner.directives + len(node.directives or ())

    def _fragment(self, name: str) -> _Shape:
        if name in self.seen:
            known = self.seen[name]
            if known is None:  # Spreads itself; validation says so with its own words.
                return _Shape()
            return known
        definition = self.fragments.get(name)
        self.seen[name] = None
        shape = self.of(definition.selection_set) if definition else _Shape()
        self.seen[name] = shape
        return shape


def check_document(document: DocumentNode, limits: Limits) -> None:
    """Raises a GraphQLError QUERY_TOO_COMPLEX that names the ceiling and what was counted."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    measure = _Measure(fragments, limits)
    total = _Shape()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            shape = measure.of(definition.selection_set)
            _check_root(definition, limits)
            total.depth = max(total.depth, shape.depth)
            total.fields += shape.fields
            total.aliases += shape.aliases
            total.directives += shape.directives + len(definition.directives or ())
    for name, counted, ceiling in (
        ("levels deep", total.depth, limits.depth_max),
        ("aliases", total.aliases, limits.aliases_max),
        ("directives", total.directives, limits.directives_max),
        ("fields with fragments spread out", total.fields, limits.fields_max),
    ):
        if counted > ceiling and not _is_introspection(document):
            raise too_complex(f"the document has {counted} {name}; at most {ceiling} are allowed")


def _check_root(operation: OperationDefinitionNode, limits: Limits) -> None:
    counted = len(operation.selection_set.selections)
    if counted > limits.root_fields_max:
        raise too_complex(
            f"the operation has {counted} root fields; at most {limits.root_fields_max} are allowed"
        )


def _is_introspection(document: DocumentNode) -> bool:
    """The standard introspection query is deep by nature and reads no data."""
    roots = [
        selection
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for selection in definition.selection_set.selections
    ]
    return bool(roots) and all(
        isinstance(node, FieldNode) and node.name.value in ("__schema", "__type", "__typename")
        for node in roots
    )


@dataclass(slots=True)
class _Pricing:
    """Prices selection sets; a fragment's price depends on the type that it stands on."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    known: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None, type_name: str) -> int:
        return (
            sum(self._one(node, type_name) for node in selections.selections) if selections else 0
        )

    def _one(self, node: Any, type_name: str) -> int:
        if isinstance(node, FieldNode):
            return self._field(node, type_name)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self.of(node.selection_set, condition.name.value if condition else type_name)
        return self._fragment(node.name.value)

    def _fragment(self, name: str) -> int:
        definition = self.fragments.get(name)
        if definition is None:
            return 0
        key = (name, definition.type_condition.name.value)
        if key not in self.known:
            self.known[key] = self.of(definition.selection_set, key[1])
        return self.known[key]

    def _field(self, node: FieldNode, type_name: str) -> int:
        parent = self.schema.type_map.get(type_name)
        if not (is_object_type(parent) or is_interface_type(parent)):
            return 0
        definition = parent.fields.get(node.name.value)
        if definition is None:
            return 0
        inner = self.of(node.selection_set, get_named_type(definition.type).name)
        return self._size(node, definition) * (weight_of(definition) + inner)

    def _size(self, node: FieldNode, definition: GraphQLField) -> int:
        directive = _directive(definition, ListSize)
        if directive is None:
            return 1
        for argument in node.arguments or ():
            if argument.name.value in (directive.slicing_arguments or ("ids",)):
                size = self._argument_size(argument.value)
                if size is not None:
                    return min(max(size, 1), PAGE_SIZE_MAX)
        return int(directive.assumed_size or PAGE_SIZE_DEFAULT)

    def _argument_size(self, value: Any) -> int | None:
        if isinstance(value, IntValueNode):
            return int(value.value)
        if isinstance(value, ListValueNode):
            return min(len(value.values), NODES_MAX)
        given = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
        if isinstance(given, list):
            return min(len(given), NODES_MAX)
        return given if isinstance(given, int) else None


def _directive(definition: GraphQLField, kind: type[Any]) -> Any:
    strawberry_field = field_definition(definition)
    directives = strawberry_field.directives if strawberry_field else ()
    return next((directive for directive in directives if isinstance(directive, kind)), None)


def weight_of(definition: GraphQLField) -> int:
    """The `@cost` of a field, 1 where it may need a fetch, else 0."""
    cost = _directive(definition, Cost)
    if cost is not None:
        return int(cost.weight)
    return 1 if need_function(definition) is not None else 0


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """How many weighted objects the operation may return at most."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    root = {
        OperationType.QUERY: schema.query_type,
        OperationType.MUTATION: schema.mutation_type,
        OperationType.SUBSCRIPTION: schema.subscription_type,
    }[operation.operation]
    assert root is not None
    return _Pricing(schema, fragments, variables).of(operation.selection_set, root.name)
