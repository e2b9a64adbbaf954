"""Values of arguments as resolvers take them: Strawberry's conversion, with what it asks of each
type, for every value of every call, asked once. Knows no noun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from graphql import GraphQLSchema
from strawberry.scalars import is_scalar
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional
from strawberry.types.base import get_object_definition as definition_of
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

from schema.cost import STRAWBERRY

Convert = Callable[[Any], Any]
Part = tuple[str, str, Convert | None]
"""A name in GraphQL, the one in Python, and what converts the value; None: it is taken as it is."""

_KNOWN = "inputs"


def converted(
    schema: GraphQLSchema, made: StrawberryField, values: dict[str, Any]
) -> dict[str, Any]:
    """graphql-core's values of a field's arguments as its resolver takes them."""
    known = schema.extensions.setdefault(_KNOWN, {})
    parts: list[Part] | None = known.get(id(made))
    if parts is None:
        owner = schema.extensions[STRAWBERRY]
        name_of = owner.config.name_converter.from_argument
        parts = known[id(made)] = [
            (name_of(one), one.python_name or "", _converter(owner, one.type))
            for one in made.arguments
        ]
    return _taken(parts, values)


def _taken(parts: list[Part], values: dict[str, Any]) -> dict[str, Any]:
    return {
        python_name: values[name] if convert is None else convert(values[name])
        for name, python_name, convert in parts
        if name in values
    }


def _converter(owner: Any, kind: Any) -> Convert | None:
    """What Strawberry would make of a value of this type."""
    if isinstance(kind, StrawberryOptional) and not isinstance(kind, StrawberryMaybe):
        return _converter(owner, kind.of_type)
    if isinstance(kind, StrawberryEnumDefinition) or has_enum_definition(kind):
        return None
    registry = owner.schema_converter.scalar_registry
    if isinstance(kind, StrawberryList):
        return _list_converter(_converter(owner, kind.of_type))
    if is_scalar(kind, registry):
        return None
    definition = definition_of(kind)
    if definition is not None and definition.is_input and definition.from_input is None:
        return _object_converter(owner, kind, definition.fields)
    return lambda value: convert_argument(value, kind, registry, owner.config)


def _list_converter(convert: Convert | None) -> Convert:
    def made(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return list(value) if convert is None else [convert(one) for one in value]

    return made


def _object_converter(owner: Any, kind: Any, fields: list[StrawberryField]) -> Convert:
    name_of = owner.config.name_converter.from_field
    parts = [
        (name_of(one), one.python_name, _converter(owner, one.resolve_type())) for one in fields
    ]
    # What may be left out without having a default is null then.
    without_default = (one for one in fields if one.default_value is MISSING)
    absent = {one.python_name: None for one in without_default if one.default_factory is MISSING}

    def made(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return kind(**{**absent, **_taken(parts, value)})

    return made
