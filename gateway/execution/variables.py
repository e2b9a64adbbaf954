"""Variables of an operation that are coerced without graphql-core: of plain scalars, and sent as
what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode, is_non_null_type
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource

INT_MAX = 2**31 - 1
CLASSES: dict[str, type] = {"ID": str, "String": str, "Boolean": bool, "Int": int}


@dataclass(frozen=True, slots=True)
class PlainVariables:
    """The variables of one operation, all of plain scalars, with their signatures."""

    known: tuple[tuple[str, type, GraphQLVariableSignature], ...]

    def values(self, given: dict[str, Any]) -> VariableValues | None:
        """What graphql-core would make of them; None where it has to."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, kind, signature in self.known:
            value = given.get(name)
            if value.__class__ is not kind:
                return None
            if isinstance(value, int) and not -INT_MAX <= value <= INT_MAX:
                return None
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = value
        return VariableValues(sources, coerced)


def plain_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode
) -> PlainVariables | None:
    """None where one of them is of another kind."""
    known = []
    for node in operation.variable_definitions or ():
        signature = get_variable_signature(schema, node)
        if not isinstance(signature, GraphQLVariableSignature):
            return None
        kind = signature.type
        inner = kind.of_type if is_non_null_type(kind) else kind
        plain = CLASSES.get(getattr(inner, "name", ""))
        if plain is None:
            return None
        known.append((signature.name, plain, signature))
    return PlainVariables(tuple(known))
