"""How a leaf is checked and shown in generated code: one short expression for each leaf type.

What graphql-core would take with a conversion (a float for an Int, say) is a surprise here, and
left to graphql-core.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from graphql import GraphQLEnumType, GraphQLLeafType

from schema.enums import UNRECOGNIZED
from schema.scalars import MINOR_UNITS_MAX

INT_MAX = 2**31 - 1
SHOWN_MAX = 10_000
"""Of one scalar's values that are kept as they were shown: instants of invoices repeat."""


class Surprise(Exception):
    """Something that generated code does not know; graphql-core decides."""


class Shown(dict[Any, Any]):
    """Values of a scalar as they are shown, each worked out once. Bounded."""

    def __init__(self, kind: type, show: Callable[[Any], Any], *, or_null: bool) -> None:
        self._kind, self._show = kind, show
        self._always = {None: None} if or_null else {}
        super().__init__(self._always)

    def __missing__(self, value: Any) -> Any:
        if value.__class__ is not self._kind:
            raise Surprise
        if len(self) >= SHOWN_MAX:
            self.clear()
            self.update(self._always)
        shown = self[value] = self._show(value)
        return shown


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


class Names(dict[Any, str | None]):
    """The names of an enumeration by Stripe's spelling, and by member."""

    def __missing__(self, value: Any) -> str:
        raise Surprise


class OpenNames(Names):
    """The same for an enumeration that may have values of tomorrow."""

    def __missing__(self, value: Any) -> str:
        if value is None:
            raise Surprise
        return UNRECOGNIZED


def _names_by_value(kind: GraphQLEnumType) -> Iterator[tuple[Any, str]]:
    names = {
        inner.value if isinstance(inner := one.value, enum.Enum) else inner: name
        for name, one in kind.values.items()
    }
    yield from names.items()
    yield from ((member, names[member.value]) for member in getattr(kind, "wrapped_cls", ()))


TEXT = "{v}.__class__ is not str"
CHECKS: dict[str, str] = {
    "String": TEXT,
    "ID": TEXT,
    "EventCursor": TEXT,
    "Boolean": "{v} is not True and {v} is not False",
    "Int": f"({{v}}.__class__ is not int or not -{INT_MAX + 1} <= {{v}} <= {INT_MAX})",
    "MinorUnits": "({v}.__class__ is not int or "
    f"not -{MINOR_UNITS_MAX} <= {{v}} <= {MINOR_UNITS_MAX})",
}
"""Under which condition a value is not what is shown as it is."""

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


def table_of(
    kind: GraphQLLeafType, *, or_null: bool = False, is_open: bool = False
) -> dict[Any, Any] | None:
    """What is shown for a value. None where there is no table, as for scalars that are shown by
    their own function.

    `or_null`: null is shown as null, and is else a surprise; `is_open`: of an enumeration also
    values that it does not know are shown.
    """
    if isinstance(kind, GraphQLEnumType):
        names = OpenNames if is_open else Names
        return names([*_names_by_value(kind), *([(None, None)] if or_null else [])])
    if kind.name in KEPT:
        return Shown(KEPT[kind.name], kind.serialize, or_null=or_null)
    return None
