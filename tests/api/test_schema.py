"""The schema that is printed, committed and shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, is_introspection_type, parse, validate
from typer.testing import CliRunner

import schema
from gateway.cli.commands import app
from schema.federation import subgraph_sdl
from schema.root import make_schema

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = sorted((ROOT / "gateway/console/src/operations").glob("*.graphql"))


def test_committed_sdl_is_what_the_code_prints() -> None:
    """API changes appear in review as a diff: run `make sdl` after a change."""
    committed = (ROOT / "schema/schema.graphql").read_text()

    assert committed == make_schema().as_str() + "\n"


def test_sdl_command_prints_the_schema() -> None:
    """Partners generate their types from it."""
    printed = CliRunner().invoke(app, ["sdl"])

    assert printed.output == make_schema().as_str() + "\n"


def test_sdl_command_prints_the_subgraph() -> None:
    """A composition reads it from a file."""
    printed = CliRunner().invoke(app, ["sdl", "--subgraph"])

    assert printed.output == subgraph_sdl()


def test_schema_package_is_ours() -> None:
    """`schema` is also a distribution on PyPI; that one must never shadow this package."""
    assert Path(schema.__file__).resolve().parent == ROOT / "schema"


def described_types() -> list[GraphQLNamedType]:
    types = make_schema()._schema.type_map.values()
    built_in = {"String", "Int", "Float", "Boolean", "ID"}
    return [one for one in types if not is_introspection_type(one) and one.name not in built_in]


def test_every_type_is_described() -> None:
    """A type without a sentence is a riddle for the API's user."""
    assert [one.name for one in described_types() if not one.description] == []


def test_every_field_is_described() -> None:
    """Meaning, unit, and when it is null, except where a connection's parts say it themselves."""
    bare = [
        f"{kind.name}.{name}"
        for kind in described_types()
        if isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items()
        if not field.description
    ]

    assert bare == []


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_sample_operations_are_valid(path: Path) -> None:
    """What GraphiQL opens with works."""
    errors = validate(make_schema()._schema, parse(path.read_text()))

    assert errors == []
