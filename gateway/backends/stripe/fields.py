"""One of Stripe's objects, field by field, checked: the value of the right type, or its default.

It knows JSON, Stripe's scalars and expandable references, and no noun. A field without which the
object means nothing raises `Failed` UPSTREAM_ERROR that names the object and the field, and so
does an amount that is no whole number; any other bad value counts as missing, so that what Stripe
may send tomorrow is never a crash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from gateway.ledger.decimals import exact_decimal
from schema.ports import GATEWAY_KEY, Deleted, ErrorCode, Failed
from schema.records import INSTANT_MAX, Metadata

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


def malformed(kind: str, object_id: object, path: str, reason: str) -> Failed:
    """What is raised for an object of Stripe's that cannot be read."""
    name = object_id if is_id(object_id) else "without an id"
    return Failed(
        ErrorCode.UPSTREAM_ERROR,
        f"Stripe's {kind} {name} cannot be read: {path} {reason}",
        stripeObject=object_id if is_id(object_id) else None,
        field=path,
    )


def is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Fields:
    """One object as Stripe sent it; `kind` is Stripe's own name for what it must be."""

    raw: Mapping[str, Any]
    kind: str
    id: str

    def malformed(self, path: str, reason: str) -> Failed:
        return malformed(self.kind, self.id, path, reason)

    def value(self, path: str) -> Any:
        """What stands at a dotted path; None when it, or an object on the way, is missing."""
        found: Any = self.raw
        for key in path.split("."):
            if not isinstance(found, dict):
                return None
            found = found.get(key)
        return found

    def text(self, path: str) -> str | None:
        value = self.value(path)
        return whole_text(value) if isinstance(value, str) else None

    def needed_text(self, path: str) -> str:
        value = self.text(path)
        if not value:
            raise self.malformed(path, "must be a string")
        return value

    def currency(self, path: str = "currency") -> str:
        """Stripe's code in lower case; one that Stripe adds tomorrow is taken as it is."""
        value = self.needed_text(path)
        if not (value.isascii() and value.isalnum()):
            raise self.malformed(path, "must be a currency code")
        return value.lower()

    def flag(self, path: str) -> bool:
        """False unless it is plainly true."""
        return self.value(path) is True

    def amount(self, path: str) -> int | None:
        """A whole number of the currency's smallest unit, or None when it is missing."""
        value = self.value(path)
        if value is None or type(value) is int:
            return value
        raise self.malformed(path, f"must be a whole number, got {type(value).__name__}")

    def needed_amount(self, path: str) -> int:
        value = self.amount(path)
        if value is None:
            raise self.malformed(path, "must be a whole number, and is missing")
        return value

    def number(self, path: str) -> int | None:
        """A whole number that is no money."""
        value = self.value(path)
        return value if type(value) is int else None

    def decimal(self, path: str) -> str | None:
        """A number that is no money and may have places."""
        return exact_decimal(self.text(path))

    def instant(self, path: str) -> int | None:
        """Epoch seconds."""
        value = self.value(path)
        return value if type(value) is int and 0 <= value <= INSTANT_MAX else None

    def needed_instant(self, path: str) -> int:
        value = self.instant(path)
        if value is None:
            raise self.malformed(path, "must be epoch seconds")
        return value

    def reference(self, path: str) -> str | None:
        """The id of another object, which may stand there itself, expanded.

        Whose an object is hangs on its references, so a bad one is never taken for none.
        """
        value = self.value(path)
        if isinstance(value, Mapping):
            value = value.get("id", value)
        if value is None:
            return None
        if not is_id(value):
            raise self.malformed(path, "must be an id or an object with one")
        return value

    def needed_reference(self, path: str) -> str:
        value = self.reference(path)
        if value is None:
            raise self.malformed(path, "must be an id, and is missing")
        return value

    def metadata(self) -> Metadata:
        value = self.raw.get("metadata")
        if not isinstance(value, Mapping):
            return ()
        return tuple(
            (whole_text(key), whole_text(entry))
            for key, entry in value.items()
            if isinstance(entry, str) and key != GATEWAY_KEY
        )


def fields_of(raw: object, kind: str) -> Fields:
    """The object with its id. Raises `Failed`: NOT_FOUND for one that Stripe says is deleted."""
    if not isinstance(raw, Mapping):
        raise malformed(kind, None, "the object", f"must be one, got {type(raw).__name__}")
    object_id: object = raw.get("id")
    if not is_id(object_id):
        raise malformed(kind, None, "id", "must be an id")
    if raw.get("deleted") is True:
        raise Deleted(kind, object_id)
    if raw.get("object", kind) != kind:
        raise malformed(kind, object_id, "object", "must say what was asked for")
    return Fields(raw, kind, object_id)


def whole_text(value: str) -> str:
    """The text with half surrogate pairs replaced: JSON can carry them, UTF-8 cannot."""
    if value.isascii():
        return value
    return value.encode(errors="replace").decode()
