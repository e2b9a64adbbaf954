"""What each operation takes: tables of parameters with their types, and the check against them.

A kind turns what was sent into a value or raises Stripe's error for it. Unknown names are
refused, as Stripe does; parameters that exist in preview versions only are unknown to others.
Source: https://docs.stripe.com/error-codes, 2026-10-28.endive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


def table(**kinds: Kind | Parameter) -> Table:
    """A table of parameters; a bare kind is optional and known to every version."""
    return {
        name: kind if isinstance(kind, Parameter) else Parameter(kind)
        for name, kind in kinds.items()
    }


def required(kind: Kind) -> Parameter:
    return Parameter(kind, required=True)


def preview(kind: Kind) -> Parameter:
    return Parameter(kind, preview=True)


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


def hash_of(**kinds: Kind | Parameter) -> Kind:
    known = table(**kinds)

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


_WINDOW = hash_of(gt=instant, gte=instant, lt=instant, lte=instant)


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


EXPAND = table(expand=list_of(text))
CURSORS = table(limit=page_size, starting_after=text, ending_before=text)
