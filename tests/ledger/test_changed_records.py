"""`changed` makes what `dataclasses.replace` makes, of every record that a write changes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from gateway.backends.journal.records import State, WriteRecord
from gateway.events.log import LogEntry
from gateway.ledger.book import Book
from schema import records
from schema.changing import changed
from schema.ports import Command, CreditNoteDraft, Outcome, OutOfBandPayment, Placed, Reallocated

KINDS = (
    *get_args(records.Record),
    *get_args(Command),
    *get_args(Outcome),
    Book,
    CreditNoteDraft,
    LogEntry,
    OutOfBandPayment,
    WriteRecord,
)


SETTLED: dict[str, tuple[Any, Any]] = {
    "state": (State.DONE, State.REFUSED),
    "placed": (Placed.DONE, Placed.FREE),
}
"""Fields that take values of an enumeration only, with two of them."""


def filled(kind: type[Any]) -> Any:
    """A record whose fields all differ."""
    given = {one.name: f"its {one.name}" for one in fields(kind)}
    enumerated = {name: one for name, (one, _) in SETTLED.items() if name in given}
    return kind(**given | (enumerated if kind in (WriteRecord, Reallocated) else {}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_field_can_be_changed_alone(kind: type[Any]) -> None:
    """All others stay, and so does the record that it was made of."""
    before = filled(kind)

    for one in fields(kind):
        value: Any = "another"
        if type(getattr(before, one.name)) in (State, Placed):
            value = SETTLED[one.name][1]
        assert changed(before, **{one.name: value}) == replace(before, **{one.name: value})

    assert before == filled(kind)


def test_what_a_class_settles_at_its_making_is_settled() -> None:
    """A record of the journal that a store gives back has the state as plain text."""
    told: Any = "refused"

    assert changed(filled(WriteRecord), state=told).state is State.REFUSED


def test_a_field_that_is_not_there_is_refused() -> None:
    """A slip of the pen in a call that nobody checks would else change nothing."""
    with pytest.raises(KeyError):
        changed(filled(records.Invoice), **{"amount": 1})
