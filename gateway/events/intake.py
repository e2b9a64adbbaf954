"""The one door through which events enter: resolve, drop, append, publish, in this order.

From a webhook only ids are taken; the objects behind them are dropped from the cache before the
event is in the log, so that whoever sees the event finds no older copy. A failed drop or append
raises, and nothing is acknowledged.
Source of the event names: https://docs.stripe.com/api/events/types, 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from gateway.events.log import EventLog, LogEntry
from schema.ports import EventOrigin, EventType
from schema.records import InvoicePayment

log = logging.getLogger(__name__)

RECEIVING_MAX = 500
"""Stripe's events that are taken in at once, also those whose webhook has timed out meanwhile:
each may wait for several answers of Stripe's. Whoever brings more must come again."""


class IntakeFull(OSError):
    """Too many events are being taken in."""

    def __init__(self) -> None:
        super().__init__(f"{RECEIVING_MAX} events are being taken in already")


@dataclass(frozen=True, slots=True)
class Hint:
    """What a Stripe event says by its ids alone; `request_key` is event.request.idempotency_key."""

    event_id: str
    type: str
    created: int
    account: str
    livemode: bool
    invoice_id: str | None = None
    invoice_payment_id: str | None = None
    payment_intent_id: str | None = None
    customer_id: str | None = None
    """The customer that the event is about, or its PaymentIntent's; an invoice's is looked up."""
    request_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Touched:
    """What an event may have changed. The customer is the invoice's, or else the intent's."""

    invoice_id: str | None
    customer_id: str | None
    payment_intent_id: str | None


class Lookup(Protocol):
    """How the intake asks upstream. All raise when upstream cannot be asked."""

    async def customer_of(self, invoice_id: str) -> tuple[bool, str | None]:
        """Whether the invoice is known, and whose it is."""
        ...

    async def payment(self, invoice_payment_id: str) -> InvoicePayment | None: ...

    async def payments_of_intent(self, payment_intent_id: str) -> list[InvoicePayment]: ...


TYPES: dict[str, EventType] = {
    "invoice_payment.paid": EventType.PAID,
    "invoice_payment.detached": EventType.DETACHED,
    "invoice.overpaid": EventType.OVERPAID,
    "invoice.payment.overpaid": EventType.OVERPAID,
    "payment_intent.canceled": EventType.CANCELED,
}
CHANGED_PREFIXES = ("invoice.", "credit_note.")
INTENT_PREFIX = "payment_intent."
CUSTOMER_TYPES = frozenset({"customer.created", "customer.updated", "customer.deleted"})
"""Of `customer.*` only these are about the customer itself; the others tell of subscriptions,
sources, discounts and tax ids, none of which is shown."""
UNFOLLOWED = frozenset({"invoice.upcoming"})
"""Has no invoice yet."""
TURNED_ONCE = {EventType.PAID.value: "paid_at", EventType.CANCELED.value: "canceled_at"}
"""States that one payment enters once, whatever number of events say so, and where it says when."""


def event_type(raw_type: str) -> EventType | None:
    """Our type for Stripe's spelling, read as a plain string; None for what is not followed."""
    if raw_type in UNFOLLOWED:
        return None
    if raw_type in TYPES:
        return TYPES[raw_type]
    return EventType.INVOICE_CHANGED if raw_type.startswith(CHANGED_PREFIXES) else None


def drops_by_itself(raw_type: str) -> bool:
    """Whether it drops what is cached also where it becomes no entry: after it nobody may be shown
    the intent or the customer as it was."""
    return raw_type.startswith(INTENT_PREFIX) or raw_type in CUSTOMER_TYPES


def is_followed(raw_type: str) -> bool:
    """Whether the intake does anything about it."""
    return event_type(raw_type) is not None or drops_by_itself(raw_type)


Drop = Callable[[Touched], Awaitable[None]]
Publish = Callable[[LogEntry], None]
CallerOf = Callable[[str], Awaitable[tuple[str, str] | None]]
"""Who sent Stripe this key: tenant and the caller's own key."""


@dataclass(kw_only=True, eq=False)
class Intake:
    """One per process. Entries are appended one after the other, so that they are published in the
    order of the log. All that asks others comes before, so that nothing slow holds up an entry."""

    log: EventLog
    lookup: Lookup
    drop: Drop
    publish: Publish
    caller_of: CallerOf
    account: str
    livemode: bool
    _order: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _line_of_others: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _receiving: dict[str, asyncio.Task[int]] = field(default_factory=dict, init=False)

    async def announce(self, entry: LogEntry, stripe_key: str) -> None:
        """Take in one of our own writes, which Stripe was sent under this key. Nobody's leaving may
        end it, which the journal sees to. Raises `OSError` when the log is not to be had."""
        names = _twin_names(EventType(entry.type), entry.invoice_payment_id, stripe_key)
        await self._taken(replace(entry, dedupe=names))

    async def receive(self, hint: Hint, origin: EventOrigin) -> int:
        """Take in one Stripe event to the end, even when whoever brought it goes away; answers how
        many entries it became: 0 for what is not followed, is another account's, or is known.

        One that is brought again while it is taken in waits for that. Raises when its invoice's
        customer cannot be resolved now, a drop fails, the log is not to be had, or `IntakeFull`.
        """
        if hint.account != self.account or hint.livemode != self.livemode:
            return 0
        under_way = self._receiving.get(hint.event_id)
        if under_way is not None:
            await asyncio.shield(under_way)
            return 0
        if len(self._receiving) >= RECEIVING_MAX:
            raise IntakeFull
        task = asyncio.create_task(self._received(hint, origin))
        self._receiving[hint.event_id] = task
        task.add_done_callback(partial(self._ended, hint))
        return await asyncio.shield(task)

    def _ended(self, hint: Hint, task: asyncio.Task[int]) -> None:
        del self._receiving[hint.event_id]
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # Whoever brought it may be gone, and has to bring it again.
            log.info("event %s was not taken in: %s", hint.event_id, type(trouble).__name__)

    async def _received(self, hint: Hint, origin: EventOrigin) -> int:
        if drops_by_itself(hint.type):
            await self.drop(Touched(None, hint.customer_id, hint.payment_intent_id))
        kind = event_type(hint.type)
        if kind is None:
            return 0
        if kind is EventType.CANCELED:
            return await self._receive_canceled(hint, origin)
        entry = await self._entry(hint, kind, origin)
        return 0 if entry is None else await self._taken(entry)

    async def _receive_canceled(self, hint: Hint, origin: EventOrigin) -> int:
        """A canceled intent cancels its open invoice payments: one entry for each. Stripe promises
        no order: a payment may still be open then."""
        if hint.payment_intent_id is None:
            return 0
        taken = 0
        for payment in await self.lookup.payments_of_intent(hint.payment_intent_id):
            if payment.status not in ("open", "canceled"):
                continue
            of_payment = replace(hint, invoice_id=payment.invoice_id, invoice_payment_id=payment.id)
            entry = await self._entry(of_payment, EventType.CANCELED, origin)
            if entry is not None:
                name = f"event:{hint.event_id}:{payment.id}"
                taken += await self._taken(replace(entry, dedupe=(name, *entry.dedupe[1:])))
        return taken

    async def _entry(self, hint: Hint, kind: EventType, origin: EventOrigin) -> LogEntry | None:
        if hint.invoice_id is None:
            return None
        is_known, customer_id = await self.lookup.customer_of(hint.invoice_id)
        if not is_known:
            # Gone, such as a deleted draft: no entry, but nobody may be shown it any longer.
            await self.drop(Touched(hint.invoice_id, None, hint.payment_intent_id))
            return None
        names: tuple[str, ...] = (f"event:{hint.event_id}",)
        caller = None
        if hint.request_key is not None:
            caller = await self.caller_of(hint.request_key)
            if hint.invoice_payment_id is not None:
                names += _twin_names(kind, hint.invoice_payment_id, hint.request_key)
        return LogEntry(
            type=kind.value,
            raw_type=hint.type,
            origin=origin.value,
            occurred_at=hint.created,
            account=self.account,
            livemode=self.livemode,
            invoice_id=hint.invoice_id,
            customer_id=customer_id,
            invoice_payment_id=hint.invoice_payment_id,
            payment_intent_id=hint.payment_intent_id,
            source_event_id=hint.event_id,
            tenant=caller[0] if caller else None,
            idempotency_key=caller[1] if caller else None,
            dedupe=names,
        )

    async def _taken(self, entry: LogEntry) -> int:
        """Drop, append, publish. Duplicates drop too: an earlier drop may have come too soon."""
        await self.drop(Touched(entry.invoice_id, entry.customer_id, entry.payment_intent_id))
        named = await self._with_state_name(entry)
        if entry.origin == EventOrigin.MUTATION.value:
            return await self._appended(named)
        async with self._line_of_others:
            return await self._appended(named)

    async def _appended(self, entry: LogEntry) -> int:
        """Somebody waits for the announcement of a write before they are answered: of all that
        Stripe tells, at most one entry is between it and the log."""
        async with self._order:
            placed = await self.log.append(entry)
            if placed is None:
                return 0
            self.publish(placed)
            return 1

    async def _with_state_name(self, entry: LogEntry) -> LogEntry:
        """Name the state that was entered and when, so that a second event about the same turn is
        the same fact. A payment that is gone, or has yet to turn at Stripe, cannot say when; the
        event's own second is the best that is known."""
        if entry.type not in TURNED_ONCE or entry.invoice_payment_id is None:
            return entry
        payment = await self.lookup.payment(entry.invoice_payment_id)
        turned_at = getattr(payment, TURNED_ONCE[entry.type], None) or entry.occurred_at
        name = f"state:{entry.type}:{entry.invoice_payment_id}:{turned_at}"
        return replace(entry, dedupe=(*entry.dedupe, name))


def _twin_names(
    kind: EventType, invoice_payment_id: str | None, stripe_key: str
) -> tuple[str, ...]:
    """The announcement of a write and Stripe's own event about it carry these same names.

    One request attaches or detaches one payment, so that its key is enough; other types it may
    cause several times. The name with the payment is also what the releases before have given.
    """
    with_payment = f"twin:{kind.value}:{invoice_payment_id}:{stripe_key}"
    if kind in (EventType.ATTACHED, EventType.DETACHED):
        return (f"twin:{kind.value}:{stripe_key}", with_payment)
    return (with_payment,)
