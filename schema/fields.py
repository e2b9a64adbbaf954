"""Makers of fields, so that a noun's module reads as its table of fields.

A field shows an attribute of the record behind its object, or what was loaded for it before
execution. Each takes the description for the API's user; nothing here fetches.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from schema.cost import Cost, ListSize
from schema.enums import UNRECOGNIZED
from schema.ports import Computed, ErrorCode, Failed, Link, Loaded, Need, Viewer

F = TypeVar("F", bound=Callable[..., Any])


class RecordField(StrawberryField):
    """Shows one attribute of the record, by default the one of its own name, or what `show` makes
    of the record. Scalars and enumerations take the record's values as they are.
    """

    attribute: str = ""
    show: Callable[[Any], Any] | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.attribute = self.attribute or name

    def __copy__(self) -> RecordField:
        made = super().__copy__()
        made.attribute, made.show = self.attribute, self.show
        return made

    def get_result(self, source: Any, info: object, args: object, kwargs: object) -> Any:
        record = source.record if type(source) is Loaded else source
        return getattr(record, self.attribute) if self.show is None else self.show(record)


class EnumField(RecordField):
    """The same for an enumeration that may have values of tomorrow."""

    known: frozenset[str]

    def get_result(self, source: Any, info: object, args: object, kwargs: object) -> Any:
        value = getattr(source.record, self.attribute)
        return value if value is None or value in self.known else UNRECOGNIZED


def plain(description: str, of: str = "") -> Any:
    """A field that is the record's attribute `of`, or the one of its own name."""
    made = RecordField(description=description)
    made.attribute = of
    return made


def described(description: str) -> Any:
    """A field of an input, or of an object that is made here and no record."""
    return strawberry.field(description=description)


def optional(description: str, default: object = None) -> Any:
    """The same, which may be left out."""
    return strawberry.field(default=default, description=description)


def derived(description: str, show: Callable[[Any], object]) -> Any:
    """A field that is worked out of nothing but the record."""
    made = RecordField(description=description)
    made.show = show
    return made


def enumerated(kind: type[enum.Enum], description: str, of: str = "") -> Any:
    """A field that shows Stripe's string as a member of this enumeration."""
    made = EnumField(description=description)
    made.attribute, made.known = of, frozenset(one.value for one in kind)
    return made


def require(viewer: Viewer, scope: str) -> None:
    """Raises `Failed` FORBIDDEN, which means a missing scope and nothing else: what belongs to
    someone else is NOT_FOUND.
    """
    if scope not in viewer.scopes:
        raise Failed(ErrorCode.FORBIDDEN, f"this needs the scope {scope}, which this caller lacks")


Wanted = Need | Callable[..., Need | tuple[Need, ...]]
"""What a field needs: always the same, or made from its arguments."""


class LoadedField(StrawberryField):
    """Shows what was loaded before execution. The planner asks `wanted` what that is, and so does
    the field when it is resolved: they cannot disagree.
    """

    wanted: Wanted
    named: Callable[[str], Wanted] | None = None
    scope: str | None = None
    """The right without which the field is FORBIDDEN."""
    show: Callable[[Any, Any], Any] | None = None
    """What becomes of the parent and the loaded value; the value itself where there is none."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        if self.named is not None:
            self.wanted = self.named(name)
        self.init = self.repr = self.compare = False
        if callable(self.wanted):
            self(self.wanted)  # Its arguments are the field's.

    @property
    def is_basic_field(self) -> bool:
        """Strawberry's word for a field that is resolved without arguments and context."""
        return self.scope is None and super().is_basic_field

    def get_result(
        self, source: Any, info: Info | None, args: object, kwargs: dict[str, Any]
    ) -> Any:
        if self.scope is not None:
            assert info is not None
            require(info.context.viewer, self.scope)
        need = self.wanted(**kwargs) if callable(self.wanted) else self.wanted
        if isinstance(need, tuple):
            return [source.children[one] for one in need]  # A failure costs its own place.
        value = source.child(need)
        return value if self.show is None else self.show(source, value)


def loaded(
    description: str,
    wanted: Wanted | None = None,
    *,
    named: Callable[[str], Wanted] | None = None,
    cost: int = 1,
    size: ListSize | None = None,
    scope: str | None = None,
    show: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """A field that shows what was loaded for it: `wanted`, or what `named` makes of its name."""
    directives = [Cost(weight=str(cost)), *([] if size is None else [size])]
    made = LoadedField(description=description, directives=directives)
    if wanted is not None:
        made.wanted = wanted
    made.named, made.scope, made.show = named, scope, show
    return made


def linked(description: str, *, cost: int = 1) -> Any:
    """A field that leads to the one object that the record points to under the field's name."""
    return loaded(description, named=Link, cost=cost)


def computed(description: str, *, cost: int = 1, scope: str | None = None) -> Any:
    """A field that shows what the backend works out under the field's name."""
    return loaded(description, named=Computed, cost=cost, scope=scope)


def field(description: str, **given: Any) -> Callable[[F], F]:
    """A field with a resolver of its own, which needs nothing loaded."""
    made: Callable[[F], F] = strawberry.field(description=description, **given)
    return made
