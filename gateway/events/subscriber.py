"""What is published live, of what one view of the log wants: a bounded queue, and its place in the
index that knows whom an entry is for.

Nothing is done for a queue that an entry does not concern: how far it has come follows from what
was published. Who falls behind has lost something, and says so instead of skipping it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from gateway.events.log import LogEntry, Logged, Unreadable, encode_position
from schema.ports import (
    EventFilter,
    GapReason,
    InvoicePaymentEvent,
    LiveItem,
    StreamCheckpoint,
    StreamGap,
    Viewer,
)

Told = InvoicePaymentEvent | StreamGap
Waiting = Collection[Logged]


@dataclass(frozen=True, slots=True)
class View:
    """The log as one viewer sees it through one filter. Rights are checked for each entry."""

    epoch: str
    viewer: Viewer
    where: EventFilter

    def cursor(self, position: int) -> str:
        return encode_position(self.epoch, position)

    def gap(self, after: int, resumes_at: int, reason: GapReason) -> StreamGap:
        return StreamGap(self.cursor(after), self.cursor(resumes_at), reason)

    def wants(self, entry: Logged) -> bool:
        """Whether the reader is to be told of it. Whom an unreadable entry is about, nobody knows,
        so that everybody is told of its place."""
        if isinstance(entry, Unreadable):
            return True
        where = self.where
        return (
            self.viewer.sees(entry.customer_id)
            and (not where.invoice_ids or entry.invoice_id in where.invoice_ids)
            and (not where.customer_ids or entry.customer_id in where.customer_ids)
            and (not where.types or entry.type in where.types)
        )

    def told(self, entry: Logged) -> Told:
        """What the reader gets for an entry that it wants."""
        if isinstance(entry, Unreadable):
            return self.gap(entry.position - 1, entry.position, GapReason.UNREADABLE)
        return _shown(entry, self.cursor(entry.position), self.viewer.tenant)

    def live(self, entry: Logged) -> LiveItem:
        """The same for readers of several tenants."""
        if isinstance(entry, Unreadable):
            return LiveItem(entry.position, self.told(entry))
        shown = _shown(entry, self.cursor(entry.position), None)
        if entry.tenant is None or entry.idempotency_key is None:
            return LiveItem(entry.position, shown)
        own = replace(shown, idempotency_key=entry.idempotency_key)
        return LiveItem(entry.position, shown, entry.tenant, own)

    def items(self, here: int, batch: Iterable[Logged]) -> Iterator[Told]:
        """All that the reader is told of a batch that was read after this position.

        Positions that are left out were removed. Gaps with nothing to show between them are one.
        """
        held: StreamGap | None = None
        for item in self._each(here, batch):
            gap = item if isinstance(item, StreamGap) else None
            if gap is not None and held is not None and gap.reason is held.reason:
                held = replace(held, resumes_at=gap.resumes_at)
                continue
            if held is not None:
                yield held
            held = gap
            if gap is None:
                yield item
        if held is not None:
            yield held

    def _each(self, here: int, batch: Iterable[Logged]) -> Iterator[Told]:
        for entry in batch:
            if entry.position > here + 1:
                yield self.gap(here, entry.position - 1, GapReason.RETENTION)
            if self.wants(entry):
                yield self.told(entry)
            here = entry.position


def _shown(entry: LogEntry, cursor: str, tenant: str | None) -> InvoicePaymentEvent:
    is_own = tenant is not None and entry.tenant == tenant
    return InvoicePaymentEvent(
        cursor=cursor,
        type=entry.type,
        raw_type=entry.raw_type,
        origin=entry.origin,
        occurred_at=entry.occurred_at,
        invoice_id=entry.invoice_id,
        source_event_id=entry.source_event_id,
        customer_id=entry.customer_id,
        invoice_payment_id=entry.invoice_payment_id,
        payment_intent_id=entry.payment_intent_id,
        idempotency_key=entry.idempotency_key if is_own else None,
    )


class Subscriber:
    """A queue of what its view wants; see `schema.ports.LiveEvents`.

    `overflowed` and `torn` say that what comes next is not in the queue: it did not fit, or was
    not published in its order. Then `heard` is where to read on.
    """

    __slots__ = ("_index", "_seen", "_wake", "heartbeat_seconds", "overflowed", "queue", "torn",
                 "view")  # fmt: skip

    def __init__(
        self, index: LiveIndex, view: View, seen: int, wake: Callable[[], None], waiting: Waiting
    ) -> None:
        self._index = index
        self._seen = seen
        self._wake = wake
        self.view = view
        self.heartbeat_seconds = index.heartbeat_seconds
        self.queue = deque(waiting) if waiting else None
        self.overflowed = False
        self.torn = False
        index.add(self)

    @property
    def is_over(self) -> bool:
        return self.overflowed or self.torn

    @property
    def is_ahead(self) -> bool:
        """Whether its reader has read from the log what is not published yet, and so has more than
        others who hear the same."""
        return self._seen > self._index.published

    @property
    def heard(self) -> int:
        """Everything up to it was taken, waits in the queue, or was not wanted; so with an empty
        queue it is where a reader may resume."""
        return self._seen if self.is_over else max(self._seen, self._index.published)

    def offer(self, entry: Logged) -> None:
        """One entry more was published, which may concern it. Never blocks."""
        if self.is_over or entry.position <= self._seen or not self.view.wants(entry):
            return
        if self.queue is None:
            self.queue = deque()
        if len(self.queue) >= self._index.queue_max:
            self.overflowed = True
            self._seen = entry.position - 1
        else:
            self.queue.append(entry)
        self._wake()

    def tear(self, before: int, position: int) -> None:
        """This position was published after that one. Nobody knows yet what lies between."""
        seen = max(self._seen, before)
        if not self.is_over and position > seen + 1:
            self._seen = seen
            self.torn = True
            self._wake()

    def split(self, view: View, after: int, wake: Callable[[], None]) -> Subscriber:
        """A queue of its own for a reader of the same that has everything up to a position."""
        waiting = [entry for entry in self.queue or () if entry.position > after]
        other = Subscriber(self._index, view, max(self._seen, after), wake, waiting)
        other.overflowed, other.torn = self.overflowed, self.torn
        return other

    def take(self) -> Logged:
        """The first that waits."""
        assert self.queue is not None
        entry = self.queue.popleft()
        if not self.queue:
            self.queue = None  # An empty one would keep half a kilobyte.
        return entry

    def waiting(self, limit: int) -> list[LiveItem]:
        return [self.view.live(entry) for entry in islice(self.queue or (), limit)]

    def done(self, count: int) -> None:
        for _ in range(count if self.queue else 0):
            self.take()

    def checkpoint(self) -> StreamCheckpoint:
        return StreamCheckpoint(self.view.cursor(self.heard), True)

    def close(self) -> None:
        self._index.discard(self)
        self.queue = None


Some = dict[Subscriber, None]
"""In the order in which they came, so that who is told first is no chance."""


class LiveIndex:
    """All live queues by what they want, so that an entry costs a look at those it may concern.

    `published` is the last position that was handed to them.
    """

    def __init__(self, *, queue_max: int, heartbeat_seconds: float) -> None:
        self.queue_max = queue_max
        self.heartbeat_seconds = heartbeat_seconds
        self.published = 0
        self._all: Some = {}
        self._anything: Some = {}
        self._by_invoice: dict[str, Some] = {}
        self._by_customer: dict[str, Some] = {}

    def add(self, subscriber: Subscriber) -> None:
        self._all[subscriber] = None
        for found, key in self._places(subscriber.view):
            found.setdefault(key, {})[subscriber] = None
        if _wants_anything(subscriber.view):
            self._anything[subscriber] = None

    def discard(self, subscriber: Subscriber) -> None:
        self._all.pop(subscriber, None)
        self._anything.pop(subscriber, None)
        for found, key in self._places(subscriber.view):
            some = found.get(key)
            if some is not None:
                some.pop(subscriber, None)
                if not some:
                    del found[key]

    def _places(self, view: View) -> Iterator[tuple[dict[str, Some], str]]:
        """Where it stands: under one kind of ids, so that no entry finds it twice."""
        if view.where.invoice_ids:
            return ((self._by_invoice, one) for one in view.where.invoice_ids)
        customers = view.where.customer_ids or view.viewer.customers or ()
        return ((self._by_customer, one) for one in customers)

    def publish(self, entry: Logged) -> None:
        """Offer an entry to those it may concern; all have to know if one was left out."""
        before, self.published = self.published, entry.position
        if entry.position > before + 1:
            for one in self._all:
                one.tear(before, entry.position)
        for some in self._concerned(entry):
            for one in some:
                one.offer(entry)

    def _concerned(self, entry: Logged) -> Iterator[Collection[Subscriber]]:
        if isinstance(entry, Unreadable):
            yield self._all
            return
        yield self._anything
        yield self._by_invoice.get(entry.invoice_id, ())
        if entry.customer_id is not None:
            yield self._by_customer.get(entry.customer_id, ())


def _wants_anything(view: View) -> bool:
    """Whether it is bound to no invoice and to no customer."""
    where = view.where
    return not where.invoice_ids and not where.customer_ids and view.viewer.customers is None
