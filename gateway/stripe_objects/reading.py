"""From Stripe's JSON to records, once, where it comes in: tolerant, and compiled from the shapes.

A field without which the object means nothing raises `Failed` UPSTREAM_ERROR that names the object
and the field; so do an amount that is no whole number and a reference that is no id. Any other bad
value counts as missing, so that what Stripe may send tomorrow is never a crash.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeGuard, TypeVar, get_args

from gateway.stripe_objects import shapes
from gateway.stripe_objects.older_versions import AS_TODAY, exact_decimal
from gateway.stripe_objects.shapes import SOURCE_TYPES, Field, Kind, Shape, Shaped
from schema import records
from schema.ports import GATEWAY_KEY, Deleted, ErrorCode, Failed
from schema.records import INSTANT_MAX, Metadata, Record

R = TypeVar("R", bound=Shaped)
Convert = Callable[[object], object]
Raw = Mapping[str, object]

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


class _Unreadable(Exception):
    """What is wrong with a value, and where below its field it stands."""

    def __init__(self, reason: str, below: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.below = below


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


def whole_text(value: str) -> str:
    """The text with half surrogate pairs replaced: JSON can carry them, UTF-8 cannot."""
    if value.isascii():
        return value
    return value.encode(errors="replace").decode()


def _text(value: object) -> str | None:
    return whole_text(value) if isinstance(value, str) else None


def _currency(value: object) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isalnum():
        return value.lower()
    return None


def _flag(value: object) -> bool:
    """False unless it is plainly true."""
    return value is True


def _amount(value: object) -> int | None:
    if value is None or type(value) is int:
        return value
    raise _Unreadable(f"must be a whole number, got {type(value).__name__}")


def _instant(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= INSTANT_MAX else None


def _reference(value: object) -> str | None:
    """Whose an object is hangs on its references, so a bad one is never taken for none."""
    if isinstance(value, dict):
        value = value.get("id", value)
    if value is None:
        return None
    if not is_id(value):
        raise _Unreadable("must be an id or an object with one")
    return value


def _metadata(value: object) -> Metadata:
    if not value or not isinstance(value, dict):
        return ()
    return tuple(
        (whole_text(key), whole_text(entry))
        for key, entry in value.items()
        if isinstance(entry, str) and key != GATEWAY_KEY
    )


def _quantity(value: object) -> str | None:
    return exact_decimal(_text(value))


def _credit_balance(value: object) -> tuple[tuple[str, int], ...]:
    stated = value if isinstance(value, dict) else {}
    held = ((code.lower(), _amount(stated[code])) for code in stated if code.isalnum())
    return tuple(sorted((code, amount) for code, amount in held if amount))


def _source_type(value: object) -> str | None:
    payment = value if isinstance(value, dict) else {}
    given = [name for name in SOURCE_TYPES if payment.get(name)]
    return _text(payment.get("type")) or (given[0] if len(given) == 1 else None)


def _source_id(value: object) -> str:
    """A type of tomorrow is kept, with its id if it stands under the type's name."""
    kind = _source_type(value)
    found = _reference(value.get(kind)) if isinstance(value, dict) else None
    if found is None and kind in SOURCE_TYPES:
        raise _Unreadable("must be an id, and is missing", f".{kind}")
    return found or ""


def _refunds(value: object) -> tuple[records.CreditNoteRefund, ...]:
    parts = value if isinstance(value, list) else []
    return tuple(_refund(part, at) for at, part in enumerate(parts) if isinstance(part, dict))


def _refund(part: Raw, at: int) -> records.CreditNoteRefund:
    make: Callable[..., records.CreditNoteRefund] = records.CreditNoteRefund
    try:
        return make(*[convert(part.get(key)) for key, convert in _REFUND])
    except _Unreadable:
        name, reason = _first_unreadable(shapes.REFUND, part)
        raise _Unreadable(reason, f"[{at}].{name}") from None


CONVERTERS: Mapping[Kind, Convert] = {
    Kind.TEXT: _text,
    Kind.CURRENCY: _currency,
    Kind.FLAG: _flag,
    Kind.AMOUNT: _amount,
    Kind.INSTANT: _instant,
    Kind.REFERENCE: _reference,
    Kind.METADATA: _metadata,
    Kind.QUANTITY: _quantity,
    Kind.CREDIT_BALANCE: _credit_balance,
    Kind.SOURCE_TYPE: _source_type,
    Kind.SOURCE_ID: _source_id,
    Kind.REFUNDS: _refunds,
}


def _steps(field: Field) -> tuple[str, Convert]:
    """The first key of the field's path, and what makes the record's value of what stands there."""
    first, *below = field.path.split(".")
    convert = _never_missing(field, CONVERTERS[field.kind])
    return first, _within(tuple(below), convert) if below else convert


def _never_missing(field: Field, convert: Convert) -> Convert:
    """With the value that stands in for a missing one, or the refusal of an object without it."""
    otherwise = field.otherwise

    def needed(value: object) -> object:
        found = convert(value)
        if found is None or found == "":
            raise _Unreadable(f"must be {field.kind.value}")
        return found

    if field.needed:
        return needed
    return convert if otherwise is None else lambda value: convert(value) or otherwise


def _within(keys: tuple[str, ...], convert: Convert) -> Convert:
    def convert_below(value: object) -> object:
        for key in keys:
            if not isinstance(value, dict):
                return convert(None)
            value = value.get(key)
        return convert(value)

    return convert_below


def _compiled(shape: Shape[R]) -> Callable[[object], R]:
    """The reader of a shape. Raises `Failed`: NOT_FOUND for what Stripe says is deleted."""
    by_name = {field.name: _steps(field) for field in shape.fields}
    plan = [by_name[one.name] for one in fields(shape.record) if one.name != "id"]
    make: Callable[..., R] = shape.record
    kind, as_today = shape.kind, AS_TODAY.get(shape.kind)

    def read(raw: object) -> R:
        object_id, found = _identified(raw, kind)
        if as_today is not None:
            found = as_today(found)
        get = found.get
        try:
            return make(object_id, *[convert(get(key)) for key, convert in plan])
        except _Unreadable:
            path, reason = _first_unreadable(shape, found)
            raise malformed(kind, object_id, path, reason) from None

    return read


def _first_unreadable(shape: Shape[Shaped], raw: Raw) -> tuple[str, str]:
    """Where the first value stands that cannot be read, and why; found by reading anew."""
    for field in shape.fields:
        key, convert = _steps(field)
        try:
            convert(raw.get(key))
        except _Unreadable as bad:
            return field.path + bad.below, bad.reason
    raise AssertionError("what could not be read can be read now")


def _identified(raw: object, kind: str) -> tuple[str, Raw]:
    if not isinstance(raw, dict):
        raise malformed(kind, None, "the object", f"must be one, got {type(raw).__name__}")
    object_id: object = raw.get("id")
    if not is_id(object_id):
        raise malformed(kind, None, "id", "must be an id")
    if raw.get("deleted") is True:
        raise Deleted(kind, object_id)
    if raw.get("object", kind) != kind:
        raise malformed(kind, object_id, "object", "must say what was asked for")
    return object_id, raw


_REFUND = [_steps(field) for field in shapes.REFUND.fields]

invoice_record = _compiled(shapes.INVOICE)
invoice_payment_record = _compiled(shapes.INVOICE_PAYMENT)
payment_intent_record = _compiled(shapes.PAYMENT_INTENT)
payment_record_record = _compiled(shapes.PAYMENT_RECORD)
charge_record = _compiled(shapes.CHARGE)
customer_record = _compiled(shapes.CUSTOMER)
credit_note_record = _compiled(shapes.CREDIT_NOTE)
_line_item_record = _compiled(shapes.LINE_ITEM)

READERS: Mapping[str, Callable[[object], Record]] = {
    kind: _compiled(shape) for kind, shape in shapes.SHAPES.items() if shape is not shapes.LINE_ITEM
}
"""By what `object` says. A line item need not name its invoice: it is read with its list."""


def line_item_records(raw_list: object, invoice_id: str) -> list[records.InvoiceLineItem]:
    """The lines in a list of an invoice's lines, in Stripe's order."""
    items, _ = embedded_list(raw_list)
    return [
        _line_item_record({**raw, "invoice": invoice_id} if isinstance(raw, dict) else raw)
        for raw in items
    ]


def embedded_list(raw_list: object) -> tuple[list[Any], bool]:
    """The members of one of Stripe's lists, and whether there are more. Raises `Failed`."""
    items = raw_list.get("data") if isinstance(raw_list, dict) else None
    if not isinstance(raw_list, dict) or not isinstance(items, list):
        raise malformed("list", None, "data", "must be a list")
    return items, raw_list.get("has_more") is True


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of which a few fields are looked at; no record is made of it."""

    raw: Raw
    kind: str
    id: str

    def value(self, name: str) -> object:
        return self.raw.get(name)

    def text(self, name: str) -> str | None:
        return _text(self.raw.get(name))

    def needed_text(self, name: str) -> str:
        text = self.text(name)
        if not text:
            raise malformed(self.kind, self.id, name, "must be a string")
        return text

    def reference(self, name: str) -> str | None:
        try:
            return _reference(self.raw.get(name))
        except _Unreadable as bad:
            raise malformed(self.kind, self.id, name, bad.reason) from None


def fields_of(raw: object, kind: str) -> Fields:
    """The object with its id. Raises `Failed`: NOT_FOUND for one that Stripe says is deleted."""
    object_id, found = _identified(raw, kind)
    return Fields(found, kind, object_id)


def confirmation_secret(raw: object) -> records.ConfirmationSecret | None:
    """The secret of an invoice that was read with it expanded; None where there is none."""
    stated = fields_of(raw, "invoice").value("confirmation_secret")
    found = stated if isinstance(stated, dict) else {}
    secret, kind = _text(found.get("client_secret")), _text(found.get("type"))
    return None if secret is None else records.ConfirmationSecret(secret, kind or "payment_intent")


def harvest(raw: object) -> list[Record | Deleted]:
    """Records of every full object in a response, outer ones first, each once.

    A deleted object is told as such. Events are not entered (their snapshots are old), and what
    cannot be read is left out with a warning: whoever needs it will read it by itself and see why.
    """
    found: dict[tuple[str, str], Record | Deleted] = {}
    for value in objects_in(raw):
        for one in _told_by(value):
            found.setdefault((type(one).__name__, one.id), one)
    return list(found.values())


def objects_in(raw: object) -> list[dict[str, Any]]:
    """Every object of a response that says what it is, or that it is deleted, wherever it stands,
    outer ones first; not what events hold."""
    found: list[dict[str, Any]] = []
    waiting: list[Any] = [raw]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            kind = value.get("object")
            if kind == "event":
                continue
            if isinstance(kind, str) or value.get("deleted") is True:
                found.append(value)
            waiting.extend([one for one in value.values() if isinstance(one, _NESTING)][::-1])
        elif isinstance(value, list):
            waiting.extend(value[::-1])
    return found


_NESTING = (dict, list)
"""What JSON nests in. An answer has some twenty plain values for each of these."""


def told_by(raw: Mapping[str, Any]) -> Record | Deleted | None:
    """The record of one object; None for what is none of ours, and, with a warning, for what cannot
    be read."""
    if raw.get("deleted") is True:
        # `{"id": "cus_1", "deleted": true}` may leave out what the id says too.
        object_id: object = raw.get("id")
        name = _NAMES.get(object_id.partition("_")[0]) if is_id(object_id) else None
        return None if name is None else Deleted(name, str(object_id))
    kind = raw.get("object")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    try:
        return None if reader is None else reader(raw)
    except Failed as failed:
        log.warning("left out of a response: %s", failed.message)
        return None


_NAMES: Mapping[str, str] = {one.prefix: one.__name__ for one in get_args(Record)}
"""Of records, by what their ids begin with."""


def _told_by(raw: Mapping[str, Any]) -> Iterator[Record | Deleted]:
    """The record of one object, and those of an invoice's lines."""
    record = told_by(raw)
    if record is not None:
        yield record
    if isinstance(record, records.Invoice) and "lines" in raw:
        try:
            yield from line_item_records(raw["lines"], record.id)
        except Failed as failed:
            log.warning("left out of a response: %s", failed.message)
