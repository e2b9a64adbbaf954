"""What is known of records before a leaf is shown: the declared types of their fields, which each
record is held to once.

A record is frozen, so what was found stays true, and generated code need not look at each leaf of
each answer. A record with anything else in it is a surprise, and left to graphql-core.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from gateway.execution.plans.leaves import Surprise
from schema import records
from schema.scalars import MINOR_UNITS_MAX

RECORDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(records.Record)}
"""The classes of records by the names of their types in the graph."""

CHECKED: Mapping[type, str] = {
    str: "{v}.__class__ is str",
    bool: "{v}.__class__ is bool",
    int: f"{{v}}.__class__ is int and -{MINOR_UNITS_MAX} <= {{v}} <= {MINOR_UNITS_MAX}",
}
"""Under which condition a field's value is of its type; fields of other types are not checked."""


@cache
def declared(name: str) -> Mapping[str, tuple[type, bool]]:
    """The checked fields of this class of records: the type, and whether it may be null. None of
    what is no record."""
    if name not in RECORDS:
        return {}
    found, hints = {}, get_type_hints(RECORDS[name])
    for one in fields(RECORDS[name]):
        types = set(get_args(hints[one.name]) or (hints[one.name],))
        is_nullable = NoneType in types
        types.discard(NoneType)
        if len(types) == 1 and types <= CHECKED.keys():
            found[one.name] = (types.pop(), is_nullable)
    return found


def hold(record: Any, kind: type[Any]) -> None:
    """Remember that the record is of this class and that its fields are of their types. Raises
    `Surprise` where they are not."""
    if record.__class__ is not kind or not _is_typed(kind.__name__)(record):
        raise Surprise
    object.__setattr__(record, "typed_as", kind)


PLAIN = re.compile(r'[^"\\\x00-\x1f\x7f\ud800-\udfff]*')
"""What JSON shows as it is."""


def hold_plain(record: Any, kind: type[Any]) -> bool:
    """Remember whether JSON shows all texts of the record as they are, as well. Raises `Surprise`
    like `hold`."""
    hold(record, kind)
    names = [name for name, (one, _) in declared(kind.__name__).items() if one is str]
    texts = [text for name in names if (text := getattr(record, name)) is not None]
    is_plain = PLAIN.fullmatch("".join(texts)) is not None
    object.__setattr__(record, "plain_as", kind if is_plain else None)
    return is_plain


@cache
def _is_typed(name: str) -> Callable[[Any], bool]:
    """Whether all checked fields of a record of this class are of their types."""
    conditions = []
    for field, (kind, is_nullable) in declared(name).items():
        null = f"r.{field} is None or " if is_nullable else ""
        conditions.append(f"({null}{CHECKED[kind].format(v=f'r.{field}')})")
    found: Callable[[Any], bool] = eval(f"lambda r: {' and '.join(conditions)}")
    return found
