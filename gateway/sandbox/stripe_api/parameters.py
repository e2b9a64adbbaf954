"""What each operation takes: tables of parameters with their kinds, and the check against them.

The tables stand in `operations.toml`. A kind turns what was sent into a value or raises Stripe's
error for it. Unknown names are refused, as Stripe does; parameters that exist in preview versions
only are unknown to others.
Source: https://docs.stripe.com/error-codes, 2026-10-28.endive.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.sandbox.stripe_api.errors import StripeError, invalid, missing, unsupported
from schema.ports import (
    METADATA_ENTRIES_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_VALUE_LENGTH_MAX,
)

Kind = Callable[[Any, str], Any]
"""Turns what was sent for the parameter of this name into its value. Raises `StripeError`."""

TEXT_LENGTH_MAX = 5_000
AMOUNT_MAX = 999_999_999_999
"""Twelve digits, as for IDR; Stripe allows fewer for most currencies.

Source: https://docs.stripe.com/currencies (minimum and maximum amounts)."""

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of a table. `preview`: known to preview versions only."""

    kind: Kind
    required: bool = False
    preview: bool = False


Table = Mapping[str, Parameter]


def checked(given: Mapping[str, Any], known: Table, *, in_preview: bool) -> dict[str, Any]:
    """The values of what was given. Raises `StripeError`: unknown names before missing ones."""
    known = {name: row for name, row in known.items() if in_preview or not row.preview}
    return _values(given, known, "")


def _values(given: Mapping[str, Any], known: Table, within: str) -> dict[str, Any]:
    unknown = [_named(within, name) for name in given if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        names = ", ".join(unknown)
        raise invalid(
            f"Received unknown parameter{plural}: {names}", unknown[0], "parameter_unknown"
        )
    for name, row in known.items():
        if row.required and name not in given:
            raise missing(_named(within, name))
    return {name: known[name].kind(raw, _named(within, name)) for name, raw in given.items()}


def _named(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name


def text(raw: Any, name: str) -> str:
    """A string that cannot be unset."""
    value = _string(raw, name)
    if value == "":
        raise _empty(name)
    return value


def clearable(raw: Any, name: str) -> str | None:
    """A string; the empty one unsets it."""
    return _string(raw, name) or None


def _string(raw: Any, name: str) -> str:
    if not isinstance(raw, str):
        raise invalid(f"Invalid string: {name} must be a string, not a hash", name)
    if len(raw) > TEXT_LENGTH_MAX:
        raise invalid(
            f"Invalid string: {name} must be at most {TEXT_LENGTH_MAX} characters",
            name,
            "parameter_invalid_string",
        )
    return raw


def _empty(name: str) -> StripeError:
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value.",
        name,
        "parameter_invalid_empty",
    )


def integer(raw: Any, name: str) -> int:
    value = text(raw, name)
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def instant(raw: Any, name: str) -> int:
    """Epoch seconds."""
    value = integer(raw, name)
    if value < 0:
        raise invalid(f"Invalid timestamp: {value}", name, "parameter_invalid_integer")
    return value


def amount(raw: Any, name: str) -> int:
    """The smallest unit of a currency, from 1."""
    value = integer(raw, name)
    if value < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, name, "parameter_invalid_integer")
    if value > AMOUNT_MAX:
        raise invalid(f"{name} must be no more than {AMOUNT_MAX}", name, "amount_too_large")
    return value


def share(raw: Any, name: str) -> int:
    """An amount that may be nothing."""
    value = integer(raw, name)
    if value < 0:
        message = "This value must be greater than or equal to 0."
        raise invalid(message, name, "parameter_invalid_integer")
    return value


def page_size(raw: Any, name: str) -> int:
    value = integer(raw, name)
    if value < 1:
        message = f"This value must be greater than or equal to 1 (given {value})."
        raise invalid(message, name, "parameter_invalid_integer")
    if value > 100:
        message = f"This value must be less than or equal to 100 (given {value})."
        raise invalid(message, name, "parameter_invalid_integer")
    return value


def boolean(raw: Any, name: str) -> bool:
    value = text(raw, name)
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return value == "true"


def currency(raw: Any, name: str) -> str:
    """Three letters, in lower case as Stripe keeps them."""
    value = text(raw, name)
    if not _CURRENCY.fullmatch(value):
        raise invalid(f"Invalid currency: {value}.", name)
    return value.lower()


def one_of(*words: str) -> Kind:
    def choice(raw: Any, name: str) -> str:
        value = text(raw, name)
        if value not in words:
            wanted = ", ".join(words[:-1]) + (f", or {words[-1]}" if len(words) > 1 else words[0])
            raise invalid(f"Invalid {name}: must be one of {wanted}", name)
        return value

    return choice


def hash_of(known: Table) -> Kind:
    def values(raw: Any, name: str) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise invalid("Invalid hash", name)
        return _values(raw, known, name)

    return values


def list_of(kind: Kind) -> Kind:
    def values(raw: Any, name: str) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, Mapping) or not all(key.isdecimal() for key in raw):
            raise invalid("Invalid array", name)
        in_order = sorted(raw.items(), key=lambda entry: int(entry[0]))
        return [kind(value, f"{name}[{key}]") for key, value in in_order]

    return values


_WINDOW = hash_of(dict.fromkeys(("gt", "gte", "lt", "lte"), Parameter(instant)))


def window(raw: Any, name: str) -> tuple[int | None, int | None]:
    """A range of instants, both ends included: `created[gte]=` and so on, or one instant."""
    if isinstance(raw, str):
        value = instant(raw, name)
        return value, value
    bounds = _WINDOW(raw, name)
    starts = [bounds[key] + step for key, step in (("gt", 1), ("gte", 0)) if key in bounds]
    ends = [bounds[key] - step for key, step in (("lt", 1), ("lte", 0)) if key in bounds]
    return max(starts, default=None), min(ends, default=None)


def metadata(raw: Any, name: str) -> dict[str, str] | None:
    """Keys to set, or with an empty value to remove; None clears all of it."""
    if raw == "":
        return None
    if not isinstance(raw, Mapping):
        raise invalid("Invalid hash", name)
    if len(raw) > METADATA_ENTRIES_MAX:
        raise invalid(f"You can have at most {METADATA_ENTRIES_MAX} metadata keys.", name)
    for key, value in raw.items():
        if not isinstance(value, str):
            raise invalid("Metadata values must be strings", f"{name}[{key}]")
        if key == "":
            raise invalid("Metadata keys must not be empty", name)
        if len(key) > METADATA_KEY_LENGTH_MAX or len(value) > METADATA_VALUE_LENGTH_MAX:
            raise invalid(
                f"Metadata keys have at most {METADATA_KEY_LENGTH_MAX} characters, values at most "
                f"{METADATA_VALUE_LENGTH_MAX}.",
                f"{name}[{key}]",
            )
    return dict(raw)


def anything(raw: Any, name: str) -> Any:
    """Known to Stripe and without meaning to the ledger: kept as it was sent."""
    return raw


def refused(raw: Any, name: str) -> Any:
    """Known to Stripe, and ignoring it would change amounts or who pays."""
    raise unsupported(name)


ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_ADDRESS = hash_of(dict.fromkeys(ADDRESS, Parameter(clearable)))


def address(raw: Any, name: str) -> dict[str, Any] | None:
    """An address has all its fields, null where they were not given; an empty one unsets it."""
    given = None if raw == "" else _ADDRESS(raw, name)
    return None if given is None else {field: given.get(field) for field in ADDRESS}


_SHIPPING = hash_of(
    {
        "address": Parameter(address, required=True),
        "name": Parameter(text, required=True),
        "phone": Parameter(clearable),
    }
)


def shipping(raw: Any, name: str) -> dict[str, Any] | None:
    given = None if raw == "" else _SHIPPING(raw, name)
    nothing = {"carrier": None, "phone": None, "tracking_number": None}
    return None if given is None else {**nothing, **given}


KINDS: Mapping[str, Kind] = {
    kind.__name__: kind
    for kind in (
        address,
        amount,
        anything,
        boolean,
        clearable,
        currency,
        instant,
        integer,
        metadata,
        page_size,
        refused,
        share,
        shipping,
        text,
        window,
    )
}
"""The kinds by the names that `operations.toml` calls them."""

Spec = str | list[Any] | dict[str, Any]
"""A parameter as the file has it: words, a list of one hash, or a hash. Of a hash, `is` says the
words that stand before a kind: `required` and `preview`."""


@cache
def taken_by(operation: str) -> Table:
    """What an operation takes, by its method and path; nothing where the file does not name it."""
    stated = dict(STATED.get(operation, {}))
    shared = (taken_by(name) for name in stated.pop("takes", ()))
    found = {name: row for table in shared for name, row in table.items()}
    return {**found, **_table(stated)}


STATED: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    files(__package__).joinpath("operations.toml").read_text()
)


def _table(stated: Mapping[str, Spec]) -> Table:
    return {name: _parameter(spec) for name, spec in stated.items() if name != "is"}


def _parameter(spec: Spec) -> Parameter:
    said = spec if isinstance(spec, str) else spec.get("is", "") if isinstance(spec, dict) else ""
    is_required, is_preview = said.startswith("required"), said.startswith("preview")
    words = said.removeprefix("required").removeprefix("preview").strip()
    return Parameter(_kind(spec, words), required=is_required, preview=is_preview)


def _kind(spec: Spec, words: str) -> Kind:
    """Raises `KeyError` for a kind that is not known."""
    if isinstance(spec, dict):
        return hash_of(_table(spec))
    if isinstance(spec, list):
        return list_of(hash_of(_table(spec[0])))
    if words.startswith("one of "):
        return one_of(*words.removeprefix("one of ").split(", "))
    if words.startswith("list of "):
        return list_of(KINDS[words.removeprefix("list of ")])
    return KINDS[words]
