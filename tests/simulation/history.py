"""What has happened in one history: the checker's only source, and the story that people read.

It holds what callers were told, what Stripe has done and what subscribers got; nothing of how the
gateway came to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LOST = "LOST"
"""The connection to the gateway went away, as when it is killed."""
GONE = "GONE"
"""The caller itself went away."""
OK = "OK"
PENDING = "PENDING"


State = tuple[str | None, int, int]
"""Status, paid, remaining."""


@dataclass(slots=True)
class Call:
    """One try of one write, as its caller saw it. `other_input`: it had changed its mind."""

    write: int
    gateway: str
    begun: float
    true_time: int
    other_input: bool = False
    ended: float | None = None
    code: str = PENDING
    retryable: bool = False
    told_id: str | None = None
    state: State | None = None
    """The invoice after the change, as it was told."""
    replayed: bool = False
    placed: str | None = None
    """Where a payment is that was to be moved, as it was told."""
    moved_to_id: str | None = None
    to_state: State | None = None
    """The invoice that it was moved to."""
    own_seconds: float = 0.0
    """For how long a call to Stripe or a store was under way for it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that Stripe has done: `mark` is the source, the reference or the memo."""

    at: float
    version: int
    kind: str
    invoice_id: str
    mark: str
    object_id: str
    amount: int = 0


@dataclass(slots=True)
class StripeEvent:
    """Something that Stripe tells of by its own events, whose ids are `told_as`."""

    at: float
    version: int
    id: str
    type: str
    invoice_id: str | None
    payment_id: str | None
    is_default: bool = False
    told_as: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An invoice from this version on, with its payments and their status."""

    version: int
    state: State
    payments: frozenset[tuple[str, str]]
    overpaid: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as a subscriber got it, with what was read for it."""

    at: float
    cursor: str
    type: str
    raw_type: str
    source_event_id: str | None
    invoice_id: str
    payment_id: str | None
    key: str | None
    state: State | None
    payment: tuple[str, str] | None
    payment_failed: bool
    version_now: int


@dataclass(slots=True)
class Subscriber:
    """What one subscriber got, over all its connections."""

    name: str
    begins: str | None = None
    cursor: str | None = None
    seen: list[Seen] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Read:
    """One query after an event was seen, and whether it was older than that event."""

    at: float
    gateway: str
    invoice_id: str
    after: Seen
    state: State
    payments: frozenset[tuple[str, str]]


@dataclass(slots=True)
class History:
    """Everything of one run. `trouble` is what the run itself found to be wrong."""

    calls: list[Call] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    events: list[StripeEvent] = field(default_factory=list)
    snapshots: dict[str, list[Snapshot]] = field(default_factory=dict)
    subscribers: list[Subscriber] = field(default_factory=list)
    log: list[Seen] = field(default_factory=list)
    """The whole log as it was read at the end."""
    reads: list[Read] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    unfinished: list[Any] = field(default_factory=list)
    leaps: list[float] = field(default_factory=list)
    faults_end: float = 0.0
    story: list[str] | None = None
    """Lines, only where somebody wants to read them."""
    drained: bool = False
