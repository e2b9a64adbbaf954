"""Arguments reach resolvers as Strawberry converts them, for every field that has any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types.arguments import convert_arguments

from schema.cost import STRAWBERRY
from schema.inputs import converted
from schema.root import make_schema
from tests.support.long_form import examples

SCHEMA = make_schema()._schema


def fields_with_arguments() -> Iterator[tuple[str, GraphQLField]]:
    for kind in SCHEMA.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                if field.args and STRAWBERRY in field.extensions:
                    yield f"{kind.name}.{name}", field


FIELDS = dict(fields_with_arguments())


def values(kind: GraphQLInputType) -> st.SearchStrategy[Any]:
    """What graphql-core may make of an argument of this type."""
    if is_non_null_type(kind):
        return values(kind.of_type)
    return st.none() | _present(kind)


def _present(kind: Any) -> st.SearchStrategy[Any]:
    if is_non_null_type(kind):
        return _present(kind.of_type)
    if is_list_type(kind):
        return st.lists(values(kind.of_type), max_size=3)
    if is_input_object_type(kind):
        return given_of(kind.fields)
    if is_enum_type(kind):
        return st.sampled_from([one.value for one in kind.values.values()])
    return st.sampled_from(["in_1", "text", 7, True])


def given_of(arguments: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of them; what must not be null may be missing, too, which Strawberry does not ask."""
    return st.fixed_dictionaries(
        {}, optional={name: values(one.type) for name, one in arguments.items()}
    )


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
@settings(max_examples=examples(60))
@given(st.data())
def test_a_fields_arguments_are_converted_as_strawberry_does(
    field: GraphQLField, data: st.DataObject
) -> None:
    """Left out, null, nested and in lists."""
    sent = data.draw(given_of(field.args))
    made, owner = field.extensions[STRAWBERRY], SCHEMA.extensions[STRAWBERRY]

    expected = convert_arguments(
        sent, made.arguments, owner.schema_converter.scalar_registry, owner.config
    )

    assert converted(SCHEMA, made, sent) == expected
