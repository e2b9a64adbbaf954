"""Moving a payment between invoices: one recorded write whose steps are recorded writes themselves.

Detach, then attach to the other invoice or, where that refuses for good, to the first one again.
How far it has come is said by its steps' records alone: each has its own key at Stripe, its own
doubt and its own end, as any attach and detach has. The record of the whole goes out before each
request of a step, so that whoever was overtaken sends nothing more. Both ways to attach share one
record, so that one of them alone can be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.backends.journal.attempt import Try
from gateway.backends.journal.records import (
    Actor,
    Move,
    State,
    WriteRecord,
    moved,
    step_operation,
)
from gateway.backends.journal.refusals import (
    half_done,
    in_progress,
    never_went_out,
    not_recorded,
)
from gateway.backends.supplier import NOTHING, Found, Overtaken, no_such_invoice
from gateway.ledger.reallocation import FROM_PATHS, Reallocation, pointing, reallocation_refusals
from schema.changing import changed
from schema.ports import (
    Attached,
    AttachPayment,
    Detached,
    Meter,
    Placed,
    Reallocated,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Viewer,
    Why,
)

if TYPE_CHECKING:
    from gateway.backends.journal.writes import JournaledWrites

DETACH = "detach"
ATTACH = "attach"
"""The steps, as their records' operations name them."""

_NOT_OUT = (State.RECORDED, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Reallocating:
    """One try of one reallocation. `begins` is False where nobody waits for it any more: then what
    has not gone out is closed, and what has is brought to an end."""

    writes: JournaledWrites
    viewer: Viewer
    asked: ReallocatePayment
    trying: Try
    meter: Meter
    begins: bool

    async def run(self) -> Reallocated:
        """Raises `Refused`: nothing was done, or it is half done and will be brought to an end."""
        detached = await self._detached()
        if not self.viewer.sees(detached.customer_id):
            raise no_such_invoice(self.asked.invoice_id)
        try:
            return await self._placed(detached)
        except Refused as refused:
            raise half_done(self.trying.record, refused) from refused

    async def _detached(self) -> Detached:
        """The first step, with its event in the log: nobody hears of the second before it."""
        known, found, whole = await self._known(DETACH), NOTHING, NOTHING
        if known is None or known.state in _NOT_OUT:
            await self._close(known)
            if not self.begins:
                raise never_went_out()
            both = await self._allowed()
            found = _seen_in(both)
            whole = Found(customer_id=found.customer_id, share=both.share)
        before = partial(self.trying.noted, whole)
        new = self.writes.new_record(
            self.viewer, self.asked.detaching(), step=self._step(DETACH), found=found
        )
        try:
            outcome = await self.writes.recorded(self.viewer, new, self.meter, before=before)
        except Refused as refused:
            raise await self._not_detached(refused) from refused
        assert isinstance(outcome, Detached)
        try:
            await self._tell(DETACH)
        except Refused as refused:
            raise half_done(self._record, refused) from refused
        return outcome

    @property
    def _record(self) -> WriteRecord:
        return self.trying.record

    def _step(self, step: str) -> str:
        return step_operation(self._record.operation, step)

    async def _allowed(self) -> Reallocation:
        """What a look shows, if no rule of either step stands against it. Raises `Refused`: as
        nothing is out, nothing was done."""
        try:
            both = await self.writes.supplier.both_invoices(self.viewer, self.asked, self.meter)
            for refused in reallocation_refusals(both, self.asked):
                raise refused
        except Refused as refused:
            refused.settles = True
            raise
        return both

    async def _close(self, known: WriteRecord | None) -> None:
        """See to it that what an earlier owner has recorded and not sent stays unsent. Raises
        `Refused`."""
        if known is None or known.state is not State.RECORDED:
            return
        expired = moved(known, Move.EXPIRE, Actor.SETTLING)
        try:
            present = await self.writes.store.swap(expired, version=known.version)
        except OSError as trouble:
            raise not_recorded() from trouble
        if present is not None:
            raise in_progress()

    async def _not_detached(self, refused: Refused) -> Refused:
        """What the whole is refused with, if the step's record says that it has done nothing."""
        try:
            known = await self._known(DETACH)
        except Refused:
            return half_done(self._record, refused)
        is_unknown = refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
        if is_unknown or (known is not None and known.state not in _NOT_OUT):
            is_unseen = self.trying.in_doubt and refused.code is RefusalCode.NOT_FOUND
            return refused if is_unseen else half_done(self._record, refused)
        refused.settles = True
        return pointing(refused, FROM_PATHS)

    async def _placed(self, detached: Detached) -> Reallocated:
        """The second step, whichever way it ends. Raises `Refused` where it has no end yet."""
        done = Reallocated(
            self.asked.from_invoice_id,
            self.asked.to_invoice_id,
            detached_payment_id=detached.invoice_payment_id,
            customer_id=detached.customer_id,
            payment_intent_id=self.asked.payment_intent_id,
            known=detached.known,
        )
        known = await self._known(ATTACH)
        if known is None or not self._is_put_back(known):
            try:
                return _with_payment(done, await self._attached(done, self.asked.attaching()))
            except Refused as refused:
                why = _why(await self._for_good(refused))
            await self.trying.noted(changed(self._record.found, why=why))
        found = self._record.found
        try:
            attached = await self._attached(done, self.asked.putting_back(found.share))
        except Refused as refused:
            again = await self._for_good(refused)
            return changed(done, placed=Placed.FREE, why=self._free(found.why, again))
        why = self._put_back(found.why)
        return changed(_with_payment(done, attached), placed=Placed.PUT_BACK, why=why)

    def _is_put_back(self, known: WriteRecord) -> bool:
        """Whether it is on its way back. What was refused there begins anew with the other one."""
        to_source = known.command.invoice_id == self.asked.from_invoice_id
        return to_source and known.state is not State.REFUSED

    async def _attached(self, done: Reallocated, command: AttachPayment) -> Attached:
        """Whose the invoices are was looked at before anything went out. Raises `Overtaken` where
        another replica has taken the whole up and has brought it to its other end."""
        viewer, gone = Viewer(self.viewer.tenant), Found(payment_ids=(done.detached_payment_id,))
        new = self.writes.new_record(viewer, command, step=self._step(ATTACH), found=gone)
        outcome = await self.writes.recorded(viewer, new, self.meter, before=self.trying.noted)
        assert isinstance(outcome, Attached)
        if outcome.invoice_id != command.invoice_id:
            raise Overtaken
        return outcome

    async def _for_good(self, refused: Refused) -> Refused:
        """The refusal, if the invoice will not take the payment: Stripe has said no to this very
        attempt, and trying again is of no use. Else it is raised."""
        known = await self._known(ATTACH)
        is_closed = known is not None and known.state is State.REFUSED
        if is_closed and refused.settles and not refused.retryable:
            return refused
        raise refused

    def _put_back(self, why: Why | None) -> Why:
        asked = self.asked
        assert why is not None
        return changed(
            why,
            message=f"{asked.to_invoice_id} does not take {asked.payment_intent_id} any more, so "
            f"it was put back onto {asked.from_invoice_id}: {why.message}",
        )

    def _free(self, why: Why | None, again: Refused) -> Why:
        asked = self.asked
        assert why is not None
        return changed(
            why,
            message=f"{asked.payment_intent_id} is free and pays nothing now: attach it to an open "
            f"invoice with attachPayment, or give the money back. {asked.to_invoice_id} does not "
            f"take it any more ({why.message}), nor does {asked.from_invoice_id} "
            f"({again.message})",
        )

    async def _known(self, step: str) -> WriteRecord | None:
        """The step's record, if there is one. Raises `Refused`."""
        try:
            return await self.writes.store.by_stripe_key(self._record.step_key(step))
        except OSError as trouble:
            raise not_recorded() from trouble

    async def _tell(self, step: str) -> None:
        """See to it that the step's event is in the log. Raises `Refused`."""
        known = await self._known(step)
        if known is not None and known.state is State.DONE:
            assert known.outcome is not None
            await self.writes.tell(known, known.outcome)
            known = await self._known(step)
        if known is None or known.state is not State.ANNOUNCED:
            raise not_recorded()


def _seen_in(both: Reallocation) -> Found:
    """What the first step would look for."""
    payment, source = both.payment, both.source
    assert payment is not None, "a rule stands against what is not attached"
    return Found(
        customer_id=source.invoice.customer_id,
        payment_id=payment.id,
        payment_ids=tuple(sorted(one.id for one in source.payments)),
    )


def _with_payment(done: Reallocated, attached: Attached) -> Reallocated:
    """Done; what both answers held goes on, the newer first."""
    known = tuple(one for one in (attached.known, done.known) if one is not None)
    return changed(
        done,
        invoice_payment_id=attached.invoice_payment_id,
        replayed=attached.replayed,
        known=known or None,
    )


def _why(refused: Refused) -> Why:
    return Why(
        refused.code.value,
        refused.rule,
        refused.message,
        refused.invoice_id,
        refused.stripe_code,
        refused.stripe_request_id,
        refused.doc_url,
    )
