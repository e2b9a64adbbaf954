"""Arguments that hold variables are put together as graphql-core does it, or left to it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    parse,
)
from graphql.execution.values import VariableValues, get_argument_values
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.execution.plans.arguments import arguments_of
from gateway.execution.plans.leaves import Surprise
from schema.cost import STRAWBERRY
from schema.inputs import converted
from schema.root import make_schema
from tests.support.long_form import examples

SCHEMA = make_schema()._schema
FIELDS = {
    f"{kind}.{name}": (kind, name)
    for kind in ("Mutation", "Query", "Customer")
    for name, field in SCHEMA.type_map[kind].fields.items()
    if field.args and STRAWBERRY in field.extensions
}


class Writing:
    """One value as a document has it, some of it in variables, which may be null or not given."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.variables: dict[str, Any] = {}

    def value(self, kind: Any, *, among: int = 3) -> str:
        if self.draw(st.integers(0, among)) == 0:
            return self.variable(kind)
        if is_non_null_type(kind):
            return self.present(kind.of_type)
        return "null" if self.draw(st.integers(0, 5)) == 0 else self.present(kind)

    def variable(self, kind: Any) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name] = self.draw(st.sampled_from([self.coerced(kind), None, ...]))
        return f"${name}"

    def coerced(self, kind: Any) -> Any:
        named = get_named_type(kind)
        if is_input_object_type(named):
            return {}
        return next(iter(named.values.values())).value if is_enum_type(named) else "in_1"

    def present(self, kind: Any) -> str:
        if is_list_type(kind):
            return f"[{', '.join(self.value(kind.of_type) for _ in range(self.draw(_FEW)))}]"
        if is_enum_type(kind):
            return self.draw(st.sampled_from(sorted(kind.values)))
        if is_input_object_type(kind):
            names = self.draw(st.lists(st.sampled_from(sorted(kind.fields)), unique=True))
            needed = [name for name, one in kind.fields.items() if is_non_null_type(one.type)]
            fields = (f"{name}: {self.value(kind.fields[name].type)}" for name in {*names, *needed})
            return f"{{{', '.join(fields)}}}"
        return {"Int": "7", "Boolean": "true"}.get(kind.name, '"2026-01-01T00:00:00Z"')


_FEW = st.integers(0, 2)


@st.composite
def written(draw: st.DrawFn, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    writing = Writing(draw)
    names = draw(st.lists(st.sampled_from(sorted(arguments)), unique=True, min_size=1))
    texts = [f"{name}: {writing.value(arguments[name].type, among=8)}" for name in names]
    given = {name: value for name, value in writing.variables.items() if value is not ...}
    return f"({', '.join(texts)})", given


@pytest.mark.parametrize(("kind", "name"), FIELDS.values(), ids=FIELDS.keys())
@settings(max_examples=examples(100))
@given(st.data())
def test_arguments_are_what_graphql_core_makes_of_them(
    kind: str, name: str, data: st.DataObject
) -> None:
    """Nested inputs, exactly one of several, null, defaults, and variables that were not given:
    the same values, or graphql-core is asked, which refuses them."""
    definition = SCHEMA.type_map[kind].fields[name]
    made = definition.extensions[STRAWBERRY]
    text, coerced = data.draw(written(definition.args))
    variables = VariableValues({}, coerced)
    operation = parse(f"{{ {name}{text} }}").definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    node = operation.selection_set.selections[0]
    assert isinstance(node, FieldNode)

    try:
        values = get_argument_values(definition, node, variables)
        expected = converted(SCHEMA, made, values)
    except GraphQLError:
        expected = None
    try:
        shown = arguments_of(SCHEMA, definition, made, node).given(variables)
    except (GraphQLError, Surprise):
        shown = None

    assert shown == expected
