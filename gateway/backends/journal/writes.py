"""The journaled writes: each one is recorded, sent, recorded again and announced.

Stripe's key is hashed from tenant, operation, the caller's key and the attempt, and never from
the arguments: attach, detach, attach must work. A refusal closes the attempt, where it is certain
that nothing has happened; doubt outlives the call, and only Stripe's own answer to the same key, or
proof by reading, ends it. What is told to a caller stands in the record before it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.journal.attempt import CLOCK_SECONDS_MAX, LEASE_SECONDS, Try
from gateway.backends.journal.reallocation import Reallocating
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import (
    Actor,
    Move,
    Name,
    State,
    WriteRecord,
    input_hash,
    is_same_input,
    meaning,
    moved,
)
from gateway.backends.journal.refusals import (
    half_done,
    in_progress,
    not_recorded,
    still_in_doubt,
    undecidable,
    unrecorded_refusal,
)
from gateway.backends.supplier import (
    NOTHING,
    Found,
    Overtaken,
    Supplier,
    key_reused,
    no_such_invoice,
)
from schema.changing import changed
from schema.ports import (
    Command,
    Meter,
    Outcome,
    Placed,
    Reallocated,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Step,
    Viewer,
)

log = logging.getLogger(__name__)

SOLE_OWNER = "gateway"
"""The owner of every record where one process alone has the store."""

_OPEN_ENDED = (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, RefusalCode.IDEMPOTENCY_KEY_REUSED)
"""Refusals of a backend that leave open whether this key has done something. That Stripe knows it
with other parameters means that our journal was lost, or that a release sends others."""

Before = Callable[[], Awaitable[None]]
Announce = Callable[[WriteRecord, Outcome], Awaitable[None]]
"""Takes in a write that has succeeded. Raises `OSError` where it cannot now."""
Dropped = Callable[[Command, Outcome | None], Awaitable[None]]
"""Hears of every write that may have changed something, before its end is recorded."""


async def nothing_cached(command: Command, outcome: Outcome | None) -> None:
    """For a supplier that is always as new as it gets."""


@dataclass(eq=False)
class JournaledWrites:
    """See `schema.ports.Writes`. `owner` tells this process from others that share the store."""

    supplier: Supplier
    store: JournalStore
    _announce: Announce
    _now: Callable[[], int]
    owner: str = SOLE_OWNER
    dropped: Dropped = nothing_cached
    _under_way: dict[Name, Command] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def write(self, viewer: Viewer, command: Command, meter: Meter) -> Outcome:
        """Run the write to its end, even when whoever asked for it goes away."""
        record = self.new_record(viewer, command)
        return await self.to_its_end(self.recorded(viewer, record, meter))

    async def close(self) -> None:
        """Let writes that are under way finish."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def to_its_end(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Work that goes on when whoever waits for it goes away, and that closing waits for."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def recorded(
        self, viewer: Viewer, new: WriteRecord, meter: Meter, *, before: Before | None = None
    ) -> Outcome:
        """Record the write, unless it is known, and bring it to an end; one that is known goes on
        from where it is. `before` as for `Try`. Raises `Refused`."""
        name, wanted = new.name, meaning(new.command)
        if name in self._under_way:
            raise in_progress() if self._under_way[name] == wanted else key_reused()
        self._under_way[name] = wanted
        try:
            record = await self._claimed(viewer, new)
            if record.outcome is not None:
                return await self._replayed(viewer, record)
            return await self._tried(viewer, Try(self.store, record, self._now, before), meter)
        finally:
            del self._under_way[name]

    def is_at(self, record: WriteRecord) -> bool:
        """Whether this process is in the middle of it."""
        return record.name in self._under_way

    def is_held(self, record: WriteRecord) -> bool:
        """Whether another replica may be in the middle of it. A lease that no clock of now could
        have given was given by one that was wrong."""
        left = record.leased_until - self._now()
        is_open = record.state in (State.RECORDED, State.SENDING)
        is_leased = 0 < left <= LEASE_SECONDS + CLOCK_SECONDS_MAX
        return is_open and record.owner != self.owner and is_leased

    async def _claimed(self, viewer: Viewer, new: WriteRecord) -> WriteRecord:
        """The record of this write: this caller's to send, or with its outcome. Raises `Refused`
        where it is neither."""
        try:
            known = await self.store.begin(new)
        except OSError as trouble:
            raise not_recorded() from trouble
        if known is None:
            return new
        is_same = is_same_input(known, new)
        if known.state is State.REFUSED and (is_same or not known.found.payment_record_id):
            return await self._taken(_next_attempt(known, new), known)
        if not is_same:
            raise key_reused()
        if known.outcome is not None:
            return known
        if known.state is State.UNDECIDABLE:
            if _covers(viewer, known):
                raise undecidable(known)
            raise no_such_invoice(known.command.invoice_id)
        if self.is_held(known):
            raise in_progress()
        if known.state is State.RECORDED:
            return await self._taken(_next_attempt(known, new), known)
        return await self._taken_up(known, Actor.CALLER)

    def new_record(
        self, viewer: Viewer, command: Command, *, step: str = "", found: Found = NOTHING
    ) -> WriteRecord:
        """A write before it is recorded, or a step of one, under the operation of both."""
        now = self._now()
        return WriteRecord(
            tenant=viewer.tenant,
            operation=step or command.operation,
            key=command.idempotency_key,
            input_hash=input_hash(command),
            command=command,
            recorded_at=now,
            customers=None if viewer.customers is None else tuple(sorted(viewer.customers)),
            owner=self.owner,
            leased_until=now + LEASE_SECONDS,
            found=found,
        )

    async def _taken_up(self, known: WriteRecord, actor: Actor) -> WriteRecord:
        """The record as this process's own, for another try of the same attempt."""
        until = self._now() + LEASE_SECONDS
        claim = moved(known, Move.TAKE_UP, actor, owner=self.owner, leased_until=until)
        return await self._taken(claim, known)

    async def _taken(self, claim: WriteRecord, known: WriteRecord) -> WriteRecord:
        """The claim, once it stands in the store. Raises `Refused` where another was quicker."""
        try:
            present = await self.store.swap(claim, version=known.version)
        except OSError as trouble:
            told = not_recorded()
            if claim.state is State.SENDING:
                told = still_in_doubt(known, told)
            raise told from trouble
        if present is not None:
            raise in_progress()
        return claim

    async def finished(self, record: WriteRecord, meter: Meter) -> Outcome:
        """Another try of what was left open, for its own caller. Raises `Refused`."""
        if self.is_at(record):
            raise in_progress()
        self._under_way[record.name] = meaning(record.command)
        try:
            claim = await self._taken_up(record, Actor.SETTLING)
            trying = Try(self.store, claim, self._now)
            return await self._tried(record.viewer, trying, meter, begins=False)
        finally:
            del self._under_way[record.name]

    async def _tried(
        self, viewer: Viewer, trying: Try, meter: Meter, *, begins: bool = True
    ) -> Outcome:
        """Do it, or look whether it was done, and record what came of that. Without `begins`, of a
        write of several steps, nothing is begun that has not gone out."""
        record = trying.record
        try:
            if isinstance(record.command, ReallocatePayment):
                steps = Reallocating(self, viewer, record.command, trying, meter, begins)
                outcome: Outcome = await steps.run()
            else:
                outcome = await self._sent(viewer, record.command, trying, meter)
        except Overtaken:
            return await self._overtaken(viewer, record)
        except Refused as refused:
            return await self._not_done(viewer, trying, refused)
        if isinstance(outcome, Reallocated) and outcome.placed is Placed.FREE:
            return await self._left_free(viewer, trying, outcome)
        return await self._done(trying, outcome)

    async def _sent(self, viewer: Viewer, command: Step, trying: Try, meter: Meter) -> Outcome:
        """What was cached is dropped in any case: a refusal, too, says that things have moved."""
        command = changed(command, idempotency_key=trying.record.stripe_key)
        outcome = None
        try:
            outcome = await self.supplier.write(viewer, command, meter, trying)
        finally:
            await self.dropped(command, outcome)
        return outcome

    async def _left_free(self, viewer: Viewer, trying: Try, outcome: Reallocated) -> Outcome:
        """It is told once it is recorded: else whoever settles would try both invoices again."""
        record = trying.record
        try:
            await trying.ended(Move.LEAVE_FREE, _plain(outcome))
        except Overtaken:
            return await self._overtaken(viewer, record)
        except OSError as trouble:
            log.exception("write %s could not be recorded as ended", record.stripe_key)
            raise half_done(record, not_recorded()) from trouble
        log.error("write %s has left a payment free", record.stripe_key)
        return outcome

    async def _done(self, trying: Try, outcome: Outcome) -> Outcome:
        """Record and announce it. Trouble here never turns a success into a failure."""
        plain, sent = _plain(outcome), trying.record
        try:
            await trying.ended(Move.SUCCEED, plain)
        except OSError:
            log.exception("write %s could not be recorded as done", sent.stripe_key)
        except Overtaken:
            if trying.record.attempt != sent.attempt:
                log.error("write %s was done, and so may be a later attempt", sent.stripe_key)
        record = trying.record
        if record.state is not State.ANNOUNCED:
            if record.attempt != sent.attempt:
                record = changed(record, attempt=sent.attempt)
            await self.tell(record, plain)
        return outcome

    async def _not_done(self, viewer: Viewer, trying: Try, refused: Refused) -> Outcome:
        """Record what the refusal proves, and raise what may be told. The outcome, where somebody
        else has found it meanwhile."""
        record = trying.record
        is_unknown = refused.code in _OPEN_ENDED
        try:
            if is_unknown and refused.looked and not (trying.may_send and refused.retryable):
                await trying.ended(Move.GIVE_UP)
                log.error("write %s can only be decided by a person", record.stripe_key)
                raise undecidable(record)
            if is_unknown or (trying.in_doubt and not refused.settles):
                await trying.ended(Move.DOUBT)
                raise self._in_doubt(viewer, record, refused)
            await trying.ended(Move.REFUSE)
        except Overtaken:
            return await self._overtaken(viewer, record)
        except OSError:
            log.exception("write %s could not be recorded as ended", record.stripe_key)
            if is_unknown or trying.in_doubt:
                raise self._in_doubt(viewer, record, refused) from None
            if trying.may_be_recorded_as_out:
                raise unrecorded_refusal(record, refused) from None
        raise refused

    def _in_doubt(self, viewer: Viewer, record: WriteRecord, refused: Refused) -> Refused:
        """What is told where the outcome stays unknown. What another caller may not see stays
        unseen."""
        is_unseen = refused.code is RefusalCode.NOT_FOUND and not _covers(viewer, record)
        if is_unseen or refused.code in _OPEN_ENDED:
            return refused
        return still_in_doubt(record, refused)

    async def _overtaken(self, viewer: Viewer, record: WriteRecord) -> Outcome:
        """What another replica has made of the write meanwhile."""
        try:
            present = await self.store.begin(record)
        except OSError as trouble:
            raise in_progress() from trouble
        if present is not None and present.outcome is not None:
            return await self._replayed(viewer, present)
        raise in_progress()

    async def _replayed(self, viewer: Viewer, record: WriteRecord) -> Outcome:
        """The outcome of what was done before, which is announced before it is told."""
        assert record.outcome is not None
        if record.state is State.DONE:
            await self.tell(record, record.outcome)
        if not _may_be_told(viewer, record, record.outcome):
            raise no_such_invoice(record.outcome.invoice_id)
        return changed(record.outcome, replayed=True)

    async def tell(self, record: WriteRecord, outcome: Outcome) -> None:
        """Announce it; where that cannot be had now, it is left to whoever settles. A write of
        several steps is announced by them."""
        try:
            if record.command.event_type is not None:
                await self._announce(record, outcome)
        except OSError:
            log.exception("write %s could not be announced; it will be", record.stripe_key)
            return
        if record.state is not State.DONE:
            return
        announced = moved(record, Move.ANNOUNCE, Actor.OWNER)
        try:
            await self.store.swap(announced, version=record.version)
        except OSError:
            log.exception("write %s could not be recorded as announced", record.stripe_key)


def _next_attempt(known: WriteRecord, new: WriteRecord) -> WriteRecord:
    """A new attempt in the words of the new call. What was reported at Stripe already is kept, or
    it would be reported once more; a look is not, as it is old by now."""
    return moved(
        known,
        Move.TRY_AGAIN,
        Actor.CALLER,
        attempt=known.attempt + 1,
        input_hash=new.input_hash,
        command=new.command,
        customers=new.customers,
        recorded_at=new.recorded_at,
        owner=new.owner,
        leased_until=new.leased_until,
        sent_at=None,
        tried_at=None,
        found=changed(new.found, payment_record_id=known.found.payment_record_id),
    )


def _plain(outcome: Outcome) -> Outcome:
    """The outcome as it is kept."""
    if outcome.replayed or outcome.known is not None:
        return changed(outcome, replayed=False, known=None)
    return outcome


def _covers(viewer: Viewer, record: WriteRecord) -> bool:
    """Whether the viewer sees all that the writer saw."""
    if viewer.customers is None:
        return True
    return record.customers is not None and viewer.customers.issuperset(record.customers)


def _may_be_told(viewer: Viewer, record: WriteRecord, outcome: Outcome) -> bool:
    """Whether a repeat may hear the outcome: clients of one tenant need not share its customers.
    Where Stripe did not say whose the invoice is, it is for whoever sees all that the writer saw.
    """
    if viewer.customers is None or outcome.customer_id is not None:
        return viewer.sees(outcome.customer_id)
    return _covers(viewer, record)
