"""The write journal's records, and where they live: the port of its stores, and one in memory.

What a state means and what may follow it is said in `gateway.backends.journal.states`; a record is
changed by `moved` alone.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from gateway.backends.journal.states import OPEN, RULES, Actor, Move, State
from gateway.backends.supplier import KEY_PREFIX, NOTHING, Found
from schema.ports import Command, Outcome, Viewer

RECORDS_MAX = 100_000
"""A full journal refuses writes; it never forgets one early."""

KEPT_SECONDS = 30 * 24 * 3600
"""Stripe's own keys live 24 hours; the journal outlives them. What is older goes when its room is
needed, and not before: a clock that was wrong once must not empty the journal."""

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
        object.__setattr__(self, "state", State(self.state))  # a store gives back plain text

    @property
    def name(self) -> Name:
        return (self.tenant, self.operation, self.key)

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
        parts = "\x00".join((self.tenant, self.operation, self.key, str(self.attempt)))
        return KEY_PREFIX + hashlib.sha256(parts.encode()).hexdigest()


def moved(record: WriteRecord, move: Move, actor: Actor, **changes: Any) -> WriteRecord:
    """The record after a move, for the store to put in place of this very version."""
    rule = RULES[move]
    assert record.state in rule.origins, f"{record.state} knows no {move}"
    assert actor in rule.actors, f"{move} is not for the {actor}"
    return replace(record, state=rule.target, version=record.version + 1, **changes)


def may(record: WriteRecord, move: Move) -> bool:
    """Whether the record's state knows the move."""
    return record.state in RULES[move].origins


class JournalStore(Protocol):
    """Where records live. Every method raises `OSError` when the store is not to be had; then it
    may have happened all the same, and a repeat tells."""

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        """Keep the record durably, unless there is one: then that one is answered instead.

        Raises `JournalFull`. Only what is finished and old is ever forgotten to make room.
        """
        ...

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        """Put the record durably in place of the one with this version, in one step.

        None where that was done; otherwise nothing was, and the present record is answered.
        Raises `RecordGone` where there is none.
        """
        ...

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        """The record whose write carried this key."""
        ...

    async def open_records(self) -> list[WriteRecord]:
        """Records that are open, oldest first. One that cannot be read holds up no other."""
        ...


class JournalFull(OSError):
    """No further write can be recorded."""


class RecordGone(OSError):
    """The store has lost a record that was begun."""

    def __init__(self, stripe_key: str) -> None:
        super().__init__(f"the journal no longer holds write {stripe_key}")


class MemoryJournalStore:
    """The journal of a process without a store: gone with the process."""

    def __init__(self, now: Callable[[], int], *, records_max: int = RECORDS_MAX) -> None:
        self._now = now
        self._records_max = records_max
        self._records: OrderedDict[Name, WriteRecord] = OrderedDict()
        self._by_stripe_key: dict[str, Name] = {}

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        if record.name in self._records:
            return self._records[record.name]
        if len(self._records) >= self._records_max:
            self._make_room()
        if len(self._records) >= self._records_max:
            raise JournalFull("the write journal is full")
        self._put(record)
        return None

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        present = self._records.get(record.name)
        if present is None:
            raise RecordGone(record.stripe_key)
        if present.version != version:
            return present
        self._put(record)
        if present.recorded_at != record.recorded_at:
            self._records.move_to_end(record.name)  # the oldest stand first; this one is young
        return None

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        name = self._by_stripe_key.get(stripe_key)
        return None if name is None else self._records[name]

    async def open_records(self) -> list[WriteRecord]:
        return [record for record in self._records.values() if record.is_open]

    def _put(self, record: WriteRecord) -> None:
        self._records[record.name] = record
        self._by_stripe_key[record.stripe_key] = record.name

    def _make_room(self) -> None:
        """Forget the oldest that is finished, if it is old enough."""
        horizon = self._now() - KEPT_SECONDS
        old = (one for one in self._records.values() if not one.is_open)
        record = next(old, None)
        if record is None or record.recorded_at >= horizon:
            return
        del self._records[record.name]
        for attempt in range(1, record.attempt + 1):
            self._by_stripe_key.pop(replace(record, attempt=attempt).stripe_key, None)
