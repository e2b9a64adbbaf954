"""Generated code as it grows: its text, the objects that it names, and what is bound before a run.

No text of a document gets in but names that GraphQL's grammar allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from graphql import FieldNode, GraphQLField, GraphQLSchema

from gateway.execution.plans.arguments import Arguments, arguments_of
from gateway.execution.plans.leaves import Surprise
from gateway.execution.plans.typed import hold, hold_plain
from schema.cost import field_definition
from schema.ports import Failed, Loaded, LoadedPage

NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*", re.ASCII)
"""A name of GraphQL, and the only text of a document that stands in generated code."""

LINES_MAX = 500
"""Of generated code, each of which takes about 10 microseconds to be made; a page of a frontend
takes a hundred."""

KEYS_MAX = 1000
"""Response keys that are known to be names: an application has hundreds."""

NAMES = {
    "Loaded": Loaded,
    "LOADED": (Loaded, LoadedPage),
    "Surprise": Surprise,
    "Failed": Failed,
    "LISTS": (list, tuple),
    "hold": hold,
    "hold_plain": hold_plain,
    "dumps": orjson.dumps,
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
class Functions:
    """Generated functions with what they name. Those of equal text are one, also of several
    documents, whose next answers are then as quick as the first document's later ones.

    Each object has its own name, so functions of equal text name the same objects.
    """

    names: dict[str, Any] = field(default_factory=lambda: dict(NAMES))
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    """Names of functions by what they are called after, and by their text without the name."""
    _constants: dict[int, str] = field(default_factory=dict)

    def constant(self, prefix: str, value: Any) -> str:
        known = self._constants.get(id(value))
        if known is None:
            known = self._constants[id(value)] = f"{prefix}{len(self._constants)}"
            self.names[known] = value
        return known


@dataclass(slots=True)
class Source:
    """The generated code of one plan as it grows."""

    lines_max: int
    functions: Functions
    awaited: list[str] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)
    """By name, and without it; each after those that it calls."""
    _lines: int = 0
    _new: dict[tuple[str, str], str] = field(default_factory=dict)

    def function(self, kind: str, parameters: str, lines: list[str]) -> str:
        """The name of a function with this body."""
        return self._named(kind, "def {}(" + parameters + "):\n    " + "\n    ".join(lines), lines)

    def table(self, kind: str, functions: dict[str, str]) -> str:
        """The name of a table of functions."""
        items = ", ".join(f"{key!r}: {function}" for key, function in functions.items())
        return self._named(f"{kind}_by_type", "{} = {" + items + "}", [items])

    def _named(self, kind: str, text: str, lines: list[str]) -> str:
        self._lines += len(lines) + 2
        if self._lines > self.lines_max:
            raise NotPlanned("size")
        key = (kind, text)
        name = self.functions.known.get(key) or self._new.get(key)
        if name is None:
            name = f"{kind}_{len(self.functions.known) + len(self._new) + 1}"
            self._new[key] = name
        self._texts[name] = text
        return name

    def made(self) -> dict[str, Any]:
        """What is new compiled, and all functions by their names."""
        text = _text({name: text for (_, text), name in self._new.items()})
        exec(compile(text, "<plan>", "exec"), self.functions.names)
        self.functions.known |= self._new
        return self.functions.names

    @property
    def text(self) -> str:
        return _text(self._texts)


def _text(texts: dict[str, str]) -> str:
    return "\n\n".join(text.replace("{}", name, 1) for name, text in texts.items()) + "\n"


@lru_cache(KEYS_MAX)
def key_of(key: str) -> str:
    """A response key in generated code."""
    if not NAME.fullmatch(key):
        raise NotPlanned("name")
    return repr(key)
