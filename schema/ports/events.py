"""The port through which the log of invoice payment events is read. Plain."""

from __future__ import annotations

import enum
from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class LiveItem:
    """What stands at one position of the log, for readers who have the same rights.

    `item` is what they are shown; `own` what those of the tenant `owner` are, whose write it was.
    """

    position: int
    item: InvoicePaymentEvent | StreamGap
    owner: str | None = None
    own: InvoicePaymentEvent | None = None


class LiveEvents(Protocol):
    """What is published of what some readers want: one bounded queue for all of them."""

    heartbeat_seconds: float

    @property
    def is_over(self) -> bool:
        """Whether the queue gets nothing more: its readers have to read on by themselves."""
        ...

    def waiting(self, limit: int) -> list[LiveItem]:
        """The first that wait, at most so many. They stay until they are `done`."""
        ...

    def done(self, count: int) -> None:
        """The first were told to everybody, and wait no more."""
        ...

    def checkpoint(self) -> StreamCheckpoint:
        """Up to where everything was told; true while nothing waits."""
        ...

    def close(self) -> None:
        """Hear of nothing more. Idempotent."""
        ...


class EventReader(Protocol):
    """One reader on its way through the log: an iterator, to be closed by whoever leaves early."""

    def __aiter__(self) -> EventReader: ...

    async def __anext__(self) -> StreamItem: ...

    async def aclose(self) -> None: ...

    @property
    def is_quiet(self) -> bool:
        """Whether it is live, has nothing to tell now, and has read nothing that is not published
        yet: so it has what all have who are quiet, and a checkpoint of theirs is true for it."""
        ...

    def rest(self) -> int:
        """Leave what comes to `LiveEvents` that are open; only for a quiet reader. The position up
        to which nothing is missing, as none is between it and what comes."""
        ...

    def resume(self, live: LiveEvents, after: int) -> None:
        """Go on after a position with what waits there, and with what comes."""
        ...


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

    async def last_complete(self) -> int | None:
        """Up to when all that upstream lists was known to be in the log, in epoch seconds; None
        where there is no such list, or as long as that was never known."""
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

    def subscribe(self, viewer: Viewer, *, after: str | None, where: EventFilter) -> EventReader:
        """A checkpoint that is true, then the backlog after `after`, then live; nothing twice.

        Without `after` it starts now. A cursor that the log no longer holds gives a `StreamGap`,
        as does an entry that cannot be read, in its place. A reader that falls behind gets
        `StreamGap` SLOW_CONSUMER and the end.
        """
        ...

    def live(self, viewer: Viewer, where: EventFilter, wake: Callable[[], None]) -> LiveEvents:
        """What is published from now on. `wake` is told whenever something has come, and when
        the queue is over; it must not raise, nor open or close anything before it returns."""
        ...
