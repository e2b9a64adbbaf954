"""Whatever Stripe, or somebody in between, makes of its objects: a record or `Failed`, no crash."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stripe_objects import reading
from gateway.stripe_objects.reading import harvest
from schema.ports import Failed
from schema.records import Record
from tests.stripe_edge import samples
from tests.stripe_edge.samples import Raw

SAMPLES: dict[str, tuple[Callable[[object], Record], Raw]] = {
    "invoice": (
        reading.invoice_record,
        samples.invoice(parent={"subscription_details": {"subscription": "sub_1"}}),
    ),
    "invoice_payment": (reading.invoice_payment_record, samples.payment()),
    "payment_intent": (reading.payment_intent_record, samples.intent()),
    "payment_record": (reading.payment_record_record, samples.payment_record()),
    "charge": (reading.charge_record, samples.charge()),
    "customer": (
        reading.customer_record,
        samples.customer(invoice_credit_balance={"usd": 5}, balance=-5),
    ),
    "credit_note": (reading.credit_note_record, samples.credit_note()),
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["in_1", "usd", "paid", "\ud800", "x" * 6000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in an object, itself first."""
    found = [path]
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(part, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, raw: Raw) -> Any:
    """The object with up to three of its parts taken out or put for something else."""
    changed: Any = {"": copy.deepcopy(raw)}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(changed, ())[1:] or [("",)]))
        owner = changed
        for key in path[:-1]:
            owner = owner[key]
        if len(path) > 1 and draw(st.booleans()):
            del owner[path[-1]]
        else:
            owner[path[-1]] = draw(json_values)
    return changed[""]


@pytest.mark.parametrize("kind", SAMPLES)
@given(data=st.data())
def test_mutated_object_is_a_sound_record_or_failed(kind: str, data: st.DataObject) -> None:
    """Nothing but `Failed` is ever raised, and what is read has the types that it claims."""
    read, raw = SAMPLES[kind]
    broken = data.draw(mutated(raw))

    try:
        record = read(broken)
    except Failed as failed:
        json.dumps(dict(failed.extensions))
        failed.message.encode()
        return

    check_types(record)


@given(data=st.data())
def test_mutated_response_is_harvested(data: st.DataObject) -> None:
    """A response of any shape gives the records that can be read, and no error."""
    paid = samples.payment("inpay_1", samples.intent())
    raw = samples.invoice_with(paid, customer=samples.customer())

    for record in harvest(data.draw(mutated(raw))):
        check_types(record)


@given(raw=json_values)
def test_any_json_is_harvested(raw: Any) -> None:
    """So does what is no object of Stripe's at all."""
    assert harvest(raw) == []


def check_types(record: Record) -> None:
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        assert is_sound(value, str(field.type)), (field.name, value)


def is_sound(value: object, declared: str) -> bool:
    """Whether the value has the declared type, exactly: `True` is no integer here."""
    if value is None:
        return declared.endswith("None")
    if isinstance(value, str):
        value.encode()
        return declared.startswith("str")
    if isinstance(value, bool):
        return declared == "bool"
    if isinstance(value, int):
        return declared.startswith("int")
    return isinstance(value, tuple)
