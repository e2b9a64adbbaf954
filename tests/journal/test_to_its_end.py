"""A write is run to its end, whoever waits for it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from schema.ports import DetachPayment, Meter, Outcome, Viewer
from tests.support.running import WatchedBackend
from tests.support.stage import Stage

VIEWER = Viewer("desk")


class Announcing:
    """Takes as long to take in a write as the test wants."""

    def __init__(self) -> None:
        self.is_asked, self.may_go = asyncio.Event(), asyncio.Event()
        self.told: list[Outcome] = []

    async def __call__(self, record: WriteRecord, outcome: Outcome) -> None:
        self.is_asked.set()
        await self.may_go.wait()
        self.told.append(outcome)


@pytest.fixture
def stage() -> Stage:
    return Stage.empty()


def writes_of(stage: Stage, announce: Announcing) -> JournaledWrites:
    store = MemoryJournalStore(stage.clock.now)
    return JournaledWrites(WatchedBackend(stage), store, announce, stage.clock.now)


async def test_a_write_goes_on_when_its_caller_goes_away(stage: Stage) -> None:
    """And closing waits for it."""
    invoice_id, (intent_id,) = stage.paid_by(700)
    announce = Announcing()
    writes = writes_of(stage, announce)
    command = DetachPayment(invoice_id, intent_id, "key-1")
    caller = asyncio.ensure_future(writes.write(VIEWER, command, Meter("desk")))
    await announce.is_asked.wait()

    caller.cancel()
    await asyncio.wait([caller])
    announce.may_go.set()
    await writes.close()

    assert caller.cancelled()
    assert [one.invoice_id for one in announce.told] == [invoice_id]
