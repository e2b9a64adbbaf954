"""A cache in front of a twin that a stage changes behind it: every event of the twin drops.

In production events come through the intake. Here the twin's own listeners are that way, without
a log: what an event names is dropped before the next call.
"""

from __future__ import annotations

from typing import Any

from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from gateway.backends.memory.twin import Twin, TwinEvent
from gateway.backends.supplier import Supplier
from schema import records
from schema.ports import Loaded, Meter, Needs, Viewer
from tests.support.backends import Backend, journal_of
from tests.support.stage import Stage

Dropped = tuple[str | None, str | None, str | None]
"""Invoice, customer, PaymentIntent."""


class EventfulReads(CachingReads):
    """Cached reads that first drops what events have named since the last call."""

    def __init__(self, twin: Twin, *given: Any) -> None:
        super().__init__(*given)
        self._twin = twin
        self._pending: list[Dropped] = []
        twin.listeners.append(self.hear)

    def hear(self, event: TwinEvent) -> None:
        """Note what the event may have changed, by ids alone."""
        self._pending += dropped_by(self._twin, event.object)

    async def catch_up(self) -> None:
        pending, self._pending = self._pending, []
        for dropped in pending:
            await self.drop(*dropped)

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any] | None:
        return None if self._pending else super().at_once(viewer, needs, meter)

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        await self.catch_up()
        return await super().load(viewer, needs, meter, known)


def dropped_by(twin: Twin, subject: object) -> list[Dropped]:
    """What an event about this object drops, as the intake resolves it."""
    match subject:
        case records.Invoice():
            return [(subject.id, subject.customer_id, None)]
        case records.CreditNote():
            return [(subject.invoice_id, subject.customer_id, None)]
        case records.InvoicePayment():
            invoice = twin.invoices.get(subject.invoice_id)
            customer_id = None if invoice is None else invoice.customer_id
            return [(subject.invoice_id, customer_id, subject.source_id)]
        case records.PaymentIntent():
            return [(None, subject.customer_id, subject.id)]
        case _:
            return []


def cached(stage: Stage, supplier: Supplier) -> Backend:
    """A cache of its own in front of what reads this stage's twin, and a journal before the writes
    that drop."""
    store = CacheStore(BoundedMemoryCache(stage.clock.monotonic))
    reads = EventfulReads(
        stage.twin, supplier, store, lambda: stage.ids.new("tok"), stage.clock.monotonic
    )
    return Backend(reads, journal_of(supplier, stage.clock.now, reads.drop_after))
