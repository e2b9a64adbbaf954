"""Writes that are done without a task of their own, where nothing has to be waited for."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.journal.at_once import going_on
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
        self.may_go = asyncio.Event()
        self.told: list[Outcome] = []

    async def __call__(self, record: WriteRecord, outcome: Outcome) -> None:
        await self.may_go.wait()
        self.told.append(outcome)


@pytest.fixture
def stage() -> Stage:
    return Stage.empty()


def writes_of(stage: Stage, announce: Announcing) -> JournaledWrites:
    store = MemoryJournalStore(stage.clock.now)
    return JournaledWrites(WatchedBackend(stage), store, announce, stage.clock.now, is_at_once=True)


async def test_what_waits_for_nobody_needs_no_turn_of_the_loop(stage: Stage) -> None:
    """The answer is there in the step in which it was asked for."""
    invoice_id, (intent_id,) = stage.paid_by(700)
    announce = Announcing()
    announce.may_go.set()
    writes = writes_of(stage, announce)

    work = writes.write(VIEWER, DetachPayment(invoice_id, intent_id, "key-1"), Meter("desk"))

    with pytest.raises(StopIteration) as over:
        work.send(None)
    assert announce.told == [over.value.value]


async def test_what_has_to_wait_goes_on_when_its_caller_goes_away(stage: Stage) -> None:
    """As a write always does; closing waits for it."""
    invoice_id, (intent_id,) = stage.paid_by(700)
    announce = Announcing()
    writes = writes_of(stage, announce)
    command = DetachPayment(invoice_id, intent_id, "key-1")
    caller = asyncio.ensure_future(writes.write(VIEWER, command, Meter("desk")))
    await asyncio.sleep(0)

    caller.cancel()
    await asyncio.wait([caller])
    announce.may_go.set()
    await writes.close()

    assert caller.cancelled()
    assert [one.invoice_id for one in announce.told] == [invoice_id]


async def test_begun_work_is_told_what_it_has_waited_for() -> None:
    """Answers, failures and its own end, in another task than the one it began in."""
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def work() -> list[object]:
        found: list[object] = [await first]
        try:
            await second
        except ValueError as wrong:
            found.append(str(wrong))
        return found

    begun = work()
    task = asyncio.create_task(going_on(begun, begun.send(None)))
    first.set_result(1)
    await asyncio.sleep(0)
    second.set_exception(ValueError("wrong"))

    assert await task == [1, "wrong"]


async def test_begun_work_can_be_ended() -> None:
    """It hears of it where it waits."""
    heard: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            heard.append(True)

    begun = work()
    task = asyncio.create_task(going_on(begun, begun.send(None)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert (task.cancelled(), heard) == (True, [True])
