"""How a leaf is checked and shown in generated code: one short expression for each leaf type.

What graphql-core would take with a conversion (a float for an Int, say) is a surprise here, and
left to graphql-core.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import orjson
from graphql import GraphQLEnumType, GraphQLLeafType, GraphQLScalarType

from schema.enums import UNRECOGNIZED
from schema.scalars import MINOR_UNITS_MAX

INT_MAX = 2**31 - 1
SHOWN_MAX = 10_000
"""Of one scalar's values that are kept as they were shown: instants of invoices repeat."""


class Surprise(Exception):
    """Something that generated code does not know; graphql-core decides."""


class Shown(dict[Any, Any]):
    """Values of a scalar as they are shown, each worked out once. Bounded."""

    def __init__(self, kind: type, show: Callable[[Any], Any], *, is_nullable: bool) -> None:
        super().__init__()
        self._kind, self._show, self._is_nullable = kind, show, is_nullable

    def __missing__(self, value: Any) -> Any:
        is_null = value is None and self._is_nullable
        if not is_null and value.__class__ is not self._kind:
            raise Surprise
        if len(self) >= SHOWN_MAX:
            self.clear()
        shown = self[value] = None if is_null else self._show(value)
        return shown


class Names(dict[Any, str]):
    """The names of an enumeration by Stripe's spelling, and by member."""

    def __missing__(self, value: Any) -> str:
        raise Surprise


class Recognized(dict[str | None, str | None]):
    """The names of an enumeration that may have values of tomorrow, by Stripe's spelling; null is
    shown as it is."""

    def __missing__(self, value: Any) -> str:
        return UNRECOGNIZED


def names_of(kind: GraphQLEnumType) -> Names:
    names = Names()
    for name, value in kind.values.items():
        inner = value.value
        names[inner.value if isinstance(inner, enum.Enum) else inner] = name
    wrapped = getattr(kind, "wrapped_cls", ())
    for member in wrapped:
        names[member] = names[member.value]
    return names


TEXT = "{v}.__class__ is str"
CHECKS: dict[str, str] = {
    "String": TEXT,
    "ID": TEXT,
    "EventCursor": TEXT,
    "Boolean": "{v} is True or {v} is False",
    "Int": f"{{v}}.__class__ is int and -{INT_MAX + 1} <= {{v}} <= {INT_MAX}",
    "MinorUnits": f"{{v}}.__class__ is int and -{MINOR_UNITS_MAX} <= {{v}} <= {MINOR_UNITS_MAX}",
}
"""Under which condition a value is shown as it is."""

TYPES: dict[str, type] = {
    "String": str,
    "ID": str,
    "EventCursor": str,
    "Boolean": bool,
    "MinorUnits": int,
}
"""Scalars that are shown as they are wherever a record is held to have this type."""

KEPT: dict[str, type] = {"DateTime": int, "CurrencyCode": str}
"""Scalars whose shown values are kept, by the type of what is behind."""


class Texts(dict[Any, str]):
    """What a table shows, as JSON. Bounded, as any text may be asked for."""

    def __init__(self, table: dict[Any, Any]) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, value: Any) -> str:
        if len(self) >= SHOWN_MAX:
            self.clear()
        text = self[value] = orjson.dumps(self._table[value]).decode()
        return text


def recognized_by(kind: GraphQLEnumType) -> Recognized:
    return Recognized({None: None, **names_of(kind)})


def shown_by(
    kind: GraphQLLeafType, *, is_nullable: bool = False
) -> Callable[[Any], Any] | dict[Any, Any] | None:
    """What makes the shown value of another; None where a check is enough. A table may know null,
    as well."""
    if isinstance(kind, GraphQLEnumType):
        return names_of(kind)
    if kind.name in CHECKS:
        return None
    assert isinstance(kind, GraphQLScalarType)
    if kind.name in KEPT:
        return Shown(KEPT[kind.name], kind.serialize, is_nullable=is_nullable)
    return kind.serialize
