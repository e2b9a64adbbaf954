"""Tries of recorded writes, as a repeat or a first call has them: the journal's own, in memory."""

from __future__ import annotations

from gateway.backends.journal.attempt import Try
from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import State, WriteRecord
from gateway.backends.supplier import NOTHING, Found
from tests.journal.records import record
from tests.support.time_and_ids import START, ManualClock


def first_try() -> Try:
    """Of a write that was just recorded."""
    return _trying(record())


def in_doubt(found: Found = NOTHING, *, age_seconds: int = 0, quiet_seconds: int = 0) -> Try:
    """Of a write that went out so long ago first, and so long ago last."""
    sent = {"sent_at": START - age_seconds, "tried_at": START - quiet_seconds}
    return _trying(record(state=State.SENDING, found=found, **sent))


async def stored(trying: Try) -> WriteRecord | None:
    """The record as the journal holds it."""
    return await trying._store.begin(trying.record)


def _trying(written: WriteRecord) -> Try:
    clock = ManualClock()
    store = MemoryJournalStore(clock.now)
    store._put(written)
    return Try(store, written, clock.now)
