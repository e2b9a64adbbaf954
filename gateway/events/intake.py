"""The one door through which events enter: drop, read, append, publish, in this order.

From a webhook only ids are taken; the objects behind them are dropped from the cache before the
event is in the log, so that whoever sees the event finds no older copy. Then they are read once,
for all events about the invoice that have come by then: that says whose it is, names states, and
is kept for whoever will be told. What fails raises, and nothing is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.events.gathering import Batch, Gathering, Outcomes
from gateway.events.hints import TURNED_ONCE, Hint, drops_by_itself, event_type
from gateway.events.intake_ports import Brought, Lookup, ObjectCache, Touched
from gateway.events.log import EventLog, LogEntry
from schema.changing import changed
from schema.ports import EventOrigin, EventType
from schema.records import InvoicePayment

log = logging.getLogger(__name__)

RECEIVING_MAX = 2_000
"""Stripe's events that are taken in at once, also those whose webhook has timed out meanwhile; each
is some ids and waits for an answer of Stripe's. Whoever brings more must come again."""


class IntakeFull(OSError):
    """Too many events are being taken in."""

    def __init__(self) -> None:
        super().__init__(f"{RECEIVING_MAX} events are being taken in already")


Publish = Callable[[LogEntry], None]
CallerOf = Callable[[str], Awaitable[tuple[str, str] | None]]
"""Who sent Stripe this key: tenant and the caller's own key."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One event on its way into the log."""

    hint: Hint
    kind: EventType
    origin: EventOrigin

    @property
    def turned_payment_id(self) -> str | None:
        """The payment whose new state is to be named."""
        return self.hint.invoice_payment_id if self.kind.value in TURNED_ONCE else None


Gather = Callable[[str, _Arrival], Awaitable[Outcomes]]
"""Takes in what has arrived about an invoice, be it with others."""


@dataclass(kw_only=True, eq=False)
class Intake:
    """One per process. Entries are appended one after the other, so that they are published in the
    order of the log. All that asks others comes before, so that nothing slow holds up an entry.

    `is_heard` says whether anybody may be told of an entry now: what nobody will read is not read.
    """

    log: EventLog
    lookup: Lookup
    cache: ObjectCache
    publish: Publish
    caller_of: CallerOf
    account: str
    livemode: bool
    is_heard: Callable[[], bool]
    _gathering: Gathering[_Arrival] = field(init=False)
    _order: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _line_of_others: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _receiving: dict[str, asyncio.Task[int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._gathering = Gathering(self._take_in)

    async def announce(self, entry: LogEntry, stripe_key: str) -> None:
        """Take in one of our own writes, which Stripe was sent under this key. Nobody's leaving may
        end it, which the journal sees to. Raises `OSError` when the log is not to be had."""
        names = _twin_names(EventType(entry.type), entry.invoice_payment_id, stripe_key)
        await self.cache.drop(Touched(entry.invoice_id, entry.customer_id, entry.payment_intent_id))
        await self._appended(changed(entry, dedupe=names))

    async def receive(self, hint: Hint, origin: EventOrigin) -> int:
        """Take in one Stripe event to the end, even when whoever brought it goes away; answers how
        many entries it became: 0 for what is not followed, is another account's, or is known.

        One that is brought again while it is taken in waits for that. Raises when its invoice
        cannot be read now, a drop fails, the log is not to be had, or `IntakeFull`.
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

    async def receive_in_turn(self, hint: Hint, origin: EventOrigin) -> int:
        """The same for who alone brings events, one after the other, and stays until each is taken
        in: there is nothing to be gathered, and no task is needed."""
        if hint.account != self.account or hint.livemode != self.livemode:
            return 0
        return await self._received(hint, origin, self._alone)

    async def _alone(self, invoice_id: str, arrival: _Arrival) -> Outcomes:
        return await self._take_in(Batch(invoice_id, [arrival]), self._placed)

    def _ended(self, hint: Hint, task: asyncio.Task[int]) -> None:
        del self._receiving[hint.event_id]
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # Whoever brought it may be gone, and has to bring it again.
            log.info("event %s was not taken in: %s", hint.event_id, type(trouble).__name__)

    async def _received(self, hint: Hint, origin: EventOrigin, gather: Gather | None = None) -> int:
        kind = event_type(hint.type)
        if kind is EventType.CANCELED:
            return await self._receive_canceled(hint, origin)
        if drops_by_itself(hint.type):
            await self.cache.drop(Touched(None, hint.customer_id, hint.payment_intent_id))
        if kind is None or hint.invoice_id is None:
            return 0
        gather = gather or self._gathering.joined
        outcomes = await gather(hint.invoice_id, _Arrival(hint, kind, origin))
        return outcomes[hint.event_id]

    async def _take_in(
        self, batch: Batch[_Arrival], append: Callable[[LogEntry], Awaitable[int]] | None = None
    ) -> dict[str, int]:
        """Read what the events of one invoice are about, if that has to be, and append them. Who
        alone brings events stands in no line with others."""
        append = append or self._appended
        is_known, customer_id = self.lookup.customer_known(batch.invoice_id)
        payments: Mapping[str, InvoicePayment] = {}
        if is_known and not self._is_to_be_read(batch.arrivals):
            batch.close()
            for touched in _touched(batch.arrivals, customer_id):
                await self.cache.drop(touched)
        else:
            try:
                await self.lookup.turn(batch.invoice_id)
            finally:
                batch.close()
            brought = await self._read(batch, customer_id)
            if batch.invoice_id not in brought.customers:
                # Gone, such as a deleted draft: nobody may be shown it any longer.
                return {one.hint.event_id: 0 for one in batch.arrivals}
            customer_id, payments = brought.customers[batch.invoice_id], brought.payments
        made = (self._entry(one, customer_id, payments) for one in batch.arrivals)
        is_alone = len(batch.arrivals) == 1
        entries = [await next(made)] if is_alone else await asyncio.gather(*made)
        taken: dict[str, int] = {}
        for arrival, entry in zip(batch.arrivals, entries, strict=True):
            taken[arrival.hint.event_id] = await append(entry)
        return taken

    def _is_to_be_read(self, arrivals: Iterable[_Arrival]) -> bool:
        """Whether a state has to be named, or somebody will ask for what has changed. Of what is
        caught up with a reader asks for itself: it may be thousands of events."""
        is_heard = self.is_heard()
        return any(
            one.turned_payment_id is not None
            or (is_heard and one.origin is not EventOrigin.RECONCILED)
            for one in arrivals
        )

    async def _read(self, batch: Batch[_Arrival], customer_id: str | None) -> Brought:
        """The invoice as it is after all these events."""
        arrivals = batch.arrivals
        dropped = _touched(arrivals, customer_id)
        async with self.cache.renewing(dropped) as renewal:
            brought = await self.lookup.invoice(
                batch.invoice_id,
                turned=_payment_ids(one for one in arrivals if one.kind.value in TURNED_ONCE),
                detached=_payment_ids(one for one in arrivals if one.kind is EventType.DETACHED),
            )
            whose = brought.customers.get(batch.invoice_id)
            if whose is not None and whose not in {one.customer_id for one in dropped}:
                await renewal.drop(Touched(None, whose, None))
            await renewal.keep(brought)
        return brought

    async def _receive_canceled(self, hint: Hint, origin: EventOrigin) -> int:
        """A canceled intent cancels its open invoice payments: one entry for each. Stripe promises
        no order: a payment may still be open then."""
        intent_id = hint.payment_intent_id
        if intent_id is None:
            return 0
        await self.lookup.turn(None)
        async with self.cache.renewing([Touched(None, hint.customer_id, intent_id)]) as renewal:
            brought = await self.lookup.payments_of_intent(intent_id)
            for invoice_id in dict.fromkeys(one.invoice_id for one in brought.payments.values()):
                customer_id = brought.customers.get(invoice_id)
                others = customer_id if customer_id != hint.customer_id else None
                await renewal.drop(Touched(invoice_id, others, None))
            await renewal.keep(brought)
        taken = 0
        for payment in brought.payments.values():
            if payment.status not in ("open", "canceled"):
                continue
            if payment.invoice_id not in brought.customers:
                continue
            of_payment = replace(hint, invoice_id=payment.invoice_id, invoice_payment_id=payment.id)
            arrival = _Arrival(of_payment, EventType.CANCELED, origin)
            customer_id = brought.customers[payment.invoice_id]
            entry = await self._entry(arrival, customer_id, brought.payments)
            name = f"event:{hint.event_id}:{payment.id}"
            taken += await self._appended(replace(entry, dedupe=(name, *entry.dedupe[1:])))
        return taken

    async def _entry(
        self, arrival: _Arrival, customer_id: str | None, payments: Mapping[str, InvoicePayment]
    ) -> LogEntry:
        hint, kind = arrival.hint, arrival.kind
        assert hint.invoice_id is not None
        names: tuple[str, ...] = (f"event:{hint.event_id}",)
        caller = None
        if hint.request_key is not None:
            caller = await self.caller_of(hint.request_key)
            if hint.invoice_payment_id is not None:
                names += _twin_names(kind, hint.invoice_payment_id, hint.request_key)
        if arrival.turned_payment_id is not None:
            names += (_state_name(arrival, payments),)
        return LogEntry(
            type=kind.value,
            raw_type=hint.type,
            origin=arrival.origin.value,
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

    async def _appended(self, entry: LogEntry) -> int:
        """Append and publish. Somebody waits for the announcement of a write before they are
        answered: of all that Stripe tells, at most one entry is between it and the log."""
        if entry.origin == EventOrigin.MUTATION.value:
            return await self._placed(entry)
        async with self._line_of_others:
            return await self._placed(entry)

    async def _placed(self, entry: LogEntry) -> int:
        async with self._order:
            placed = await self.log.append(entry)
            if placed is None:
                return 0
            self.publish(placed)
            return 1


def _touched(arrivals: Iterable[_Arrival], customer_id: str | None) -> list[Touched]:
    """What events about one invoice may have changed, each once."""
    return list(
        dict.fromkeys(
            Touched(
                one.hint.invoice_id,
                customer_id or one.hint.customer_id,
                one.hint.payment_intent_id,
                one.hint.invoice_payment_id,
            )
            for one in arrivals
        )
    )


def _payment_ids(arrivals: Iterable[_Arrival]) -> list[str]:
    ids = (one.hint.invoice_payment_id for one in arrivals)
    return list(dict.fromkeys(one for one in ids if one is not None))


def _state_name(arrival: _Arrival, payments: Mapping[str, InvoicePayment]) -> str:
    """Name the state that was entered and when, so that a second event about the same turn is the
    same fact. A payment that is gone, or has yet to turn at Stripe, cannot say when; the event's
    own second is the best that is known."""
    kind, payment_id = arrival.kind.value, arrival.turned_payment_id
    payment = payments.get(payment_id or "")
    turned_at = getattr(payment, TURNED_ONCE[kind], None) or arrival.hint.created
    return f"state:{kind}:{payment_id}:{turned_at}"


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
