"""Stripe in the history: the twin behind the sandbox's service, watched.

What it has done is noted from the twin alone. How its answers travel is said in `transport`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.memory.twin import Request, Twin, TwinEvent
from gateway.ledger.book import Book
from gateway.sandbox.stripe_api.account import Account, StoredEvent
from gateway.sandbox.stripe_api.events import EventBook
from gateway.sandbox.stripe_api.faults import Fault as SandboxFault
from gateway.sandbox.stripe_api.idempotency import Answer
from gateway.sandbox.stripe_api.service import VERSION, Incoming, Service
from schema import records
from schema.ports import CreditNoteDraft
from tests.simulation.boundary import Boundary
from tests.simulation.history import Effect, History, Snapshot, StripeEvent


@dataclass(slots=True)
class WatchedTwin(Twin):
    """The twin that notes what it has done, and each state of each invoice by number."""

    history: History = field(default_factory=History)
    version: int = 0
    closing: dict[str, list[str]] = field(default_factory=dict)
    """The invoices that others pay as soon as this intent is taken off another."""

    def note(self, kind: str, invoice_id: str, mark: str, object_id: str, amount: int = 0) -> None:
        now = asyncio.get_running_loop().time()
        effect = Effect(now, self.version, kind, invoice_id, mark, object_id, amount)
        self.history.effects.append(effect)

    def _enter(self, before: Book, after: Book, request: Request) -> Book:
        self.version += 1
        Twin._enter(self, before, after, request)
        invoice = after.invoice
        state = (invoice.status, invoice.amount_paid, invoice.amount_remaining)
        payments = frozenset((one.id, one.status) for one in after.payments)
        snapshot = Snapshot(self.version, state, payments, invoice.amount_overpaid)
        self.history.snapshots.setdefault(invoice.id, []).append(snapshot)
        return after

    def attach(self, invoice_id: str, source_id: str, **given: Any) -> records.InvoicePayment:
        payment = Twin.attach(self, invoice_id, source_id, **given)
        self.note("attached", invoice_id, source_id, payment.id, payment.amount_requested)
        return payment

    def detach(
        self, invoice_id: str, intent_id: str, **given: Any
    ) -> tuple[records.InvoicePayment, records.InvoicePayment | None]:
        payment, fresh = Twin.detach(self, invoice_id, intent_id, **given)
        self.note("detached", invoice_id, intent_id, payment.id, payment.amount_requested)
        for closed in self.closing.pop(intent_id, ()):
            self._pay_rest(closed)
        return payment, fresh

    def _pay_rest(self, invoice_id: str) -> None:
        """Others pay all that remains."""
        rest = self.invoice(invoice_id).amount_remaining
        if rest == 0:
            return
        intent = records.PaymentIntent(
            id=self.new_id("pi_rest"),
            created=self.now(),
            currency="usd",
            status="succeeded",
            amount=rest,
            amount_received=rest,
            customer_id=self.invoice(invoice_id).customer_id,
        )
        self.create_intent(intent)
        self.attach(invoice_id, intent.id)

    def credit(self, draft: CreditNoteDraft, **given: Any) -> records.CreditNote:
        note = Twin.credit(self, draft, **given)
        self.note("credited", draft.invoice_id, note.memo or "", note.id, note.amount)
        return note

    def void_credit_note(self, note_id: str, *given: Any) -> records.CreditNote:
        note = Twin.void_credit_note(self, note_id, *given)
        self.note("voided", note.invoice_id, note.memo or "", note.id, note.amount)
        return note

    def report_payment(self, record: records.PaymentRecord) -> records.PaymentRecord:
        self.note("reported", "", record.reference or "", record.id, record.amount)
        return Twin.report_payment(self, record)


class _NoSender:
    """In place of the sandbox's own sender: events are listened to, and sent by the history."""

    @contextlib.contextmanager
    def batch(self, manner: object) -> Iterator[None]:
        yield


class StripeSide:
    """One account at Stripe, and its webhooks before they are sent."""

    def __init__(
        self,
        history: History,
        boundary: Boundary,
        now: Callable[[], int],
        new_id: Callable[[str], str],
    ) -> None:
        self.history = history
        self.boundary = boundary
        self.twin = WatchedTwin(now=now, new_id=new_id, history=history)
        self.account = Account(self.twin)
        self.on_event: Callable[[StoredEvent], None] = _nobody
        self._service = Service(self.account, _NoSender())  # type: ignore[arg-type]
        self._book = EventBook(self.account, VERSION, self._stored)
        self.twin.listeners.append(self._note)

    def open_for_business(self) -> None:
        """From here on events are noted and sent; what was set up before is nobody's business."""
        self.twin.listeners.insert(0, self._note)
        self.twin.listeners[:] = [self._note, self._book.take]

    def _note(self, event: TwinEvent) -> None:
        subject = event.object
        payment_id = subject.id if isinstance(subject, records.InvoicePayment) else None
        invoice_id = subject.id if isinstance(subject, records.Invoice) else None
        now = asyncio.get_running_loop().time()
        self.history.events.append(
            StripeEvent(
                now,
                self.twin.version,
                event.id,
                event.type,
                invoice_id or getattr(subject, "invoice_id", None),
                payment_id,
                is_default=isinstance(subject, records.InvoicePayment) and subject.is_default,
            )
        )

    def _stored(self, event: StoredEvent) -> None:
        """Whatever is told of the fact that was noted last."""
        self.history.events[-1].told_as.add(event.id)
        self.boundary.tell("Stripe: event {} {}", event.id, event.type)
        self.on_event(event)

    async def serve(self, incoming: Incoming, fault: SandboxFault | None) -> Answer:
        request_id = self.twin.new_id("req")
        before = len(self.history.effects)
        answer, _ = await self._service.respond(incoming, request_id, fault)
        self.boundary.tell(
            "Stripe: {} {} {} -> {} {}",
            incoming.method,
            incoming.path,
            incoming.idempotency_key and incoming.idempotency_key[:9],
            answer.status,
            [f"{one.kind} {one.object_id}" for one in self.history.effects[before:]] or "",
        )
        return answer


def _nobody(event: StoredEvent) -> None:
    """Nobody listens before the gateways are there."""
