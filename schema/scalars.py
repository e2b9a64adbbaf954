"""The contract's own scalars: exact money, instants, currencies and log positions.

Each is strict on the way in: a float, a string of digits or a rounding is never accepted in place
of a whole number. Resolvers hand over plain Python values; only this module knows the wire form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal as PythonDecimal
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast
from strawberry.types.scalar import ScalarDefinition

from schema.ports import ErrorCode
from schema.records import INSTANT_MAX

MINOR_UNITS_MAX = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""

DateTime = NewType("DateTime", int)
Decimal = NewType("Decimal", PythonDecimal)
MinorUnits = NewType("MinorUnits", int)
CurrencyCode = NewType("CurrencyCode", str)
EventCursor = NewType("EventCursor", str)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _refusal(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": ErrorCode.BAD_USER_INPUT.value})


def parse_minor_units(value: object) -> MinorUnits:
    """A whole number within ±(2^53-1); floats, strings and booleans are refused."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refusal(
            f"MinorUnits must be a whole number of the smallest unit, such as 1299, got {value!r}"
        )
    if abs(value) > MINOR_UNITS_MAX:
        raise _refusal(f"MinorUnits must lie within ±{MINOR_UNITS_MAX}, got {value}")
    return MinorUnits(value)


def parse_minor_units_literal(node: ValueNode, _variables: object = None) -> MinorUnits:
    if not isinstance(node, IntValueNode) or node.value == "-0":
        raise _refusal(
            "MinorUnits must be a whole number of the smallest unit, such as 1299, "
            f"got {print_ast(node)}"
        )
    return parse_minor_units(int(node.value))


def serialize_minor_units(value: int) -> int:
    """Never a rounding: what does not fit a JSON number exactly is an error."""
    if abs(value) > MINOR_UNITS_MAX:
        raise _refusal(f"an amount is beyond the exact range of MinorUnits, ±{MINOR_UNITS_MAX}")
    return value


def parse_date_time(value: object) -> DateTime:
    """RFC 3339 with a zone, to epoch seconds; fractions of a second are cut.

    What Stripe cannot be told is refused, as every backend takes the same.
    """
    instant = _instant(value)
    if instant is None:
        raise _refusal(
            f"DateTime must be an RFC 3339 instant with a zone, such as 2026-01-28T09:30:00Z, "
            f"got {value!r}"
        )
    if not 0 <= instant <= INSTANT_MAX:
        raise _refusal(
            "DateTime must lie from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z, which is what "
            f"Stripe knows, got {value!r}; leave it out for an open end"
        )
    return DateTime(instant)


def _instant(value: object) -> int | None:
    """Epoch seconds; None for what is no RFC 3339."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return None
    try:
        instant = datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    return (instant - _EPOCH) // timedelta(seconds=1)


def serialize_date_time(value: int) -> str:
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_currency_code(value: object) -> CurrencyCode:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{3}", value):
        return CurrencyCode(value.upper())
    raise _refusal(f"CurrencyCode must be three letters of ISO 4217, such as USD, got {value!r}")


def parse_event_cursor(value: object) -> EventCursor:
    if isinstance(value, str) and value:
        return EventCursor(value)
    raise _refusal(f"EventCursor must be a cursor that this gateway has given out, got {value!r}")


def parse_decimal(value: object) -> Decimal:
    raise _refusal(f"Decimal is for output only, got {value!r}")


def _scalar(
    name: str, description: str, parse: Callable[[object], Any], **more: Any
) -> ScalarDefinition:
    """A scalar that is written as a string, also in documents, unless `more` says otherwise."""

    def parse_literal(node: ValueNode, _variables: object = None) -> Any:
        return parse(node.value if isinstance(node, StringValueNode) else print_ast(node))

    given = {"serialize": str, "parse_value": parse, "parse_literal": parse_literal, **more}
    made: ScalarDefinition = strawberry.scalar(name=name, description=description, **given)
    return made


SCALARS: Mapping[object, ScalarDefinition] = {
    DateTime: _scalar(
        "DateTime",
        "RFC 3339 instant, always UTC, with whole seconds: Stripe's epoch seconds, converted once "
        "at the edge. As input any zone, from 1970 to 9999.",
        parse_date_time,
        serialize=serialize_date_time,
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
    ),
    Decimal: _scalar(
        "Decimal",
        'Exact decimal written as a string, for example "12.99". Never a float.',
        parse_decimal,
    ),
    MinorUnits: _scalar(
        "MinorUnits",
        "Whole number of the currency's smallest unit: cents for USD, yen for JPY, fils for KWD. "
        "A JSON number within 2^53-1; beyond that an error, never a rounding. (GraphQL's Int stops "
        "at 21,474,836.47 USD.)",
        parse_minor_units,
        serialize=serialize_minor_units,
        parse_literal=parse_minor_units_literal,
    ),
    CurrencyCode: _scalar(
        "CurrencyCode",
        "ISO 4217 alphabetic code, upper case. Lower case is understood as input.",
        parse_currency_code,
        serialize=str.upper,
    ),
    EventCursor: _scalar(
        "EventCursor",
        "Opaque position in the payment event log. A position, not a right: rights are checked per "
        "item. Compare for equality only.",
        parse_event_cursor,
    ),
}
