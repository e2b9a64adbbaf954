"""Writes, recorded before they go out: nothing is lost, nothing done twice, and all is announced.

A write is recorded with the hash of its input, sent with a key that Stripe can recognise, then
recorded as done and announced. Stripe's key is hashed from tenant, operation, the caller's key
and the attempt, and never from the arguments: attach, detach, attach must work. A refusal closes
the record, as nothing has happened; an unknown outcome leaves it open for the next try.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.backends.audit_trail import AuditTrail
from gateway.backends.journal.records import Command, JournalStore, WriteRecord
from schema.needs import Loaded, Needs
from schema.ports import (
    METER,
    Attached,
    AttachPayment,
    BackendDescription,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    EventType,
    InvoiceBackend,
    Meter,
    RefusalCode,
    Refused,
    Viewer,
)

log = logging.getLogger(__name__)


STRIPE_KEY_SECONDS = 23 * 3600
"""Stripe forgets a key after 24 hours at the earliest; with an hour to spare, a repeat is safe."""


SETTLED_BY = "gateway"
"""Who asked, in the audit trail, when nobody waits for the answer any more."""


Outcome = TypeVar("Outcome", Attached, Detached, CreditNoteCreated)


@dataclass(frozen=True, slots=True)
class Announced:
    """A write that has succeeded, for the intake."""

    type: EventType
    raw_type: str
    record: WriteRecord
    outcome: Attached | Detached | CreditNoteCreated


Announce = Callable[[Announced], Awaitable[None]]


ANNOUNCED_AS = {
    "attach": (EventType.ATTACHED, "gateway.invoice_payment.attached"),
    "detach": (EventType.DETACHED, "gateway.invoice_payment.detached"),
    "credit_note": (EventType.INVOICE_CHANGED, "gateway.credit_note.created"),
}


class JournaledBackend:
    """See `schema.ports.InvoiceBackend`; reads pass through."""

    def __init__(
        self,
        inner: InvoiceBackend,
        store: JournalStore,
        announce: Announce,
        now: Callable[[], int],
        trail: AuditTrail | None = None,
    ) -> None:
        self._inner = inner
        self._trail = trail
        self._store = store
        self._announce = announce
        self._now = now
        self._under_way: dict[tuple[str, str, str], str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._given_up: set[str] = set()

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        return await self._inner.load(viewer, needs)

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        return await self._write(viewer, "attach", command, self._inner.attach_payment)

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        return await self._write(viewer, "detach", command, self._inner.detach_payment)

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        return await self._write(viewer, "credit_note", command, self._inner.create_credit_note)

    async def close(self) -> None:
        """Let writes that are under way finish, then close what is inside."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._inner.close()

    async def caller_of(self, stripe_key: str) -> tuple[str, str] | None:
        """Whose write carried this key to Stripe: tenant and the caller's own key."""
        record = await self._store.by_stripe_key(stripe_key)
        return None if record is None else (record.tenant, record.key)

    async def _write(
        self,
        viewer: Viewer,
        operation: str,
        command: Any,
        send: Callable[[Viewer, Any], Awaitable[Outcome]],
    ) -> Outcome:
        """Run the write to its end, even when whoever asked for it goes away."""
        task = asyncio.ensure_future(self._recorded(viewer, operation, command, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _recorded(
        self,
        viewer: Viewer,
        operation: str,
        command: Any,
        send: Callable[[Viewer, Any], Awaitable[Outcome]],
    ) -> Outcome:
        name = (viewer.tenant, operation, command.idempotency_key)
        digest = input_hash(command)
        if name in self._under_way:
            raise in_progress() if self._under_way[name] == digest else key_reused()
        self._under_way[name] = digest
        try:
            record = await self._begin(viewer, operation, command)
            if record.outcome is not None:
                if not record.announced:
                    await self._tell(record, record.outcome)
                if not _may_be_told(viewer, record, record.outcome):
                    raise _hidden(record.outcome)
                return replace(record.outcome, replayed=True)  # type: ignore[return-value]
            return await self._send(viewer, record, send)
        finally:
            del self._under_way[name]

    async def _begin(self, viewer: Viewer, operation: str, command: Command) -> WriteRecord:
        """The record of this write, new or known. Raises `Refused` where it cannot go out."""
        record = WriteRecord(
            tenant=viewer.tenant,
            operation=operation,
            key=_caller_key(command),
            input_hash=input_hash(command),
            command=command,
            recorded_at=self._now(),
            customers=None if viewer.customers is None else tuple(sorted(viewer.customers)),
        )
        try:
            known = await self._store.begin(record)
        except OSError as trouble:
            raise _not_recorded() from trouble
        if known is None:
            return record
        if known.refused:
            return await self._again(replace(record, attempt=known.attempt + 1))
        if known.input_hash != record.input_hash:
            raise key_reused()
        return known

    async def _again(self, record: WriteRecord) -> WriteRecord:
        """A new attempt under a key whose last attempt was refused: nothing had happened."""
        try:
            await self._store.keep(record)
        except OSError as trouble:
            raise _not_recorded() from trouble
        return record

    async def _send(
        self,
        viewer: Viewer,
        record: WriteRecord,
        send: Callable[[Viewer, Any], Awaitable[Outcome]],
    ) -> Outcome:
        command = replace(record.command, idempotency_key=record.stripe_key)
        try:
            outcome = await send(viewer, command)
        except Refused as refused:
            if _ends(refused, viewer, record):
                await self._keep(replace(record, refused=True))
            raise
        done = replace(record, outcome=replace(outcome, replayed=False))
        await self._keep(done)
        await self._tell(done, outcome)
        return outcome

    async def _keep(self, record: WriteRecord) -> None:
        """Record what has happened; trouble here never turns a success into a failure."""
        try:
            await self._store.keep(record)
        except OSError:
            log.exception("write %s could not be recorded as ended", record.stripe_key)

    async def _tell(self, record: WriteRecord, outcome: Any) -> None:
        kind, raw_type = ANNOUNCED_AS[record.operation]
        try:
            await self._announce(Announced(kind, raw_type, record, outcome))
        except OSError:
            log.exception("write %s could not be announced; it will be", record.stripe_key)
            return
        await self._keep(replace(record, announced=True))

    async def settle(self, *, older_than_seconds: int) -> None:
        """Finish what a crash, a lost answer or a lost log has left open. Raises `OSError`.

        A write of unknown outcome is sent again with its own key, so that Stripe tells whether it
        was done; a write that was done and not told is announced. Both may be repeated freely.
        """
        now = self._now()
        for record in await self._store.unfinished():
            name = (record.tenant, record.operation, record.key)
            age = now - record.recorded_at
            if name in self._under_way or age < older_than_seconds:
                continue
            if record.outcome is not None:
                await self._tell(record, record.outcome)
            elif age < STRIPE_KEY_SECONDS:
                await self._finish(record)
            elif record.stripe_key not in self._given_up:
                self._given_up.add(record.stripe_key)
                log.warning("write %s is too old to be asked for", record.stripe_key)

    async def _finish(self, record: WriteRecord) -> None:
        sends: dict[str, Callable[[Viewer, Any], Awaitable[Any]]] = {
            "attach": self._inner.attach_payment,
            "detach": self._inner.detach_payment,
            "credit_note": self._inner.create_credit_note,
        }
        send = sends[record.operation]
        used = Meter()
        METER.set(used)
        outcome: Any
        try:
            outcome = await self._write(record.viewer, record.operation, record.command, send)
        except Refused as refused:
            log.info("write %s ended as %s", record.stripe_key, refused.code)
            outcome = refused
        if self._trail is not None:
            self._trail.record(
                tenant=record.tenant,
                caller=SETTLED_BY,
                operation=record.operation,
                command=record.command,
                outcome=outcome,
                meter=used,
            )


def _caller_key(command: Command) -> str:
    return command.idempotency_key


def input_hash(command: Command) -> str:
    """The input without its key: commands print all their fields, in order, and must."""
    return hashlib.sha256(repr(replace(command, idempotency_key="")).encode()).hexdigest()


def _may_be_told(
    viewer: Viewer, record: WriteRecord, outcome: Attached | Detached | CreditNoteCreated
) -> bool:
    """Whether a repeat may hear the outcome: clients of one tenant need not share its customers.

    Where Stripe's answer did not say whose the invoice is, it is for whoever sees all that the
    writer saw.
    """
    if viewer.customers is None or outcome.customer_id is not None:
        return viewer.sees(outcome.customer_id)
    return record.customers is not None and viewer.customers.issuperset(record.customers)


def _hidden(outcome: Attached | Detached | CreditNoteCreated) -> Refused:
    """As for an invoice that does not exist."""
    return Refused(
        RefusalCode.NOT_FOUND,
        "no_such_object",
        f"no such invoice: {outcome.invoice_id}",
        path=("invoiceId",),
    )


def _ends(refused: Refused, viewer: Viewer, record: WriteRecord) -> bool:
    """Whether a refusal tells that the write has changed nothing.

    NOT_FOUND for a repeat by somebody with other customers says nothing about the writer's own
    try, whose outcome may be unknown: to end it would let the next one be done twice.
    """
    if refused.code is RefusalCode.NOT_FOUND:
        return viewer.customers is None or viewer.customers == record.viewer.customers
    return refused.code is not RefusalCode.UPSTREAM_OUTCOME_UNKNOWN


def key_reused() -> Refused:
    return Refused(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        "idempotency_key_reused",
        "this idempotencyKey was used with another input: make a new key for a new attempt",
        path=("idempotencyKey",),
    )


def in_progress() -> Refused:
    return Refused(
        RefusalCode.IDEMPOTENCY_IN_PROGRESS,
        "idempotency_key_in_use",
        "a call with this idempotencyKey is under way: wait for its answer, then repeat it",
        path=("idempotencyKey",),
    )


def _not_recorded() -> Refused:
    return Refused(
        RefusalCode.UPSTREAM_UNAVAILABLE,
        "write_not_recorded",
        "the write could not be recorded, so it was not sent: repeat it with the same key",
        retryable=True,
    )
