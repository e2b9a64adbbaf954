"""The one door through which events enter: drop, read, append, publish, in this order.

From a webhook only ids are taken; the objects behind them are dropped from the cache before the
event is in the log, so that whoever sees the event finds no older copy. Then they are read once,
for all events about the invoice that have come by then: that says whose it is, names states, and
is kept for whoever will be told. What fails raises, and nothing is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.events.arrivals import (
    Arrival,
    CallerOf,
    Entries,
    has_to_be_asked,
    payment_ids,
    touched_by,
)
from gateway.events.fact_names import (
    event_name,
    event_names,
    names_of_payment,
    state_name,
    twin_names,
)
from gateway.events.gathering import Batch, Copies, Gathering, Outcomes
from gateway.events.hints import Hint, Related, drops_by_itself, event_type
from gateway.events.intake_ports import Brought, Lookup, ObjectCache, Touched
from gateway.events.log import Claim, EventLog, LogEntry
from gateway.events.places import Place, Places
from schema.changing import changed
from schema.ports import EventOrigin, EventType
from schema.records import InvoicePayment

log = logging.getLogger(__name__)

RECEIVING_MAX = 2_000
"""Stripe's events that are taken in at once, also those whose webhook has timed out meanwhile; each
is some ids and waits for an answer of Stripe's. Whoever brings more must come again."""


CLAIM_PAUSE_SECONDS = 0.05
"""Between two looks whether another replica has taken an event in."""


class IntakeFull(OSError):
    """Too many events are being taken in."""

    def __init__(self) -> None:
        super().__init__(f"{RECEIVING_MAX} events are being taken in already")


Publish = Callable[[LogEntry], None]
Append = Callable[[LogEntry], Awaitable[int]]
Gather = Callable[[str, Arrival], Awaitable[Outcomes]]
"""Takes in what has arrived about an invoice, or about an object whose invoice is not known, be it
with others."""


@dataclass(kw_only=True, eq=False)
class Intake:
    """One per process. Entries are appended one after the other, so that they are published in the
    order of the log. All that asks others comes before, so that nothing slow holds up an entry.

    `is_heard` says whether anybody may be told of an entry now: what nobody will read is not read.
    `owner` is this process among the replicas that share the log.
    """

    log: EventLog
    lookup: Lookup
    cache: ObjectCache
    publish: Publish
    caller_of: CallerOf
    account: str
    livemode: bool
    is_heard: Callable[[], bool]
    owner: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _gathering: Gathering[Arrival] = field(init=False)
    _order: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _line_of_others: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _receiving: dict[str, asyncio.Task[int]] = field(default_factory=dict, init=False)
    _copies: Copies = field(default_factory=Copies, init=False)
    _places: Places = field(default_factory=Places, init=False)
    _entries: Entries = field(init=False)

    def __post_init__(self) -> None:
        self._gathering = Gathering(self._take_in)
        self._entries = Entries(self._places, self.caller_of, self.account, self.livemode)

    async def announce(self, entry: LogEntry, stripe_key: str) -> None:
        """Take in one of our own writes, which Stripe was sent under this key. Nobody's leaving may
        end it, which the journal sees to. Raises `OSError` when the log is not to be had."""
        kind, payment_id = EventType(entry.type), entry.invoice_payment_id
        names = twin_names(kind, payment_id, stripe_key)
        if payment_id is not None and kind is EventType.ATTACHED:
            names += (state_name(kind, payment_id),)
            self._places.learn(payment_id, Place(entry.invoice_id, entry.payment_intent_id, False))
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

    async def _alone(self, about: str, arrival: Arrival) -> Outcomes:
        return await self._take_in(Batch(about, [arrival]), self._placed)

    def _ended(self, hint: Hint, task: asyncio.Task[int]) -> None:
        del self._receiving[hint.event_id]
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # Whoever brought it may be gone, and has to bring it again.
            log.info("event %s was not taken in: %s", hint.event_id, type(trouble).__name__)

    async def _received(self, hint: Hint, origin: EventOrigin, gather: Gather | None = None) -> int:
        kind = event_type(hint.type)
        of_intent = kind is EventType.CANCELED and hint.invoice_payment_id is None
        if drops_by_itself(hint.type) and not of_intent:
            customer_id = await self._customer_of(hint)
            await self.cache.drop(Touched(None, customer_id, hint.payment_intent_id))
        subject_id = hint.payment_intent_id if of_intent else hint.gathered_by
        if kind is None or subject_id is None:
            return 0
        if has_to_be_asked(hint, kind):
            hint = await self._asked(hint)
        arrival = Arrival.of(self._places.completed(hint), kind, origin)
        async with self._copies.follow(arrival.names):
            if await self._is_taken_in(arrival.names):
                await self._drop_again(arrival.hint)
                return 0
            taken = 0
            try:
                if of_intent:
                    taken = await self._receive_canceled(arrival)
                else:
                    gather = gather or self._gathering.joined
                    outcomes = await gather(arrival.hint.gathered_by or subject_id, arrival)
                    taken = outcomes[hint.event_id]
            finally:
                if not taken:
                    await self._let_go(arrival.names)
            return taken

    async def _is_taken_in(self, names: Sequence[str]) -> bool:
        """Whether it is known by now, be it that another replica was at it; if not, it is ours."""
        while (claim := await self.log.claim(names, self.owner)) is Claim.OTHERS:
            await self.sleep(CLAIM_PAUSE_SECONDS)
        return claim is Claim.KNOWN

    async def _let_go(self, names: Sequence[str]) -> None:
        try:
            await self.log.release(names, self.owner)
        except OSError as trouble:
            log.info("a claim ends by itself, as it could not be released: %s", trouble)

    async def _customer_of(self, hint: Hint) -> str | None:
        """Whose lists an event about an intent has changed: a thin one does not say."""
        intent_id = hint.payment_intent_id
        if hint.customer_id is not None or intent_id is None or not hint.is_thin:
            return hint.customer_id
        return await self.lookup.customer_of_intent(intent_id)

    async def _asked(self, hint: Hint) -> Hint:
        """A thin event with the name of its snapshot event, which it did not say; as it is where
        the log knows it. Of several replicas that have it one asks, and goes on to take it in."""
        names = [event_name(hint.event_id)]
        if await self._is_taken_in(names):
            return hint
        try:
            return replace(hint, snapshot_event_id=await self.lookup.snapshot_of(hint.event_id))
        except BaseException:
            await self._let_go(names)
            raise

    async def _drop_again(self, hint: Hint) -> None:
        """What is known was dropped when it was taken in, be it by a state that Stripe has told of
        before it was to be seen."""
        customer_id = hint.customer_id
        if hint.invoice_id is not None:
            customer_id = self.lookup.customer_known(hint.invoice_id)[1] or customer_id
        await self.cache.drop(Touched(hint.invoice_id, customer_id, hint.payment_intent_id))

    async def _take_in(self, batch: Batch[Arrival], append: Append | None = None) -> dict[str, int]:
        """Read what the events of one invoice are about, if that has to be, and append them. Who
        alone brings events stands in no line with others."""
        append = append or self._appended
        hint = batch.arrivals[0].hint
        if hint.invoice_id is None:
            assert hint.related is not None
            return await self._take_in_related(batch, hint.related, append)
        is_known, customer_id = self.lookup.customer_known(batch.about)
        payments: Mapping[str, InvoicePayment] = {}
        if is_known and not self._is_to_be_read(batch.arrivals):
            batch.close()
            for touched in touched_by(batch.arrivals, customer_id):
                await self.cache.drop(touched)
        else:
            try:
                await self.lookup.turn(batch.about)
            finally:
                batch.close()
            brought = await self._read(batch, customer_id)
            if batch.about not in brought.customers:
                # Gone, such as a deleted draft: nobody may be shown it any longer.
                return {one.hint.event_id: 0 for one in batch.arrivals}
            customer_id, payments = brought.customers[batch.about], brought.payments
        return await self._all_appended(batch.arrivals, customer_id, payments, append)

    async def _take_in_related(
        self, batch: Batch[Arrival], related: Related, append: Append
    ) -> dict[str, int]:
        """The same for events about an object whose invoice is not known: one call tells both."""
        try:
            await self.lookup.related_turn(*related)
        finally:
            batch.close()
        arrivals = batch.arrivals
        touched = Touched(None, None, None, arrivals[0].hint.invoice_payment_id)
        async with self.cache.renewing([touched]) as renewal:
            brought = await self.lookup.related(*related)
            if not brought.customers:
                # Gone, and with it whose invoice it was: there is nobody to be told.
                return {one.hint.event_id: 0 for one in arrivals}
            ((invoice_id, customer_id),) = brought.customers.items()
            payment = brought.payments.get(related.id)
            place = Place(invoice_id) if payment is None else Place.of(payment)
            self._places.learn(related.id, place)
            await renewal.drop(Touched(invoice_id, customer_id, place.payment_intent_id))
            await renewal.keep(brought)
        placed = [replace(one, hint=self._places.completed(one.hint)) for one in arrivals]
        return await self._all_appended(placed, customer_id, brought.payments, append)

    async def _all_appended(
        self,
        arrivals: Sequence[Arrival],
        customer_id: str | None,
        payments: Mapping[str, InvoicePayment],
        append: Append,
    ) -> dict[str, int]:
        """How many entries each event became, by its id."""
        made = (self._entries.of(one, customer_id, payments) for one in arrivals)
        entries = [await next(made)] if len(arrivals) == 1 else await asyncio.gather(*made)
        taken: dict[str, int] = {}
        for arrival, entry in zip(arrivals, entries, strict=True):
            taken[arrival.hint.event_id] = await append(entry)
        return taken

    def _is_to_be_read(self, arrivals: Iterable[Arrival]) -> bool:
        """Whether a state has to be named, or somebody will ask for what has changed. Of what is
        caught up with a reader asks for itself: it may be thousands of events; and where a call
        went to learn the name of an event there is not to be another."""
        is_heard = self.is_heard()
        return any(
            self._is_open_question(one)
            or (
                is_heard
                and one.origin is not EventOrigin.RECONCILED
                and not one.hint.is_snapshot_unsaid
            )
            for one in arrivals
        )

    def _is_open_question(self, arrival: Arrival) -> bool:
        """Whether only the payment tells when it has turned, or whether somebody attached it."""
        payment_id = arrival.entered_payment_id
        if payment_id is None:
            return False
        return arrival.kind is not EventType.ATTACHED or self._places.is_default(payment_id) is None

    async def _read(self, batch: Batch[Arrival], customer_id: str | None) -> Brought:
        """The invoice as it is after all these events."""
        arrivals = batch.arrivals
        dropped = touched_by(arrivals, customer_id)
        entered = payment_ids(one for one in arrivals if one.entered_payment_id is not None)
        async with self.cache.renewing(dropped) as renewal:
            brought = await self.lookup.invoice(
                batch.about,
                turned=entered,
                detached=payment_ids(one for one in arrivals if one.kind is EventType.DETACHED),
            )
            self._places.learn_payments(entered, brought.payments)
            whose = brought.customers.get(batch.about)
            if whose is not None and whose not in {one.customer_id for one in dropped}:
                await renewal.drop(Touched(None, whose, None))
            await renewal.keep(brought)
        return brought

    async def _receive_canceled(self, arrival: Arrival) -> int:
        """A canceled intent cancels its open invoice payments: one entry for each. Stripe promises
        no order: a payment may still be open then. The event is known by the last of them, as one
        that broke off before has to be finished."""
        hint = arrival.hint
        intent_id = hint.payment_intent_id
        assert intent_id is not None
        await self.lookup.turn(None)
        async with self.cache.renewing([Touched(None, hint.customer_id, intent_id)]) as renewal:
            brought = await self.lookup.payments_of_intent(intent_id)
            for invoice_id in dict.fromkeys(one.invoice_id for one in brought.payments.values()):
                customer_id = brought.customers.get(invoice_id)
                others = customer_id if customer_id != hint.customer_id else None
                await renewal.drop(Touched(invoice_id, others, None))
            whose = None if brought.customers else await self._customer_of(hint)
            if whose != hint.customer_id and whose is not None:
                await renewal.drop(Touched(None, whose, None))
            await renewal.keep(brought)
        canceled = [
            one
            for one in brought.payments.values()
            if one.status in ("open", "canceled") and one.invoice_id in brought.customers
        ]
        taken = 0
        for number, payment in enumerate(canceled, start=1):
            of_payment = replace(hint, invoice_id=payment.invoice_id, invoice_payment_id=payment.id)
            names = tuple(f"{name}:{payment.id}" for name in event_names(hint))
            names += names_of_payment(of_payment, EventType.CANCELED)
            if number == len(canceled):
                names += arrival.names
            own = replace(arrival, hint=of_payment, names=names)
            customer_id = brought.customers[payment.invoice_id]
            taken += await self._appended(
                await self._entries.of(own, customer_id, brought.payments)
            )
        return taken

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
