"""Arguments of one occurrence of a field: worked out once where no variable is in them, and else
for each operation, without graphql-core where variables stand for plain scalars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    is_non_null_type,
    is_scalar_type,
    visit,
)
from graphql.execution.values import VariableValues, coerce_argument, get_argument_values
from strawberry.types.field import StrawberryField

from gateway.execution.plans.leaves import Surprise
from schema.cost import STRAWBERRY
from schema.inputs import converted

NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Taken:
    """An argument that is a variable, and as the variable is."""

    name: str
    variable: str
    default: Any
    nullable: bool


@dataclass(frozen=True, slots=True)
class Arguments:
    """`fixed` are known without the variables, `taken` are variables; None where graphql-core has
    to work them out."""

    schema: GraphQLSchema
    definition: GraphQLField
    made: StrawberryField
    node: FieldNode
    fixed: dict[str, Any]
    taken: tuple[Taken, ...] | None = ()

    @property
    def is_fixed(self) -> bool:
        return self.taken == ()

    def given(self, variables: VariableValues) -> dict[str, Any]:
        """The resolver's keyword arguments. Raises for what validation leaves open: null in place
        of what may not be null."""
        if self.taken is None:
            values = get_argument_values(self.definition, self.node, variables)
            return converted(self.schema, self.made, values)
        arguments = dict(self.fixed)
        for one in self.taken:
            value = variables.coerced.get(one.variable, one.default)
            if value is None and not one.nullable:
                raise Surprise
            if value is not Undefined:
                arguments[one.name] = value
        return arguments


def arguments_of(
    schema: GraphQLSchema, definition: GraphQLField, made: StrawberryField, node: FieldNode
) -> Arguments:
    """Raises a GraphQLError where fixed ones cannot be."""
    nodes = {one.name.value: one for one in node.arguments or ()}
    names = {_shown_name(schema, one): one.python_name or "" for one in made.arguments}
    values: dict[str, Any] = {}
    taken = []
    for name, argument in definition.args.items():
        given = nodes.get(name)
        if given is None or not has_variables(given.value):
            coerce_argument(values, node, name, argument, given, NO_VARIABLES, None)
        elif isinstance(given.value, VariableNode) and _is_plain(argument):
            nullable = not is_non_null_type(argument.type)
            variable = given.value.name.value
            taken.append(Taken(names[name], variable, argument.default_value, nullable))
        else:
            return Arguments(schema, definition, made, node, {}, None)
    return Arguments(schema, definition, made, node, converted(schema, made, values), tuple(taken))


def _is_plain(argument: GraphQLArgument) -> bool:
    """Whether its values reach the resolver as the variables have them."""
    kind = argument.type
    return is_scalar_type(kind.of_type if is_non_null_type(kind) else kind)


class _Finding(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_: object) -> None:
        self.found = True


def has_variables(value: ValueNode) -> bool:
    finding = _Finding()
    visit(value, finding)
    return finding.found


def _shown_name(schema: GraphQLSchema, argument: Any) -> str:
    name: str = schema.extensions[STRAWBERRY].config.name_converter.from_argument(argument)
    return name
