"""What each operation takes: Stripe's form encoding, v2's JSON, and the kinds of parameters.

The tables stand in `operations.toml`. A kind turns what was sent into a value or raises Stripe's
error for it. Unknown names are refused, as Stripe does; parameters that exist in preview versions
only are unknown to others.
Source: https://docs.stripe.com/api (requests are form-encoded) and
https://docs.stripe.com/error-codes, 2026-10-28.endive.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from gateway.sandbox.stripe_api.api_errors import StripeError, invalid, missing, stated
from schema.ports import (
    METADATA_ENTRIES_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_VALUE_LENGTH_MAX,
)

Form = dict[str, Any]
Kind = Callable[[Any, str], Any]
"""Turns what was sent for the parameter of this name into its value. Raises `StripeError`."""

FIELDS_MAX = 1_000
"""More than any call of Stripe takes; a bound for what is decoded."""
DEPTH_MAX = 8
TEXT_LENGTH_MAX = 5_000
AMOUNT_MAX = 999_999_999_999
"""Twelve digits, as for IDR; Stripe allows fewer for most currencies.

Source: https://docs.stripe.com/currencies (minimum and maximum amounts)."""
PAGE_SIZE_MAX = 100

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


def decode(text: str) -> Form:
    """The parameters of a query string or a form body, still as strings. Raises `StripeError`.

    Names with brackets become the nesting they stand for: `metadata[order]=6`,
    `expand[]=customer`, `expand[0]=customer`, `items[0][amount]=5`. Lists are keyed by index.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise StripeError("Invalid form encoding in the request.") from error
    form: Form = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match is None:
            raise invalid(f"Invalid parameter name: {name}", name)
        steps = [match[1], *_STEP.findall(match[2])]
        if len(steps) > DEPTH_MAX:
            raise invalid(f"Parameter is nested too deeply: {name}", name)
        _put(form, steps, value, name)
    return form


def _put(form: Form, steps: list[str], value: str, name: str) -> None:
    within: Any = form
    for at, step in enumerate(steps[:-1]):
        within = within.setdefault(step or _open_index(within, steps[at + 1]), {})
        if not isinstance(within, dict):
            break
    last = steps[-1] or str(len(within))
    if not isinstance(within, dict) or isinstance(within.get(last), dict):
        raise invalid(f"Invalid parameter: {name} is given as a value and as a hash", name)
    within[last] = value


def _open_index(within: Form, following: str) -> str:
    """`items[][amount]` goes on with the last item until it has an amount."""
    last = str(len(within) - 1)
    begun = within.get(last)
    goes_on = isinstance(begun, dict) and following != "" and following not in begun
    return last if goes_on else str(len(within))


def decode_json(text: str) -> Form:
    """The parameters of a JSON body as a form would have them: all values as strings, lists keyed
    by index, and null as what unsets. Raises `StripeError`."""
    try:
        given = json.loads(text) if text else {}
        if not isinstance(given, dict):
            raise StripeError("The request's body must be a JSON object.")
        return {name: _as_form(value) for name, value in given.items()}
    except (ValueError, RecursionError) as error:
        raise StripeError("Invalid JSON in the request.") from error


def _as_form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_form(one) for name, one in value.items()}
    if isinstance(value, list):
        return {str(at): _as_form(one) for at, one in enumerate(value)}
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of a table. `preview`: known to preview versions only."""

    kind: Kind
    required: bool = False
    preview: bool = False


Table = Mapping[str, Parameter]


def checked(given: Form, known: Table, *, in_preview: bool) -> dict[str, Any]:
    """The values of what was given. Raises `StripeError`: unknown names before missing ones."""
    known = {name: row for name, row in known.items() if in_preview or not row.preview}
    return _values(given, known, "")


def _values(given: Mapping[str, Any], known: Table, within: str) -> dict[str, Any]:
    def named(name: str) -> str:
        return f"{within}[{name}]" if within else name

    unknown = [named(name) for name in given if name not in known]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
        raise invalid(message, unknown[0], "parameter_unknown")
    for name, row in known.items():
        if row.required and name not in given:
            raise missing(named(name))
    return {name: known[name].kind(raw, named(name)) for name, raw in given.items()}


def text(raw: Any, name: str) -> str:
    """A string that cannot be unset."""
    value = clearable(raw, name)
    if value is None:
        raise stated("empty", name)
    return value


def clearable(raw: Any, name: str) -> str | None:
    """A string; the empty one unsets it."""
    if not isinstance(raw, str):
        raise invalid(f"Invalid string: {name} must be a string, not a hash", name)
    if len(raw) > TEXT_LENGTH_MAX:
        message = f"Invalid string: {name} must be at most {TEXT_LENGTH_MAX} characters"
        raise invalid(message, name, "parameter_invalid_string")
    return raw or None


def integer(raw: Any, name: str) -> int:
    value = text(raw, name)
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def _integer_from(least: int, raw: Any, name: str, message: str) -> int:
    value = integer(raw, name)
    if value < least:
        raise invalid(message.format(value), name, "parameter_invalid_integer")
    return value


def instant(raw: Any, name: str) -> int:
    """Epoch seconds."""
    return _integer_from(0, raw, name, "Invalid timestamp: {}")


def amount(raw: Any, name: str) -> int:
    """The smallest unit of a currency, from 1."""
    value = _integer_from(1, raw, name, "This value must be greater than or equal to 1.")
    if value > AMOUNT_MAX:
        raise invalid(f"{name} must be no more than {AMOUNT_MAX}", name, "amount_too_large")
    return value


def share(raw: Any, name: str) -> int:
    """An amount that may be nothing."""
    return _integer_from(0, raw, name, "This value must be greater than or equal to 0.")


def page_size(raw: Any, name: str) -> int:
    too_small = "This value must be greater than or equal to 1 (given {})."
    value = _integer_from(1, raw, name, too_small)
    if value > PAGE_SIZE_MAX:
        message = f"This value must be less than or equal to {PAGE_SIZE_MAX} (given {value})."
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
            wanted = ", or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
            raise invalid(f"Invalid {name}: must be one of {wanted}", name)
        return value

    return choice


def hash_of(known: Table, otherwise: Mapping[str, None] | None = None) -> Kind:
    """With `otherwise` all its fields are there, given or not, and an empty one unsets it."""

    def values(raw: Any, name: str) -> dict[str, Any] | None:
        if raw == "" and otherwise is not None:
            return None
        if not isinstance(raw, Mapping):
            raise invalid("Invalid hash", name)
        return {**(otherwise or {}), **_values(raw, known, name)}

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
    return _span(_WINDOW(raw, name))


def _span(bounds: Mapping[str, int]) -> tuple[int | None, int | None]:
    starts = [bounds[key] + step for key, step in (("gt", 1), ("gte", 0)) if key in bounds]
    ends = [bounds[key] - step for key, step in (("lt", 1), ("lte", 0)) if key in bounds]
    return max(starts, default=None), min(ends, default=None)


def moment(raw: Any, name: str) -> int:
    """Epoch milliseconds, from the text in which v2 has its times."""
    value = text(raw, name)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise invalid(f"Invalid timestamp: {value}", name)
    return (parsed - _EPOCH) // timedelta(milliseconds=1)


def moment_text(milliseconds: int) -> str:
    """A time as v2 prints it."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENTS = hash_of(dict.fromkeys(("gt", "gte", "lt", "lte"), Parameter(moment)))


def moments(raw: Any, name: str) -> tuple[int | None, int | None]:
    """A range of moments, both ends included."""
    return _span(_MOMENTS(raw, name))


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
            longest = {"keys": METADATA_KEY_LENGTH_MAX, "values": METADATA_VALUE_LENGTH_MAX}
            raise stated("metadata_too_long", f"{name}[{key}]", **longest)
    return dict(raw)


def anything(raw: Any, name: str) -> Any:
    """Known to Stripe and without meaning to the ledger: taken as it was sent."""
    return raw


def refused(raw: Any, name: str) -> Any:
    """Known to Stripe, and ignoring it would change amounts or who pays: said, not pretended."""
    raise invalid(f"The sandbox does not support the parameter {name}.", name)


_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
address = hash_of(dict.fromkeys(_ADDRESS, Parameter(clearable)), otherwise=dict.fromkeys(_ADDRESS))
shipping = hash_of(
    {
        "address": Parameter(address, required=True),
        "name": Parameter(text, required=True),
        "phone": Parameter(clearable),
    },
    otherwise=dict.fromkeys(("carrier", "phone", "tracking_number")),
)

KINDS: Mapping[str, Kind] = {
    "address": address,
    "amount": amount,
    "anything": anything,
    "boolean": boolean,
    "clearable": clearable,
    "currency": currency,
    "instant": instant,
    "integer": integer,
    "metadata": metadata,
    "moments": moments,
    "page_size": page_size,
    "refused": refused,
    "share": share,
    "shipping": shipping,
    "text": text,
    "window": window,
}
"""The kinds by the names that `operations.toml` calls them."""

Spec = str | list[Any] | dict[str, Any]
"""A parameter as the file has it: words, a list of one hash, or a hash. Of a hash, `is` says the
words that stand before a kind: `required` and `preview`."""

STATED: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    files(__package__).joinpath("operations.toml").read_text()
)


@cache
def taken_by(operation: str) -> Table:
    """What an operation takes, by its method and path; nothing where the file does not name it."""
    stated = STATED.get(operation, {})
    shared = (taken_by(name) for name in stated.get("takes", ()))
    found = {name: row for table in shared for name, row in table.items()}
    return {**found, **_table(stated)}


NO_PARAMETERS = frozenset({"compared", "indexed", "is", "known", "takes", "without"})
"""What a table says beside its parameters."""


def _table(stated: Mapping[str, Spec]) -> Table:
    return {name: _parameter(stated[name]) for name in stated if name not in NO_PARAMETERS}


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
