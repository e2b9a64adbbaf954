"""A repeat in other words is a repeat: who obeys "make a new key" there would pay twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.backends.journal.records import Command, is_same_input
from schema.ports import AttachPayment, CreateCreditNote, CreditNoteDraft, OutOfBandPayment
from tests.journal.records import COMMANDS, FACTS, record
from tests.support.time_and_ids import START


def outside(**given: object) -> AttachPayment:
    facts = replace(OutOfBandPayment(400, "usd", START), **given)  # type: ignore[arg-type]
    return AttachPayment("in_1", "key-1", out_of_band=facts)


def note(**given: object) -> CreateCreditNote:
    return CreateCreditNote(replace(CreditNoteDraft("in_1", 300), **given), "key-1")  # type: ignore[arg-type]


ALIKE: dict[str, tuple[Command, Command]] = {
    "metadata in another order": (
        outside(metadata=(("a", "1"), ("b", "2"))),
        outside(metadata=(("b", "2"), ("a", "1"))),
    ),
    "an entry that sets nothing": (outside(metadata=(("a", ""),)), outside()),
    "an empty reference": (outside(reference=""), outside()),
    "an empty memo": (note(memo=""), note()),
    "a refund of nothing": (note(refund=0, credit=300), note(credit=300)),
    "nothing credited and nothing out of band": (note(credit=0, out_of_band=0), note()),
}
OTHERS: dict[str, tuple[Command, Command]] = {
    "keys exchanged": (
        outside(metadata=(("a", "1"), ("b", "2"))),
        outside(metadata=(("a", "2"), ("b", "1"))),
    ),
    "another amount": (outside(amount=401), outside()),
    "accents composed otherwise": (outside(reference="\u00e9"), outside(reference="e\u0301")),
    "letters in another case": (outside(reference="A"), outside(reference="a")),
    "a space more": (note(memo="a "), note(memo="a")),
    "refund and credit exchanged": (note(refund=300), note(credit=300)),
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_what_means_the_same_is_a_repeat(one: Command, other: Command) -> None:
    """Also where the release before has recorded it, with a hash of how it was written."""
    known, new = record(command=one, input_hash="1"), record(command=other, input_hash="2")

    assert is_same_input(known, new)
    assert is_same_input(new, known)


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS)
def test_what_stripe_would_keep_otherwise_is_another_input(one: Command, other: Command) -> None:
    known, new = record(command=one, input_hash="1"), record(command=other, input_hash="2")

    assert not is_same_input(known, new)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_repeat_is_known_by_a_release_that_hashes_otherwise(command: Command) -> None:
    """An upgrade under way refuses nobody: what is kept of the command is compared."""
    known = record(command=command, input_hash="of another release")

    assert is_same_input(known, record(command=replace(command, idempotency_key="key-2")))
    assert not is_same_input(known, record(command=outside(reference=FACTS.currency)))
