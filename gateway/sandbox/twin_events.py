"""The twin's events, delivered in process through the same door as Stripe's webhooks.

For the memory backend, which has no HTTP between itself and the gateway.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.harvest import EventRead
from gateway.backends.memory.twin import Twin, TwinEvent
from gateway.events.hints import Hint
from gateway.events.intake import Intake
from gateway.events.intake_ports import Touched
from gateway.ledger.facts import NO_SNAPSHOT
from schema import records
from schema.ports import EventOrigin

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Between two tries to take in an event while the log is away."""
PENDING_MAX = 100_000
"""Events of the twin that wait to be taken in; a write makes at most a handful."""


class TwinLookup:
    """What the intake asks upstream, asked of the twin."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def customer_known(self, invoice_id: str) -> tuple[bool, str | None]:
        invoice = self._twin.invoices.get(invoice_id)
        return (False, None) if invoice is None else (True, invoice.customer_id)

    async def turn(self, invoice_id: str | None) -> None:
        """The twin makes nobody wait."""

    async def invoice(
        self, invoice_id: str, *, turned: Collection[str] = (), detached: Collection[str] = ()
    ) -> EventRead:
        found = (self._twin.invoice_payments.get(one) for one in turned)
        return self._read([invoice_id], [one for one in found if one is not None])

    async def payments_of_intent(self, intent_id: str) -> EventRead:
        payments = self._twin.invoice_payments.matching("source_id", intent_id)
        return self._read([one.invoice_id for one in payments], payments)

    async def related_turn(self, kind: str, object_id: str) -> None:
        """The twin makes nobody wait."""

    async def related(self, kind: str, object_id: str) -> EventRead:
        if kind == "credit_note":
            note = self._twin.credit_notes.get(object_id)
            return self._read([] if note is None else [note.invoice_id], [])
        payment = self._twin.invoice_payments.get(object_id)
        return (
            self._read([], []) if payment is None else self._read([payment.invoice_id], [payment])
        )

    async def customer_of_intent(self, intent_id: str) -> str | None:
        intent = self._twin.payment_intents.get(intent_id)
        return None if intent is None else intent.customer_id

    async def snapshot_of(self, event_id: str) -> str | None:
        """The twin's events are snapshots."""
        return None

    def _read(
        self, invoice_ids: Iterable[str], payments: Iterable[records.InvoicePayment]
    ) -> EventRead:
        known = ((one, self.customer_known(one)) for one in invoice_ids)
        customers = {one: customer_id for one, (is_known, customer_id) in known if is_known}
        return EventRead(customers, {one.id: one for one in payments})


class Uncached:
    """See `gateway.events.intake_ports.ObjectCache`: the twin is always as new as it gets."""

    async def drop(self, touched: Touched) -> None:
        """There is nothing to forget."""

    async def keep(self, brought: Any) -> None:
        """There is nowhere to keep it."""

    @asynccontextmanager
    async def renewing(self, touched: Sequence[Touched]) -> AsyncIterator[Uncached]:
        yield self


@dataclass(slots=True)
class EventDeliveries:
    """Takes in one event after the other, and again where the log is away for a moment. `idle` is
    set while none waits."""

    intake: Intake
    account: str
    pending: deque[TwinEvent] = field(default_factory=lambda: deque(maxlen=PENDING_MAX))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: TwinEvent) -> None:
        """Take the event in, in its turn. What Stripe has thin events alone for is passed over: an
        attach is always our own here, and announces itself."""
        if event.type in NO_SNAPSHOT:
            return
        self.pending.append(event)
        self.idle.clear()
        self.wake.set()

    async def run(self) -> None:
        """For ever. An event that meets a mistake of ours is passed over."""
        while True:
            while self.pending:
                await self._take(self.pending.popleft())
            self.idle.set()
            self.wake.clear()
            await self.wake.wait()

    async def _take(self, event: TwinEvent) -> None:
        while True:
            try:
                await self.intake.receive_in_turn(hint_of(event, self.account), EventOrigin.WEBHOOK)
                return
            except OSError as trouble:
                log.warning("event %s is not taken in yet: %s", event.id, trouble)
                await asyncio.sleep(RETRY_SECONDS)


def hint_of(event: TwinEvent, account: str) -> Hint:
    """The ids in one of the twin's events."""
    invoice_id = payment_id = intent_id = customer_id = None
    match event.object:
        case records.Customer():
            customer_id = event.object.id
        case records.Invoice():
            invoice_id = event.object.id
        case records.CreditNote():
            invoice_id = event.object.invoice_id
        case records.InvoicePayment() as one:
            invoice_id, payment_id = one.invoice_id, one.id
            intent_id = one.source_id if one.source_type == "payment_intent" else None
        case records.PaymentIntent() as one:
            intent_id, customer_id = one.id, one.customer_id
    return Hint(
        event_id=event.id,
        type=event.type,
        created=event.created,
        account=account,
        livemode=False,
        invoice_id=invoice_id,
        invoice_payment_id=payment_id,
        payment_intent_id=intent_id,
        customer_id=customer_id,
        request_key=event.request.idempotency_key,
    )
