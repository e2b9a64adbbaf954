"""From records to Stripe's JSON, by the shapes: every field of the record, and nothing beyond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.stripe_objects.shapes import REFUND, SHAPES, Field, Kind, Shape, Shaped
from schema import records

Json = dict[str, Any]

_SHAPE_OF: Mapping[type, Shape[Shaped]] = {
    **{one.record: one for one in SHAPES.values()},
    records.CreditNoteRefund: REFUND,
}


def written(record: Shaped, onto: Json | None = None) -> Json:
    """The record as Stripe's object, put over what is given of it, which may be nothing."""
    shape = _SHAPE_OF[type(record)]
    shown: Json = {} if onto is None else onto
    if not isinstance(record, records.CreditNoteRefund):
        shown |= {"id": record.id, "object": shape.kind}
    for name, null_above, above, last, put in _PLACES[shape.kind]:
        value = getattr(record, name)
        if value is None and null_above:
            shown[above[0]] = None
            continue
        holder = shown
        for key in above:
            holder = holder.setdefault(key, {})
        if put is None:
            holder[last] = value
        else:
            put(holder, last, value)
    return shown


def deleted(kind: str, object_id: str) -> Json:
    """What Stripe says of an object that is gone."""
    return {"id": object_id, "object": kind, "deleted": True}


def _put_object(holder: Json, key: str, value: tuple[tuple[str, object], ...]) -> None:
    holder[key] = dict(value)


def _put_quantity(holder: Json, key: str, value: str | None) -> None:
    is_whole = value is not None and value.isdecimal()
    holder[key], holder["quantity"] = value, int(value or 0) if is_whole else None


def _put_source_type(holder: Json, key: str, value: str) -> None:
    holder[key] = {"type": value}


def _put_source_id(holder: Json, key: str, value: str) -> None:
    holder[key][holder[key]["type"]] = value


def _put_refunds(holder: Json, key: str, value: tuple[records.CreditNoteRefund, ...]) -> None:
    holder[key] = [written(one) for one in value]


_Put = Callable[[Json, str, Any], None]

_PUT: Mapping[Kind, _Put] = {
    Kind.METADATA: _put_object,
    Kind.CREDIT_BALANCE: _put_object,
    Kind.QUANTITY: _put_quantity,
    Kind.SOURCE_TYPE: _put_source_type,
    Kind.SOURCE_ID: _put_source_id,
    Kind.REFUNDS: _put_refunds,
}
"""How values are written that do not stand in JSON as in the record."""


def _place(field: Field) -> tuple[str, bool, tuple[str, ...], str, _Put | None]:
    """A field's name, whether its null stands above it, the keys that lead to it and the last of
    them, and how it is written."""
    *above, last = field.path.split(".")
    return field.name, field.null_above, tuple(above), last, _PUT.get(field.kind)


_PLACES = {shape.kind: [*map(_place, shape.fields)] for shape in _SHAPE_OF.values()}
