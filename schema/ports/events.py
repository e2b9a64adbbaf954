"""The port through which the log of invoice payment events is read. Plain."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from schema.ports.viewer import Viewer


class EventType(enum.StrEnum):
    ATTACHED = "ATTACHED"
    PAID = "PAID"
    DETACHED = "DETACHED"
    CANCELED = "CANCELED"
    OVERPAID = "OVERPAID"
    INVOICE_CHANGED = "INVOICE_CHANGED"


class EventOrigin(enum.StrEnum):
    WEBHOOK = "WEBHOOK"
    MUTATION = "MUTATION"
    RECONCILED = "RECONCILED"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Empty means no restriction; the three restrict together."""

    invoice_ids: frozenset[str] = frozenset()
    customer_ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InvoicePaymentEvent:
    """One entry of the log as one viewer may see it; the ids are facts, the objects are re-read."""

    cursor: str
    type: str
    raw_type: str
    origin: str
    occurred_at: int
    invoice_id: str
    source_event_id: str | None = None
    customer_id: str | None = None
    invoice_payment_id: str | None = None
    payment_intent_id: str | None = None
    idempotency_key: str | None = None


class GapReason(enum.StrEnum):
    RETENTION = "RETENTION"
    SLOW_CONSUMER = "SLOW_CONSUMER"
    UNKNOWN_CURSOR = "UNKNOWN_CURSOR"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class StreamCheckpoint:
    """Everything up to `cursor` has been delivered; `live` once the backlog is through."""

    cursor: str
    live: bool


@dataclass(frozen=True, slots=True)
class StreamGap:
    """History between the two positions is missing; refetch, then go on from `resumes_at`.

    UNREADABLE history is there, and a newer release can read it.
    """

    after: str | None
    resumes_at: str
    reason: GapReason


StreamItem = InvoicePaymentEvent | StreamCheckpoint | StreamGap


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in log order, oldest first. `end` is where to go on when there are none.

    `gaps` are the places up to `end` where history is missing.
    """

    events: tuple[InvoicePaymentEvent, ...]
    end: str
    has_next: bool
    has_previous: bool
    gaps: tuple[StreamGap, ...] = ()


class EventStream(Protocol):
    """The log of invoice payment events: one total order, the same for everybody.

    A cursor is a position and not a right: every item is checked against the viewer.
    """

    def position(self) -> str:
        """The cursor up to which this replica has dropped what its cache held. Never blocks.

        An object looked up after this was sampled has everything up to it folded in.
        """
        ...

    async def oldest(self) -> str | None:
        """How far back a cursor can resume; None while the log is empty."""
        ...

    async def page(
        self, viewer: Viewer, *, first: int, after: str | None, where: EventFilter
    ) -> EventPage:
        """Read up to `first` events after a cursor. Raises `Failed` CURSOR_GONE, BAD_USER_INPUT."""
        ...

    def newer(self, after: str | None, resumed: str | None) -> str | None:
        """Of two positions that one request names, the one that its reader had last.

        Raises `Failed` BAD_USER_INPUT for an `after` that is no cursor.
        """
        ...

    def subscribe(
        self, viewer: Viewer, *, after: str | None, where: EventFilter
    ) -> AsyncGenerator[StreamItem, None]:
        """A checkpoint that is true, then the backlog after `after`, then live; nothing twice.

        Without `after` it starts now. A cursor that the log no longer holds gives a `StreamGap`,
        as does an entry that cannot be read, in its place. A reader that falls behind gets
        `StreamGap` SLOW_CONSUMER and the end.
        """
        ...
