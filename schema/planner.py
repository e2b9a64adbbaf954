"""The planner: from a selection to what must be loaded. Knows no noun.

What a field needs stands on the field itself, as a `LoadedField`. Nothing here fetches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
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

from schema.cost import STRAWBERRY
from schema.fields import LoadedField
from schema.inputs import converted
from schema.ports import ROOT, Failed, Need, Needs


@dataclass(frozen=True, slots=True)
class Selection:
    """One operation with its variables coerced; the way from it to needs."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues = field(repr=False)

    def of_root(self, root_type: GraphQLObjectType, response_key: str | None = None) -> Needs:
        """The needs of a whole operation, or of one of its root fields: those of a mutation's
        payload or a stream's item."""
        grouped = collect_fields(
            self.schema, self.fragments, self.variables, root_type, self.operation
        ).grouped_field_set
        if response_key is not None:
            grouped = {response_key: grouped[response_key]}
        needs = Needs()
        self._plan(grouped, root_type, needs, ROOT)
        return needs

    def _plan(
        self, grouped: GroupedFieldSet, parent: GraphQLObjectType, needs: Needs, type_name: str
    ) -> None:
        """What a field needs takes over what is selected below it; else that belongs right here."""
        for details in grouped.values():
            definition = parent.fields.get(details[0].node.name.value)
            if definition is None:
                continue
            below, made = [needs], definition.extensions[STRAWBERRY]
            if isinstance(made, LoadedField):
                wanted = self._wanted(made, definition, details)
                below = [needs.add(type_name, need) for need in wanted]
            if details[0].node.selection_set is None or not below:
                continue
            named = get_named_type(definition.type)
            one = isinstance(named, GraphQLObjectType)
            for kind in (named,) if one else self.schema.get_possible_types(named):
                fields = collect_subfields(
                    self.schema, self.fragments, self.variables, self.operation, kind, details
                ).grouped_field_set
                for deeper in below:
                    self._plan(fields, kind, deeper, kind.name)

    def _wanted(
        self, made: LoadedField, definition: GraphQLField, details: FieldDetailsList
    ) -> tuple[Need, ...]:
        if not callable(made.wanted):
            return (made.wanted,)
        try:
            values = get_argument_values(definition, details[0].node, self.variables)
            wanted = made.wanted(**converted(self.schema, made, values))
        except (Failed, GraphQLError):
            return ()  # Execution meets the same refusal, at its own path.
        return wanted if isinstance(wanted, tuple) else (wanted,)
