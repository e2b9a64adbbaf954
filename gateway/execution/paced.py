"""A backend whose loads wait for their turn: what costly operations see of the real one."""

from __future__ import annotations

from typing import Any

from gateway.execution.fair_queue import FairQueue
from schema.ports import (
    Attached,
    AttachPayment,
    BackendDescription,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    InvoiceBackend,
    Loaded,
    Needs,
    Viewer,
)

COSTLY = 50
"""From this cost on an operation waits for its turns: it takes the thread for about a
millisecond or more."""


class PacedBackend:
    """See `schema.ports.InvoiceBackend`.

    A load takes one turn before, for what it does by itself, and one after it, for the projection
    that follows. Between the two it may wait for upstream as long as it likes.
    """

    def __init__(self, inner: InvoiceBackend, fair_queue: FairQueue) -> None:
        self._inner = inner
        self._fair_queue = fair_queue

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        await self._fair_queue.turn(viewer.tenant)
        loaded = await self._inner.load(viewer, needs)
        await self._fair_queue.turn(viewer.tenant)
        return loaded

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        return await self._inner.attach_payment(viewer, command)

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        return await self._inner.detach_payment(viewer, command)

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        return await self._inner.create_credit_note(viewer, command)

    async def close(self) -> None:
        """The real one is closed by whoever opened it."""
