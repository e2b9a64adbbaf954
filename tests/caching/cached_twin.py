"""A cache in front of a twin that a stage changes behind it: every event of the twin drops.

In production events come through the intake. Here the twin's own listeners are that way, without
a log: what an event names is dropped before the next call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.backends.caching.backend import CachingBackend
from gateway.backends.caching.memory_cache import BoundedMemoryCache
from gateway.backends.caching.store import CacheStore
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin, TwinEvent
from schema import records
from schema.ports import (
    Attached,
    AttachPayment,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    InvoiceBackend,
    Loaded,
    Needs,
    Viewer,
)
from tests.support.stage import Stage

Dropped = tuple[str | None, str | None, str | None]
"""Invoice, customer, PaymentIntent."""


class EventfulBackend(CachingBackend):
    """A caching backend that first drops what events have named since the last call."""

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

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        await self.catch_up()
        return await super().load(viewer, needs)

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        await self.catch_up()
        return await super().attach_payment(viewer, command)

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        await self.catch_up()
        return await super().detach_payment(viewer, command)

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        await self.catch_up()
        return await super().create_credit_note(viewer, command)


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


def cached(stage: Stage, inner: InvoiceBackend) -> EventfulBackend:
    """A cache of its own in front of what reads this stage's twin."""
    store = CacheStore(BoundedMemoryCache(stage.clock.monotonic))
    return EventfulBackend(stage.twin, inner, store, lambda: stage.ids.new("tok"))


@asynccontextmanager
async def caching_memory(stage: Stage) -> AsyncIterator[InvoiceBackend]:
    """A cached twin, for the contract."""
    backend = cached(stage, MemoryBackend(stage.twin))
    yield backend
    await backend.close()
