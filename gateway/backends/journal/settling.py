"""Finishes what a crash, a lost answer or a lost log has left open, whoever had begun it.

A write that may have been done is tried again with its own key, or looked for where that key is
too old; one that was done and not told is announced; one that never went out is closed. While no
writes are taken nothing is sent. Every step may be repeated, and be taken by two replicas at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from gateway.backends.audit_trail import AuditTrail
from gateway.backends.journal.records import JournalStore, WriteRecord, moved
from gateway.backends.journal.states import OPEN, Actor, Move, State
from gateway.backends.journal.writes import JournaledWrites
from schema.ports import Meter, Outcome, Refused

log = logging.getLogger(__name__)

SETTLED_BY = "gateway"
"""Who asked, in the audit trail, when nobody waits for the answer any more."""


def writes_are_taken() -> bool:
    """For whoever has no switch."""
    return False


class Settling:
    """One per process."""

    def __init__(
        self,
        writes: JournaledWrites,
        store: JournalStore,
        trail: AuditTrail,
        is_read_only: Callable[[], bool] = writes_are_taken,
    ) -> None:
        self._counts: Counter[State] = Counter()
        self._writes = writes
        self._store = store
        self._trail = trail
        self._is_read_only = is_read_only

    def open_writes_by_state(self) -> dict[str, int]:
        """How many writes stood in which state at the last look, for metrics."""
        return {state.value: self._counts[state] for state in OPEN}

    async def settle(self) -> None:
        """Go once through all that is open. Raises `OSError` where the journal is not to be had.

        One write's trouble holds up no other.
        """
        found = await self._store.open_records()
        self._counts = Counter(record.state for record in found)
        for record in found:
            try:
                await self._settle(record)
            except OSError:
                raise
            except Exception:
                log.exception("write %s could not be settled", record.stripe_key)

    async def _settle(self, record: WriteRecord) -> None:
        if self._writes.is_at(record) or self._writes.is_held(record):
            return
        if record.outcome is not None:
            await self._writes.tell(record, record.outcome)
        elif record.state is State.RECORDED:
            expired = moved(record, Move.EXPIRE, Actor.SETTLING)
            await self._store.swap(expired, version=record.version)
        elif record.state is not State.UNDECIDABLE and not self._is_read_only():
            await self._finish(record)

    async def _finish(self, record: WriteRecord) -> None:
        meter = Meter(record.tenant)
        ended: Outcome | Refused
        try:
            ended = await self._writes.to_its_end(self._writes.finished(record, meter))
        except Refused as refused:
            log.info("write %s ended as %s", record.stripe_key, refused.code)
            ended = refused
        self._trail.record(
            tenant=record.tenant,
            caller=SETTLED_BY,
            command=record.command,
            ended=ended,
            stripe_request_ids=meter.stripe_request_ids,
        )
