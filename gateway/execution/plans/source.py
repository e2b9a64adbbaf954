"""Generated code as it grows: its text, the objects that it names, and what is bound before a run.

No text of a document gets in but names that GraphQL's grammar allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLSchema

from gateway.execution.plans.arguments import Arguments, arguments_of
from gateway.execution.plans.leaves import Surprise
from gateway.execution.plans.typed import hold
from schema.cost import field_definition
from schema.ports import Failed, Loaded, LoadedPage

NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*", re.ASCII)
"""A name of GraphQL, and the only text of a document that stands in generated code."""

LINES_MAX = 500
"""Of generated code, each of which takes about 10 microseconds to be made; a page of a frontend
takes a hundred."""

NAMES = {
    "Loaded": Loaded,
    "LOADED": (Loaded, LoadedPage),
    "Surprise": Surprise,
    "Failed": Failed,
    "LISTS": (list, tuple),
    "hold": hold,
}
"""What all generated code may name."""


class NotPlanned(Exception):
    """A selection that is left to graphql-core; says why."""


class Slots:
    """What is bound before a run, by number: the arguments of resolvers, and needs of fields."""

    def __init__(self) -> None:
        self.arguments: list[Arguments] = []
        self._numbers: dict[tuple[int, int], int] = {}

    def number(self, schema: GraphQLSchema, definition: GraphQLField, node: FieldNode) -> int:
        key = (id(node), id(definition))
        known = self._numbers.get(key)
        if known is None:
            made = field_definition(definition)
            assert made is not None
            self.arguments.append(arguments_of(schema, definition, made, node))
            known = self._numbers[key] = len(self.arguments) - 1
        return known


@dataclass(slots=True)
class Source:
    """Generated code: its text, and the objects that it names."""

    lines_max: int
    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    awaited: list[str] = field(default_factory=list)
    _known: dict[int, str] = field(default_factory=dict)

    def add(self, *lines: str) -> None:
        self.lines += lines
        if len(self.lines) > self.lines_max:
            raise NotPlanned("size")

    def constant(self, prefix: str, value: Any) -> str:
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = f"{prefix}{len(self.names)}"
            self.names[known] = value
        return known

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def key_of(key: str) -> str:
    """A response key in generated code."""
    if not NAME.fullmatch(key):
        raise NotPlanned("name")
    return repr(key)
