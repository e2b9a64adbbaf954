"""One reader of the log: what it may see and wants of it, and the queue of what waits for it.

Knows neither the log nor the other readers. Queues are bounded: who falls behind has lost
something, and says so instead of skipping it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from gateway.events.log import LogEntry, Logged, Unreadable, encode_position
from schema.ports import EventFilter, GapReason, InvoicePaymentEvent, StreamGap, Viewer

Told = InvoicePaymentEvent | StreamGap


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
        return self._shown(entry)

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

    def _shown(self, entry: LogEntry) -> InvoicePaymentEvent:
        is_own = entry.tenant == self.viewer.tenant
        return InvoicePaymentEvent(
            cursor=self.cursor(entry.position),
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


@dataclass(slots=True, eq=False)
class Subscriber:
    """One live reader's queue, of what it wants.

    Everything up to `heard` has been delivered, waits in the queue, or was not wanted; so with an
    empty queue it is where the reader may resume. `overflowed` and `torn` say that what comes next
    is not in the queue: it did not fit, or was not published in its order.
    """

    view: View
    limit: int
    heard: int
    queue: deque[Logged] = field(default_factory=deque)
    overflowed: bool = False
    torn: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether the queue gets nothing more."""
        return self.overflowed or self.torn

    def offer(self, entry: Logged) -> None:
        """One entry more was published. Never blocks."""
        if self.is_over or entry.position <= self.heard:
            return
        if entry.position > self.heard + 1:
            self.torn = True
        elif not self.view.wants(entry):
            self.heard = entry.position
            return
        elif len(self.queue) >= self.limit:
            self.overflowed = True
        else:
            self.heard = entry.position
            self.queue.append(entry)
        self.wake.set()

    async def woken(self, beat_at: float) -> bool:
        """Whether there is something to do before this time; if not, `heard` may be told.

        What comes in the moment in which the time is over counts as come before it.
        """
        self.wake.clear()
        try:
            async with asyncio.timeout_at(beat_at):
                if not self.queue and not self.is_over:
                    await self.wake.wait()
        except TimeoutError:
            return bool(self.queue) or self.is_over
        return True
