"""What recovery reads at start, and a journal whose bound was lowered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.backends.journal.records import KEPT_SECONDS, JournalFull, JournalStore
from gateway.backends.journal.sqlite import AT_ONCE_MAX
from tests.journal.records import DETACHED, record
from tests.storage.durable import JOURNALS, OpenJournal, sqlite_journal
from tests.support.time_and_ids import START, ManualClock


@pytest.fixture(params=JOURNALS.values(), ids=list(JOURNALS))
def opening(request: pytest.FixtureRequest) -> OpenJournal:
    chosen: OpenJournal = request.param
    return chosen


async def test_unfinished_writes_are_found_after_a_restart(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """Those that were sent, or were about to be, oldest first; told and refused ones are not."""
    async with opening(tmp_path, clock.now, 100) as journal:
        for key, recorded_at in [("late", 9), ("early", 1), ("done", 2), ("refused", 3)]:
            await journal.begin(record(key, recorded_at=START + recorded_at))
        await journal.keep(record("done", outcome=DETACHED, announced=True))
        await journal.keep(record("refused", refused=True))

    async with opening(tmp_path, clock.now, 100) as journal:
        found = await journal.unfinished()

    early, late = record("early", recorded_at=START + 1), record("late", recorded_at=START + 9)
    assert found == [early, late]


async def test_a_write_that_is_tried_again_is_unfinished_again(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """A refusal ended one attempt; the next one may be under way when the process ends."""
    async with opening(tmp_path, clock.now, 100) as journal:
        await journal.begin(record())
        await journal.keep(record(refused=True))
        await journal.keep(record(attempt=2))

        assert await journal.unfinished() == [record(attempt=2)]


async def test_a_write_is_unfinished_until_it_is_announced(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """The log may have been away when the write succeeded: its subscribers are told later."""
    done = record(outcome=DETACHED)
    async with opening(tmp_path, clock.now, 100) as journal:
        await journal.begin(record())
        await journal.keep(done)
        before = await journal.unfinished()
        await journal.keep(replace(done, announced=True))

        assert before == [done]
        assert await journal.unfinished() == []


async def test_a_forgotten_write_is_no_longer_unfinished(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """After 30 days nothing can be settled that Stripe forgot after one."""
    async with opening(tmp_path, clock.now, 100) as journal:
        await journal.begin(record())
        clock.advance(KEPT_SECONDS + 1)
        await journal.begin(record("new", recorded_at=clock.now()))

        assert await journal.unfinished() == [record("new", recorded_at=clock.now())]


async def test_no_write_is_unfinished_in_an_empty_journal(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """The first start of all."""
    async with opening(tmp_path, clock.now, 100) as journal:
        assert await journal.unfinished() == []


async def test_two_replicas_that_begin_one_write_are_told_of_each_other(
    tmp_path: Path, clock: ManualClock
) -> None:
    """One alone gets the permission to send, ten times in a row."""
    opening = JOURNALS["redis"]
    async with opening(tmp_path, clock.now, 100) as one, opening(tmp_path, clock.now, 100) as two:
        for n in range(10):
            write = record(f"key-{n}")
            journals: tuple[JournalStore, JournalStore] = (one, two)
            answers = await asyncio.gather(*(journal.begin(write) for journal in journals))

            assert sorted(answers, key=lambda answer: answer is None) == [write, None]


async def test_a_journal_whose_bound_was_lowered_has_room_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Old records go in steps, and a step that leaves the journal full is not undone."""
    async with sqlite_journal(tmp_path, clock.now) as journal:
        await asyncio.gather(*(journal.begin(record(f"{n}")) for n in range(AT_ONCE_MAX + 50)))
    clock.advance(KEPT_SECONDS + 1)

    async with sqlite_journal(tmp_path, clock.now, 20) as journal:
        new = record("new", recorded_at=clock.now())
        with pytest.raises(JournalFull):
            await journal.begin(new)

        assert await journal.begin(new) is None
