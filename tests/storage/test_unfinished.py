"""What recovery reads at start, what an older release has left, and what a newer one has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gateway.backends.journal.durable import (
    SQLITE_AT_ONCE_MAX,
    RedisJournalStore,
    SqliteJournalStore,
)
from gateway.backends.journal.record_store import (
    KEPT_SECONDS,
    JournalFull,
    JournalStore,
    decoded_record,
    encoded_record,
)
from gateway.backends.journal.records import State
from tests.journal.records import DETACHED, put, record
from tests.storage.durable import JOURNALS, OpenJournal, sqlite_journal
from tests.support.time_and_ids import START, ManualClock


@pytest.fixture(params=JOURNALS.values(), ids=list(JOURNALS))
def opening(request: pytest.FixtureRequest) -> OpenJournal:
    chosen: OpenJournal = request.param
    return chosen


async def test_open_writes_are_found_after_a_restart(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """Those that were sent, or were about to be, oldest first; told and refused ones are not."""
    async with opening(tmp_path, clock.now, 100) as journal:
        for key, recorded_at in [("late", 9), ("early", 1)]:
            await journal.begin(record(key, recorded_at=START + recorded_at))
        await put(journal, record("done", state=State.ANNOUNCED, outcome=DETACHED))
        await put(journal, record("refused", state=State.REFUSED))

    async with opening(tmp_path, clock.now, 100) as journal:
        found = await journal.open_records()

    early, late = record("early", recorded_at=START + 1), record("late", recorded_at=START + 9)
    assert found == [early, late]


async def test_no_write_is_open_in_an_empty_journal(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """The first start of all."""
    async with opening(tmp_path, clock.now, 100) as journal:
        assert await journal.open_records() == []


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
        told = [
            record(f"{n}", state=State.ANNOUNCED, outcome=DETACHED)
            for n in range(SQLITE_AT_ONCE_MAX + 50)
        ]
        await asyncio.gather(*(journal.begin(one) for one in told))
    clock.advance(KEPT_SECONDS + 1)

    async with sqlite_journal(tmp_path, clock.now, 20) as journal:
        new = record("new", recorded_at=clock.now())
        with pytest.raises(JournalFull):
            await journal.begin(new)

        assert await journal.begin(new) is None


OF_VERSION_1 = {
    "v": 1,
    "kind": "WriteRecord",
    "tenant": "operator",
    "operation": "detach",
    "key": "key-1",
    "input_hash": "hash-1",
    "command": orjson.loads(encoded_record(record()))["command"],
    "recorded_at": START,
    "attempt": 2,
    "refused": False,
    "announced": False,
}
"""A write as the release before recorded it, when it began."""
OUTCOME = orjson.loads(encoded_record(record(outcome=DETACHED)))["outcome"]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        pytest.param({}, State.IN_DOUBT, id="without an end"),
        pytest.param({"refused": True}, State.REFUSED, id="refused"),
        pytest.param({"outcome": OUTCOME}, State.DONE, id="done"),
        pytest.param({"outcome": OUTCOME, "announced": True}, State.ANNOUNCED, id="told"),
    ],
)
def test_a_record_of_the_release_before_is_read_as_what_it_is_worth(
    fields: dict[str, object], state: State
) -> None:
    """That one noted no difference between a write that went out and one that did not, so a write
    without an end is in doubt, since it was recorded."""
    read = decoded_record(orjson.dumps({**OF_VERSION_1, **fields}))

    assert (read.state, read.attempt, read.version, read.sent_at) == (state, 2, 0, START)
    assert read.command == record().command
    assert (read.outcome is None) == ("outcome" not in fields)


async def test_a_record_of_the_release_before_can_be_moved(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock
) -> None:
    """The first move of this release compares with a version that the text does not have."""
    async with opening(tmp_path, clock.now, 100) as journal:
        await journal.begin(record(attempt=2))
        await rewrite(journal, orjson.dumps(OF_VERSION_1).decode())
        known = await journal.begin(record())
        assert known is not None
        taken_up = replace(known, state=State.SENDING, version=1)

        met = await journal.swap(taken_up, version=0)

        assert met is None
        assert await journal.open_records() == [taken_up]


async def test_a_record_that_cannot_be_read_holds_up_no_other(
    opening: OpenJournal, tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """During an upgrade a newer release writes beside this one; its writes are its own to finish,
    and ours are ours."""
    async with opening(tmp_path, clock.now, 100) as journal:
        await journal.begin(record("key-1"))
        await rewrite(journal, '{"v":3,"kind":"WriteRecord"}')
        await journal.begin(record("key-2"))

        assert await journal.open_records() == [record("key-2")]
    assert "version 3" in caplog.text


async def rewrite(journal: SqliteJournalStore | RedisJournalStore, body: str) -> None:
    """Put this text in place of every record, as another release would have written it."""
    if isinstance(journal, SqliteJournalStore):
        await journal._store.write(
            lambda database: database.execute("UPDATE journal_records SET body = ?", (body,))
        )
        return
    name = orjson.dumps(["operator", "detach", "key-1"]).decode()
    await journal._store.command("HSET", journal._records, name, body)
