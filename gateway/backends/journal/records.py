"""The write journal's records: the states of a write, what may happen in each, and what is kept.

The table of moves is the machine that docs/architecture.md draws. A record is changed by `moved`
alone; that only one of two succeeds is said by the store, which compares versions.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.backends.supplier import KEY_PREFIX, NOTHING, Found
from schema.changing import changed
from schema.ports import (
    AttachPayment,
    Command,
    CreateCreditNote,
    Outcome,
    OutOfBandPayment,
    Viewer,
)


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
    FREE = "free"
    """A payment was taken off one invoice, and neither will have it: a person has to see to it."""


_UNFINISHED = frozenset({State.RECORDED, State.SENDING, State.IN_DOUBT, State.DONE})
"""States that the gateway goes on from by itself."""
OPEN = _UNFINISHED | {State.UNDECIDABLE, State.FREE}
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
    LEAVE_FREE = "leave free"
    """The payment is off its invoice, and can neither go to the other nor back."""
    SEE_TO = "see to"
    """A person has seen to a payment that was left free."""
    CONFIRM = "confirm"
    """A person has found that it was done."""
    DENY = "deny"
    """A person has found that it was not done."""


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states, to which, and by whom."""

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
    Move.LEAVE_FREE: _rule({State.SENDING}, State.FREE, Actor.OWNER),
    Move.SEE_TO: _rule({State.FREE}, State.ANNOUNCED, Actor.PERSON),
    Move.CONFIRM: _rule({State.UNDECIDABLE}, State.DONE, Actor.PERSON),
    Move.DENY: _rule({State.UNDECIDABLE}, State.REFUSED, Actor.PERSON),
}


STRIPE_KEYS_KEPT_MAX = 256
"""Of the writes that are under way: each move of a record asks for its key."""

STEP = "."
"""Between a write's operation and that of one of its steps."""

Name = tuple[str, str, str]
"""Tenant, operation and the caller's key: what a write is known by."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write of one caller, as far as it is known.

    `attempt` counts the keys that Stripe has been sent: a refusal ends one attempt, as Stripe
    would only replay it, and the next try begins another. `sent_at` is when this attempt first
    went out, `tried_at` when it did last. `owner` is the replica that is at it, and until
    `leased_until` no other takes it up. `version` grows with each move.
    """

    tenant: str
    operation: str
    key: str = field(repr=False)
    input_hash: str
    command: Command = field(repr=False)
    recorded_at: int
    customers: tuple[str, ...] | None = None
    attempt: int = 1
    state: State = State.RECORDED
    version: int = 0
    owner: str = ""
    leased_until: int = 0
    sent_at: int | None = None
    tried_at: int | None = None
    found: Found = NOTHING
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        if type(self.state) is not State:
            object.__setattr__(self, "state", State(self.state))  # a store gives back plain text

    @property
    def name(self) -> Name:
        return (self.tenant, self.operation, self.key)

    @property
    def whole(self) -> Name | None:
        """The write that this is a step of; None where it is one by itself."""
        operation, dot, _ = self.operation.partition(STEP)
        return (self.tenant, operation, self.key) if dot else None

    def step_key(self, step: str) -> str:
        """By which a step's record is found: the key that its first attempt gives Stripe."""
        return _stripe_key(self.tenant, step_operation(self.operation, step), self.key, 1)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has something to do about it."""
        return self.state in OPEN

    @property
    def viewer(self) -> Viewer:
        """Who asked, with what they might see then; for finishing it without them."""
        customers = None if self.customers is None else frozenset(self.customers)
        return Viewer(self.tenant, customers=customers)

    @property
    def stripe_key(self) -> str:
        """What Stripe gets as Idempotency-Key; always the same for the same attempt."""
        return _stripe_key(self.tenant, self.operation, self.key, self.attempt)


def step_operation(operation: str, step: str) -> str:
    return f"{operation}{STEP}{step}"


@lru_cache(STRIPE_KEYS_KEPT_MAX)
def _stripe_key(tenant: str, operation: str, key: str, attempt: int) -> str:
    parts = "\x00".join((tenant, operation, key, str(attempt)))
    return KEY_PREFIX + hashlib.sha256(parts.encode()).hexdigest()


def moved(record: WriteRecord, move: Move, actor: Actor, **changes: Any) -> WriteRecord:
    """The record after a move, for the store to put in place of this very version."""
    rule = RULES[move]
    assert record.state in rule.origins, f"{record.state} knows no {move}"
    assert actor in rule.actors, f"{move} is not for the {actor}"
    return changed(record, state=rule.target, version=record.version + 1, **changes)


def may(record: WriteRecord, move: Move) -> bool:
    """Whether the record's state knows the move."""
    return record.state in RULES[move].origins


def is_same_input(known: WriteRecord, new: WriteRecord) -> bool:
    """Whether both ask for the same write."""
    return known.input_hash == new.input_hash or meaning(known.command) == meaning(new.command)


def meaning(command: Command) -> Command:
    """The command without its key, in the one form that all with its meaning have.

    Metadata are a mapping: their order means nothing, and an empty value sets nothing. An empty
    text is none, and so is a part of nothing. Text is compared as it is, since Stripe keeps it so.
    """
    plain = changed(command, idempotency_key="")
    if isinstance(plain, CreateCreditNote):
        draft = plain.draft
        return changed(
            plain,
            draft=changed(
                draft,
                memo=draft.memo or None,
                refund=draft.refund or None,
                credit=draft.credit or None,
                out_of_band=draft.out_of_band or None,
            ),
        )
    if isinstance(plain, AttachPayment) and plain.out_of_band is not None:
        return changed(plain, out_of_band=_facts(plain.out_of_band))
    return plain


def _facts(facts: OutOfBandPayment) -> OutOfBandPayment:
    entries = sorted((key, value) for key, value in dict(facts.metadata).items() if value)
    return changed(facts, reference=facts.reference or None, metadata=tuple(entries))


def input_hash(command: Command) -> str:
    """The input as it is written, without its key. Replicas of the releases before know a repeat
    by it alone, so it stays as it was."""
    return hashlib.sha256(repr(changed(command, idempotency_key="")).encode()).hexdigest()
