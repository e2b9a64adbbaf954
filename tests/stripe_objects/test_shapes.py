"""The shapes say everything that the records hold, and what is written by them is read by them."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from gateway.backends.memory.twin import Twin
from gateway.sandbox.fixtures import seed
from gateway.stripe_objects.reading import READERS, line_item_records
from gateway.stripe_objects.shapes import REFUND, SHAPES, Kind, Shape, Shaped
from gateway.stripe_objects.writing import written
from schema import records
from tests.support.time_and_ids import CountingIds, ManualClock

EVERY_SHAPE = [pytest.param(one, id=one.kind) for one in (*SHAPES.values(), REFUND)]

TYPES: dict[Kind, object] = {
    Kind.TEXT: str,
    Kind.CURRENCY: str,
    Kind.FLAG: bool,
    Kind.AMOUNT: int,
    Kind.INSTANT: int,
    Kind.REFERENCE: str,
    Kind.METADATA: records.Metadata,
    Kind.QUANTITY: str,
    Kind.CREDIT_BALANCE: tuple[tuple[str, int], ...],
    Kind.SOURCE_TYPE: str,
    Kind.SOURCE_ID: str,
    Kind.REFUNDS: tuple[records.CreditNoteRefund, ...],
}


@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_each_field_of_a_record_has_one_place(shape: Shape[Shaped]) -> None:
    """A field that nobody reads would be null for ever, in silence."""
    held = [one.name for one in fields(shape.record) if one.name != "id"]

    assert sorted(one.name for one in shape.fields) == sorted(held)


@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_what_is_read_has_the_declared_type(shape: Shape[Shaped]) -> None:
    """Records are made of what converters give, where no type checker looks."""
    declared = get_type_hints(shape.record)

    for field in shape.fields:
        hint = declared[field.name]
        assert TYPES[field.kind] in (hint, *get_args(hint)), field.name


@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_what_may_be_missing_may_be_null(shape: Shape[Shaped]) -> None:
    """A field is needed, has a value for when Stripe says nothing, or is declared to be null."""
    always = {Kind.FLAG, Kind.METADATA, Kind.CREDIT_BALANCE, Kind.SOURCE_ID, Kind.REFUNDS}
    declared = get_type_hints(shape.record)

    for field in shape.fields:
        is_there = field.needed or field.otherwise is not None or field.kind in always
        assert is_there != (type(None) in get_args(declared[field.name])), field.name


def test_every_record_of_the_demo_is_read_as_it_was_written() -> None:
    """Place and kind are the same in both directions."""
    twin = Twin(now=ManualClock().now, new_id=CountingIds().new)
    seed(twin, None)
    tables = (
        twin.customers,
        twin.invoices,
        twin.invoice_payments,
        twin.payment_intents,
        twin.payment_records,
        twin.charges,
        twin.credit_notes,
    )

    for table in tables:
        for record in table:
            shown = written(record)
            assert READERS[shown["object"]](shown) == record
    for invoice_id, lines in twin.lines.items():
        assert line_item_records({"data": [written(one) for one in lines]}, invoice_id) == [*lines]
