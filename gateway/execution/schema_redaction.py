"""What callers who may not introspect are told of the schema: nothing that they have not said.

graphql-core can hide its suggestions, but its messages still name types, fields and arguments. A
name of the schema that the caller has not sent is left out of the message; prose is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
    is_specified_scalar_type,
)

HIDDEN = "…"
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_SUGGESTION = re.compile(r" ?Did you mean [^?]*\?")
"""graphql-core keeps one, which repeats the field that was sent, though told to hide them."""
_OPENING = "'.[@("
"""What stands before a name that is meant as one. Plain words such as `type` are also prose."""
_PUBLIC = frozenset({"Query", "Mutation", "Subscription"})


class SchemaRedaction:
    """Takes the names of one schema out of messages."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._names = frozenset(_names_of(schema)) - _PUBLIC

    def applied(self, errors: Iterable[GraphQLError], *, sent: str) -> list[GraphQLError]:
        """The same errors with discreet messages. `sent` is all that the caller has said."""
        said = frozenset(_NAME.findall(sent))
        for error in errors:
            error.message = self._discreet(error.message, said)
        return [*errors]

    def _discreet(self, message: str, said: frozenset[str]) -> str:
        def shown(match: re.Match[str]) -> str:
            name = match[0]
            if name in said or name not in self._names:
                return name
            is_prose = name.islower() and message[match.start() - 1 : match.start()] not in _OPENING
            return name if is_prose else HIDDEN

        return _NAME.sub(shown, _SUGGESTION.sub("", message))


def _names_of(schema: GraphQLSchema) -> Iterator[str]:
    for kind in schema.type_map.values():
        if is_specified_scalar_type(kind) or kind.name.startswith("__"):
            continue
        yield kind.name
        if is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind):
            yield from _names_of_fields(kind.fields)
        elif is_enum_type(kind):
            yield from kind.values


def _names_of_fields(fields: Any) -> Iterator[str]:
    for name, field in fields.items():
        yield name
        yield from getattr(field, "args", ())
