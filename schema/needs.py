"""From a selection to what must be loaded, and the tree that comes back. Knows no noun.

What a field needs stands on the field itself: `metadata={NEEDS: function}`, where the function
turns the field's coerced arguments into a `Need` (or several). Resolvers call the same function
to find what was loaded for them, so plan and projection cannot disagree. Nothing here fetches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

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

from schema.ports import Deleted, Failed, Link, Listing, Need, list_digest

NEEDS = "needs"
"""Key of a field's metadata: the function from its arguments to its need."""

R = TypeVar("R")


@dataclass(slots=True)
class Needs:
    """What one object of each possible type must bring along: type name -> need -> deeper needs."""

    by_type: dict[str, dict[Need, Needs]] = field(default_factory=dict)

    def of(self, type_name: str) -> Mapping[Need, Needs]:
        """The needs of an object of this type; empty if it needs nothing beyond itself."""
        return self.by_type.get(type_name, {})

    def add(self, type_name: str, need: Need) -> Needs:
        """The deeper needs below this one, to be filled; equal needs share them."""
        return self.by_type.setdefault(type_name, {}).setdefault(need, Needs())

    def merge(self, other: Needs) -> None:
        """Take over everything the other needs as well."""
        for type_name, needs in other.by_type.items():
            for need, deeper in needs.items():
                self.add(type_name, need).merge(deeper)


ROOT = "Query"
"""The type name under which root needs stand, whatever the operation."""


def root_needs(needs: Iterable[tuple[Need, Needs]]) -> Needs:
    """Needs of a synthetic root, for what a mutation answers or an event carries."""
    root = Needs()
    for need, deeper in needs:
        root.add(ROOT, need).merge(deeper)
    return root


@dataclass(slots=True)
class Loaded(Generic[R]):
    """One record and what was loaded below it. Resolvers receive it as their parent."""

    record: R
    children: dict[Need, Any] = field(default_factory=dict)

    def member(self, need: Need) -> Any:
        """The same for a member of a list: a `Failed` is handed over and costs its own place."""
        return self.children[need]

    def child(self, need: Need) -> Any:
        """What was loaded for this need: `Loaded`, `LoadedPage`, a value or None.

        Raises the `Failed` that stands in its place. A link to what is deleted leads nowhere.
        """
        outcome = self.children[need]
        if isinstance(outcome, Deleted) and isinstance(need, Link):
            return None
        if isinstance(outcome, Failed):
            raise outcome
        return outcome


@dataclass(slots=True)
class LoadedPage:
    """One page of a list. `name`, `parent_id` and the filter make its cursors its own."""

    listing: Listing
    parent_id: str | None
    items: list[Loaded[Any]]
    has_next: bool
    has_previous: bool

    @property
    def digest(self) -> str:
        return list_digest(self.listing.name, self.parent_id, self.listing.where)


def is_record(*kinds: type) -> Callable[[Any, Any], bool]:
    """An `is_type_of` for a GraphQL type whose objects are these records."""

    def is_type_of(value: Any, _info: Any) -> bool:
        return isinstance(value, Loaded) and isinstance(value.record, kinds)

    return is_type_of


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
