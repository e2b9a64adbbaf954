"""The states of a write, and what may happen in each: the machine that docs/architecture.md draws.

A table and nothing else: who may do what is said here, that only one of two succeeds is said by
the store, which compares versions.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """What is known of a write."""

    RECORDED = "recorded"
    """Nothing has gone out, and nothing will unless its owner sends it."""
    SENDING = "sending"
    """Its owner is about to send it, or has. Whoever finds it without its owner is in doubt."""
    IN_DOUBT = "in_doubt"
    """It may have been done, and nobody is at it."""
    REFUSED = "refused"
    """This attempt has done nothing and never will; the key may begin another."""
    DONE = "done"
    """It was done, and its event is not in the log yet."""
    ANNOUNCED = "announced"
    """It was done, and its event is in the log. The end."""
    UNDECIDABLE = "undecidable"
    """It may have been done, and Stripe has forgotten the key: only a person can find out."""


_UNFINISHED = frozenset({State.RECORDED, State.SENDING, State.IN_DOUBT, State.DONE})
"""States that the gateway goes on from by itself."""
OPEN = _UNFINISHED | {State.UNDECIDABLE}
"""States that somebody has to go on from, be it a person."""


class Actor(enum.StrEnum):
    """Who makes a move."""

    CALLER = "caller"
    """A call with this key, on any replica."""
    OWNER = "owner"
    """The replica that has begun the try or has taken it up."""
    SETTLING = "settling"
    """The chore that finishes what was left open, on any replica."""
    PERSON = "person"
    """Somebody with `invoice-gateway writes`."""


class Move(enum.StrEnum):
    """What can happen to a record that exists."""

    TRY_AGAIN = "try again"
    """A new attempt, with a new key for Stripe."""
    TAKE_UP = "take up"
    """Another try of the same attempt, with the same key."""
    GO_OUT = "go out"
    """Before each request: that it is about to go out, when, and what a look has found."""
    REFUSE = "refuse"
    """Nothing was done: nothing had gone out, or Stripe's idempotency layer has said so."""
    DOUBT = "doubt"
    """The try ended, and nobody knows whether the write was done."""
    SUCCEED = "succeed"
    """It was done: by Stripe's answer, or by proof of reading, however late."""
    GIVE_UP = "give up"
    """The key is too old to be sent, and a look has proved nothing."""
    ANNOUNCE = "announce"
    EXPIRE = "expire"
    """Its owner went away before anything went out."""
    CONFIRM = "confirm"
    """A person has found that it was done."""
    DENY = "deny"
    """A person has found that it was not done."""


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states, to which, and by whom. A move never leaves the attempt that it is about,
    save `TRY_AGAIN`, which begins the next."""

    origins: frozenset[State]
    target: State
    actors: frozenset[Actor]


def _rule(origins: set[State], target: State, *actors: Actor) -> Rule:
    return Rule(frozenset(origins), target, frozenset(actors))


_OPEN = {State.RECORDED, State.SENDING}
_WITHOUT_OUTCOME = {*_OPEN, State.IN_DOUBT, State.UNDECIDABLE, State.REFUSED}

RULES: dict[Move, Rule] = {
    Move.TRY_AGAIN: _rule({State.REFUSED, State.RECORDED}, State.RECORDED, Actor.CALLER),
    Move.TAKE_UP: _rule(
        {State.SENDING, State.IN_DOUBT}, State.SENDING, Actor.CALLER, Actor.SETTLING
    ),
    Move.GO_OUT: _rule(_OPEN, State.SENDING, Actor.OWNER),
    Move.REFUSE: _rule(_OPEN, State.REFUSED, Actor.OWNER),
    Move.DOUBT: _rule(_OPEN, State.IN_DOUBT, Actor.OWNER),
    Move.SUCCEED: _rule(_WITHOUT_OUTCOME, State.DONE, Actor.OWNER),
    Move.GIVE_UP: _rule({State.SENDING}, State.UNDECIDABLE, Actor.OWNER),
    Move.ANNOUNCE: _rule({State.DONE}, State.ANNOUNCED, Actor.OWNER, Actor.CALLER, Actor.SETTLING),
    Move.EXPIRE: _rule({State.RECORDED}, State.REFUSED, Actor.SETTLING),
    Move.CONFIRM: _rule({State.UNDECIDABLE}, State.DONE, Actor.PERSON),
    Move.DENY: _rule({State.UNDECIDABLE}, State.REFUSED, Actor.PERSON),
}
