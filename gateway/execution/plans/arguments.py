"""Arguments of one occurrence of a field: worked out once where no variable is in them, and else
for each operation, without graphql-core where variables stand for whole values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    is_non_null_type,
    is_required_input_field,
    visit,
)
from graphql.execution.values import VariableValues, coerce_argument, get_argument_values
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from strawberry.types.field import StrawberryField

from gateway.execution.plans.leaves import Surprise
from schema.inputs import converted

NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Taken:
    """An argument, or a field of an input, that is a variable, and as the variable is."""

    name: str
    variable: str
    default: Any
    nullable: bool


@dataclass(slots=True)
class Parts:
    """What arguments, or an input, are put together of: what is known without the variables, what
    is a variable, and inputs that hold variables."""

    fixed: dict[str, Any] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    inputs: dict[str, Parts] = field(default_factory=dict)
    checked: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Strawberry's own look at an input: whether it is exactly one of several."""

    def given(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The values, by their names in GraphQL. Raises `Surprise`, or a GraphQLError, for what
        validation leaves open: null in place of what may not be null."""
        values = dict(self.fixed)
        for one in self.taken:
            value = variables.get(one.variable, one.default)
            if not one.nullable and (value is None or value is Undefined):
                raise Surprise
            if value is not Undefined:
                values[one.name] = value
        for name, parts in self.inputs.items():
            values[name] = parts.given(variables)
        return values if self.checked is None else self.checked(values)


@dataclass(frozen=True, slots=True)
class Arguments:
    """`parts` is None where graphql-core has to work them out, and `fixed` where variables are in
    them."""

    schema: GraphQLSchema
    definition: GraphQLField
    made: StrawberryField
    node: FieldNode
    parts: Parts | None
    fixed: dict[str, Any] | None

    @property
    def is_fixed(self) -> bool:
        return self.fixed is not None

    def given(self, variables: VariableValues) -> dict[str, Any]:
        """The resolver's keyword arguments. Raises for what validation leaves open."""
        if self.fixed is not None:
            return self.fixed
        if self.parts is not None:
            values = self.parts.given(variables.coerced)
        else:
            values = get_argument_values(self.definition, self.node, variables)
        return converted(self.schema, self.made, values)


def arguments_of(
    schema: GraphQLSchema, definition: GraphQLField, made: StrawberryField, node: FieldNode
) -> Arguments:
    """Raises a GraphQLError where fixed ones cannot be."""
    nodes = {one.name.value: one for one in node.arguments or ()}
    parts = Parts()
    for name, argument in definition.args.items():
        given = nodes.get(name)
        if given is None or not has_variables(given.value):
            coerce_argument(parts.fixed, node, name, argument, given, NO_VARIABLES, None)
        elif not _added(parts, name, argument, given.value):
            return Arguments(schema, definition, made, node, None, None)
    is_fixed = not parts.taken and not parts.inputs
    fixed = converted(schema, made, parts.fixed) if is_fixed else None
    return Arguments(schema, definition, made, node, parts, fixed)


def _added(
    parts: Parts, name: str, definition: GraphQLArgument | GraphQLInputField, given: ValueNode
) -> bool:
    """Add what holds a variable; whether that can be."""
    if isinstance(given, VariableNode):
        nullable, default = not is_non_null_type(definition.type), coerce_default_value(definition)
        parts.taken.append(Taken(name, given.name.value, default, nullable))
        return True
    kind = get_nullable_type(definition.type)
    if not isinstance(given, ObjectValueNode) or not isinstance(kind, GraphQLInputObjectType):
        return False
    parts.inputs[name] = below = Parts(checked=kind.out_type)
    return _filled(below, kind, given)


def _filled(parts: Parts, kind: GraphQLInputObjectType, given: ObjectValueNode) -> bool:
    """Fill in the fields of an input; whether that can be."""
    nodes = {one.name.value: one.value for one in given.fields}
    if kind.is_one_of:
        return False
    for name, definition in kind.fields.items():
        node = nodes.get(name)
        if node is not None and has_variables(node):
            if not _added(parts, name, definition, node):
                return False
            continue
        if node is None and is_required_input_field(definition):
            return False
        value = coerce_default_value(definition) if node is None else _literal(definition, node)
        if value is not Undefined:
            parts.fixed[name] = value
        elif node is not None:
            return False
    return True


def _literal(field: GraphQLInputField, node: ValueNode) -> Any:
    return coerce_input_literal(node, field.type, NO_VARIABLES)


class _Finding(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_: object) -> None:
        self.found = True


def has_variables(value: ValueNode) -> bool:
    if not isinstance(value, VariableNode | ObjectValueNode | ListValueNode):
        return False
    finding = _Finding()
    visit(value, finding)
    return finding.found
