"""Small makers of fields, so that a noun's module reads as its table of fields.

Each takes the record's attribute and the description for the API's user. Values are taken from
`Loaded.record`; nothing here fetches.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import strawberry

from schema.cost import priced
from schema.planner import NEEDS
from schema.ports import Loaded, Need, bad_input
from schema.scalars import DateTime

E = TypeVar("E", bound=enum.Enum)
F = TypeVar("F", bound=Callable[..., Any])


def is_record(*kinds: type) -> Callable[[Any, Any], bool]:
    """An `is_type_of` for a GraphQL type whose objects are these records."""

    def is_type_of(value: Any, _info: Any) -> bool:
        return isinstance(value, Loaded) and isinstance(value.record, kinds)

    return is_type_of


def read_attribute(source: object, name: str) -> object:
    """Strawberry's default resolver here: a field without a resolver is its record's attribute."""
    return getattr(source.record if type(source) is Loaded else source, name)


def plain(description: str) -> Any:
    """A field that is the record's attribute of the same name."""
    return strawberry.field(description=description)


def field(
    description: str,
    *,
    needs: Callable[..., Need | tuple[Need, ...]] | None = None,
    directives: Sequence[object] = (),
) -> Callable[[F], F]:
    """A field with a resolver. `needs` says what it needs loaded, given its arguments; such a
    field has a cost.
    """
    made: Callable[[F], F] = strawberry.field(
        description=description,
        metadata=None if needs is None else {NEEDS: needs},
        directives=priced(directives, needs),
    )
    return made


def instant_field(attribute: str, description: str) -> Any:
    def resolve(parent: strawberry.Parent[Any]) -> DateTime:
        return DateTime(getattr(parent.record, attribute))

    return strawberry.field(resolver=resolve, description=description)


def optional_instant_field(attribute: str, description: str) -> Any:
    def resolve(parent: strawberry.Parent[Any]) -> DateTime | None:
        value = getattr(parent.record, attribute)
        return None if value is None else DateTime(value)

    return strawberry.field(resolver=resolve, description=description)


def optional_id_field(attribute: str, description: str) -> Any:
    def resolve(parent: strawberry.Parent[Any]) -> strawberry.ID | None:
        value = getattr(parent.record, attribute)
        return None if value is None else strawberry.ID(value)

    return strawberry.field(resolver=resolve, description=description)


def recognize(kind: type[E], raw: str) -> E:
    """The enum's member for Stripe's spelling, UNRECOGNIZED for a value of tomorrow."""
    try:
        return kind(raw)
    except ValueError:
        return kind["UNRECOGNIZED"]


def recognized(value: enum.Enum, argument: str) -> str:
    """Stripe's spelling of an enum argument. Raises `Failed` for UNRECOGNIZED."""
    if value.name == "UNRECOGNIZED":
        known = ", ".join(m.name for m in type(value) if m.name != "UNRECOGNIZED")
        raise bad_input(f"{argument} must be one of {known}; UNRECOGNIZED is for output only")
    return str(value.value)
