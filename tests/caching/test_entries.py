"""Cached things as text: what is written is read back, and everything else is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.assembly import FetchedPage
from gateway.backends.caching import entries
from gateway.backends.caching.entries import GONE, KINDS, Kept
from schema import records

st.register_type_strategy(int, st.integers(-(2**53), 2**53))
RECORDS = st.sampled_from(sorted(KINDS)).flatmap(lambda name: st.from_type(KINDS[name]))


@given(record=RECORDS)
def test_record_is_read_back_as_it_was(record: Any) -> None:
    """Every field of every kind, nested pairs and refunds among them."""
    kept = Kept({"Invoice:in_1": "tok_1"}, record, 60.0)

    text = entries.written(kept)

    assert text is not None
    assert entries.read(text) == kept


@pytest.mark.parametrize(
    "thing",
    [
        FetchedPage((records.Charge("ch_1", 1, "usd", 700),), True, False),
        FetchedPage((), False, True),
        GONE,
        None,
        300,
    ],
    ids=["page", "empty page", "gone", "nothing", "number"],
)
def test_thing_is_read_back_as_it_was(thing: Any) -> None:
    """Nothing and no such object are two things."""
    text = entries.written(Kept({}, thing, 60.0))

    assert text is not None
    assert entries.read(text) == Kept({}, thing, 60.0)


FOREIGN = """
{
[]
null
[1,"",1]
["x","gone",null]
[{},"other",null]
[{},"page",[[],true]]
[{},"record",7]
[{},"record",["Nothing",1]]
[{},"record",["Charge",1]]
"""


@pytest.mark.parametrize("text", FOREIGN.split("\n"))
def test_text_of_another_make_is_no_answer(text: str) -> None:
    """Who else writes into the same cache makes misses, and no errors."""
    assert entries.read(text) is None


def test_what_json_cannot_hold_is_not_kept() -> None:
    """Half a surrogate pair in somebody's metadata is Stripe's to keep, not ours to fail on."""
    charge = records.Charge("ch_1", 1, "\ud800", 700)

    assert entries.written(Kept({}, charge, 60.0)) is None


def test_another_field_is_another_version() -> None:
    """Replicas of two releases never read each other's values."""

    @dataclass
    class Charge:
        id: str
        more: int

    other = {**KINDS, "Charge": Charge}

    assert entries.version_of(other) != entries.version_of(KINDS) == entries.VERSION
