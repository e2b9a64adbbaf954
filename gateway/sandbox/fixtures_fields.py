"""One Stripe-shaped object, field by field: the type asked for, or a problem that names it.

It knows JSON and Stripe's scalars, no noun and no rule between two fields. A field that is null
counts as missing, as Stripe prints null for what there is none of. A bad value is reported and
read as missing, so that one mistake hides no other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.ledger.invariants import Violation
from schema.node import ID_LENGTH_MAX
from schema.records import INSTANT_MAX, Metadata
from schema.scalars import MINOR_UNITS_MAX

PROBLEMS_KEPT_MAX = 100
"""Nobody reads more at once; the rest is counted."""

DEFAULT_CREATED = 1_767_225_600
"""2026-01-01T00:00:00Z. An object without `created` gets this plus its position in its list."""

AMOUNT = "a whole number of the smallest unit, such as 1299"

_ID = re.compile(r"([a-z]+)_[A-Za-z0-9_]+", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_SHOWN_MAX = 40


@dataclass(slots=True)
class Problems:
    """Everything that was found wrong, each once: the first ones, how many, and with what."""

    kept: list[Violation] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    _known: set[Violation] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self._known)

    def add(self, violation: Violation) -> None:
        if violation in self._known:
            return
        self._known.add(violation)
        self.ids.add(violation.id)
        if len(self.kept) < PROBLEMS_KEPT_MAX:
            self.kept.append(violation)


@dataclass(frozen=True, slots=True)
class StripeObject:
    """One object as it was sent. `name` stands in problems, `position` is from 0 in its list."""

    raw: Mapping[str, Any]
    name: str
    position: int
    problems: Problems
    within: str = ""

    def problem(self, path: str, reason: str) -> None:
        self.problems.add(Violation(self.name, self.within + path, reason))

    def value(self, path: str) -> Any:
        """What stands at a dotted path; None when it, or an object on the way, is missing."""
        found: Any = self.raw
        for at, key in enumerate(steps := path.split(".")):
            if not isinstance(found, Mapping):
                self.problem(".".join(steps[:at]), f"must be an object, got {shown(found)}")
                return None
            found = found.get(key)
            if found is None:
                return None
        return found

    def lacks(self, path: str) -> bool:
        """Whether the field is missing; what is wrong on the way to it is a problem of its own."""
        parent = path.rpartition(".")[0]
        above = self.value(parent) if parent else self.raw
        return self.value(path) is None and (above is None or isinstance(above, Mapping))

    def whole(self, path: str, *, least: int | None = 0, form: str = AMOUNT) -> int | None:
        """A whole number; floats, strings and booleans are not taken for one."""
        value = self.value(path)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(path, f"must be {form}, got {shown(value)}")
            return None
        lowest = -MINOR_UNITS_MAX if least is None else least
        if not lowest <= value <= MINOR_UNITS_MAX:
            reason = f"must lie between {lowest} and {MINOR_UNITS_MAX}, got {shown(value)}"
            self.problem(path, reason)
            return None
        return value

    def needed_whole(self, path: str, *, least: int | None = 0) -> int:
        """A whole number that the object cannot do without; 0 stands in when it is missing."""
        if self.lacks(path):
            self.problem(path, f"is missing: it must be {AMOUNT}")
        return self.whole(path, least=least) or 0

    def instant(self, path: str) -> int | None:
        """Epoch seconds."""
        value = self.value(path)
        if value is None or (type(value) is int and 0 <= value <= INSTANT_MAX):
            return value
        self.problem(
            path,
            f"must be epoch seconds, a whole number such as {DEFAULT_CREATED}, got {shown(value)}",
        )
        return None

    def instant_of(self, path: str, *, implied: bool) -> int | None:
        """Epoch seconds of a step; `created` where the status implies it and none is stated."""
        stated = self.instant(path)
        return self.created if stated is None and implied else stated

    @property
    def created(self) -> int:
        stated = self.instant("created")
        return DEFAULT_CREATED + self.position if stated is None else stated

    def text(self, path: str) -> str | None:
        value = self.value(path)
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(path, f"must be a string, got {shown(value)}")
            return None
        if not _is_unicode(value):
            self.problem(path, "must be whole Unicode characters, got half a surrogate pair")
            return None
        return value

    def flag(self, path: str) -> bool:
        """A boolean, false when missing."""
        value = self.value(path)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.problem(path, f"must be true or false, got {shown(value)}")
        return False

    def choice(self, path: str, known: Collection[str]) -> str | None:
        """One of Stripe's words."""
        value = self.value(path)
        if value is None or (isinstance(value, str) and value in known):
            return value
        self.problem(path, f"must be one of {', '.join(sorted(known))}, got {shown(value)}")
        return None

    def currency(self, path: str = "currency") -> str | None:
        """Three letters, in lower case as Stripe keeps them."""
        value = self.value(path)
        if value is None:
            return None
        if isinstance(value, str) and _CURRENCY.fullmatch(value):
            return value.lower()
        self.problem(path, f"must be three letters of ISO 4217, such as usd, got {shown(value)}")
        return None

    def needed_currency(self, path: str = "currency") -> str:
        if self.lacks(path):
            self.problem(path, "is missing: it must be three letters of ISO 4217, such as usd")
        return self.currency(path) or ""

    def reference(self, path: str, *prefixes: str) -> str | None:
        """The id of another object; the object itself in its place stands for its id."""
        value = self.value(path)
        if isinstance(value, Mapping):
            value = value.get("id", value)
        if value is None or is_id(value, *prefixes):
            return cast("str | None", value)
        self.problem(path, f"must be {id_form(*prefixes)}, got {shown(value)}")
        return None

    def needed_reference(self, path: str, prefix: str) -> str:
        if self.lacks(path):
            self.problem(path, f"is missing: it must be {id_form(prefix)}")
        return self.reference(path, prefix) or ""

    def metadata(self) -> Metadata:
        value = self.value("metadata")
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            self.problem("metadata", f"must be an object of strings, got {shown(value)}")
            return ()
        for key, entry in value.items():
            if not isinstance(entry, str) or not _is_unicode(key + entry):
                self.problem(f"metadata.{printable(key)}", f"must be a string, got {shown(entry)}")
        return tuple(value.items())

    def parts(self, path: str) -> Iterator[StripeObject]:
        """The objects of a list inside this one, plain or as Stripe's `{data: [...]}`."""
        for at, raw in enumerate(listed(self.value(path), self, path)):
            place = f"{path}[{at}]"
            if isinstance(raw, Mapping):
                yield StripeObject(raw, self.name, at, self.problems, f"{place}.")
            else:
                self.problem(place, f"must be an object, got {shown(raw)}")


def listed(value: Any, owner: StripeObject, path: str) -> list[Any]:
    """The members of a list, plain or as Stripe's `{data: [...]}`; none when it is missing."""
    members = value.get("data") if isinstance(value, Mapping) else value
    if isinstance(members, list):
        return members
    if value is not None:
        owner.problem(
            path, f"must be a list, or an object with the list in data, got {shown(value)}"
        )
    return []


def is_id(value: object, *prefixes: str) -> bool:
    if not isinstance(value, str) or len(value) > ID_LENGTH_MAX:
        return False
    match = _ID.fullmatch(value)
    return match is not None and match[1] in prefixes


def id_form(*prefixes: str) -> str:
    begin = " or ".join(f"{prefix}_" for prefix in prefixes)
    return f"an id of {begin} followed by letters, digits and underscores"


def shown(value: object) -> str:
    """What was sent, short and printable."""
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "a list"
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**_SHOWN_MAX else "a giant"
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def printable(name: str) -> str:
    """A key that anyone may have chosen, short and safe to print."""
    return shown(name)[1:-1] if len(name) < _SHOWN_MAX else shown(name)


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
