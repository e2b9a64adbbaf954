"""The planner: from a selection to what must be loaded. Knows no noun.

What a field needs stands on the field itself: `metadata={NEEDS: function}`, where the function
turns the field's coerced arguments into a `Need` (or several). Resolvers call the same function
to find what was loaded for them, so plan and projection cannot disagree. Nothing here fetches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_composite_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.type import GraphQLField
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from schema.ports import ROOT, Failed, Need, Needs

NEEDS = "needs"
"""Key of a field's metadata: the function from its arguments to its need."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One operation with its variables coerced; the way from it to needs."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues = field(repr=False)

    def of_root(self, root_type: GraphQLObjectType) -> Needs:
        """The needs of a whole operation."""
        grouped = collect_fields(
            self.schema, self.fragments, self.variables, root_type, self.operation
        ).grouped_field_set
        needs = Needs()
        self._collect(grouped, root_type, needs, ROOT)
        return needs

    def of_field(self, name: str, root_type: GraphQLObjectType, response_key: str) -> Needs:
        """The needs below one root field, for a mutation's payload or a stream's item."""
        grouped = collect_fields(
            self.schema, self.fragments, self.variables, root_type, self.operation
        ).grouped_field_set
        needs = Needs()
        self._descend(grouped[response_key], root_type.fields[name], needs)
        return needs

    def _collect(
        self, grouped: GroupedFieldSet, parent: GraphQLObjectType, needs: Needs, type_name: str
    ) -> None:
        for details in grouped.values():
            definition = parent.fields.get(details[0].node.name.value)
            if definition is None:
                continue
            for deeper in self._below(details, definition, needs, type_name):
                self._descend(details, definition, deeper)

    def _below(
        self, details: FieldDetailsList, definition: GraphQLField, needs: Needs, type_name: str
    ) -> list[Needs]:
        """Where the field's own selection puts its needs: below its need, or right here."""
        key = need_function(definition)
        if key is None:
            return [needs]
        try:
            wanted = key(**self._arguments(details, definition))
        except (Failed, GraphQLError):
            return []  # Execution meets the same refusal, at its own path.
        many = wanted if isinstance(wanted, tuple) else (wanted,)
        return [needs.add(type_name, need) for need in many]

    def _descend(self, details: FieldDetailsList, definition: GraphQLField, needs: Needs) -> None:
        named = get_named_type(definition.type)
        if not is_composite_type(named):
            return
        possible = (
            [named]
            if isinstance(named, GraphQLObjectType)
            else self.schema.get_possible_types(named)
        )
        for concrete in possible:
            grouped = collect_subfields(
                self.schema, self.fragments, self.variables, self.operation, concrete, details
            ).grouped_field_set
            self._collect(grouped, concrete, needs, concrete.name)

    def _arguments(self, details: FieldDetailsList, definition: GraphQLField) -> dict[str, Any]:
        values = get_argument_values(definition, details[0].node, self.variables)
        strawberry_field = field_definition(definition)
        assert strawberry_field is not None
        owner = self.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        return convert_arguments(
            values,
            strawberry_field.arguments,
            scalar_registry=owner.schema_converter.scalar_registry,
            config=owner.config,
        )


def field_definition(definition: GraphQLField) -> StrawberryField | None:
    """The Strawberry field behind a graphql-core field."""
    return definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)


def need_function(definition: GraphQLField) -> Callable[..., Need | tuple[Need, ...]] | None:
    """The field's own way from arguments to needs, if it needs anything."""
    strawberry_field = field_definition(definition)
    return strawberry_field.metadata.get(NEEDS) if strawberry_field else None
