"""The machine that a write goes through: what its drawing says, and that nothing else happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.backends.journal.records import OPEN, RULES, Actor, Move, Rule, State, moved
from tests.journal.records import record

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
ROW = re.compile(r"^\| ([a-z ]+) \| ([a-z_, ]+) \| ([a-z_]+) \| ([a-z, ]+) \|$", re.MULTILINE)


def test_the_page_has_the_moves_of_the_code() -> None:
    """What operators read is what happens."""
    drawn = {
        Move(move): Rule(
            frozenset(State(one) for one in origins.split(", ")),
            State(target),
            frozenset(Actor(one) for one in actors.split(", ")),
        )
        for move, origins, target, actors in ROW.findall(ARCHITECTURE.read_text())
        if move != "move"
    }

    assert drawn == RULES


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("actor", Actor)
def test_a_record_makes_no_other_move(move: Move, state: State, actor: Actor) -> None:
    """A move from a wrong state, or by the wrong one, is our own mistake, and changes nothing."""
    before, rule = record(state=state, version=3), RULES[move]

    if state in rule.origins and actor in rule.actors:
        after = moved(before, move, actor)
        assert (after.state, after.version) == (rule.target, 4)
        return
    with pytest.raises(AssertionError):
        moved(before, move, actor)


def test_an_outcome_is_never_left() -> None:
    """Nothing leads out of done but its announcement, and nothing out of that."""
    leaving = {
        state: [move for move, rule in RULES.items() if state in rule.origins] for state in State
    }

    assert leaving[State.DONE] == [Move.ANNOUNCE]
    assert leaving[State.ANNOUNCED] == []


def test_doubt_is_ended_by_proof_alone() -> None:
    """From doubt a write is tried again with its own key, or was done; never just refused."""
    leaving = {move for move, rule in RULES.items() if State.IN_DOUBT in rule.origins}

    assert leaving == {Move.TAKE_UP, Move.SUCCEED}


def test_every_open_state_has_somebody_to_go_on_from_it() -> None:
    """No write is left lying: the gateway, or a person, has a move for each."""
    for state in OPEN:
        movers = {
            actor for rule in RULES.values() if state in rule.origins for actor in rule.actors
        }
        assert movers & {Actor.SETTLING, Actor.PERSON}, state
