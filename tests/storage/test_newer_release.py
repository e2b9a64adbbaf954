"""Entries that a newer release has written, in a log that this one reads: an upgrade in the middle
of its rolling, or a downgrade. They are loud, they keep their places, and they stop nothing."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from gateway.events import log as event_log
from gateway.events.feed import Feed
from gateway.events.log import NOTED_MAX, Bounds, Retention, Unreadable, UnreadableCount
from schema.ports import GapReason, StreamGap
from tests.events.channel import Channel, items
from tests.events.entries import entry
from tests.storage import newer
from tests.storage.durable import LOGS, OpenLog, redis_log, redis_store, sqlite_store
from tests.storage.newer import append_all, append_by_newer, kinds_of
from tests.storage.redis_server import prefix_of, shared_server
from tests.support.time_and_ids import ManualClock


@pytest.fixture(params=LOGS.values(), ids=list(LOGS))
def opening(request: pytest.FixtureRequest) -> OpenLog:
    chosen: OpenLog = request.param
    return chosen


async def test_the_good_entries_beside_an_unreadable_one_are_read(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """In one batch with it, before it and behind it, each at its position."""
    async with opening(tmp_path, clock.now, Retention()) as log:
        await append_all(log, "rnrnn")

        batch = await log.read(0, 10)

    assert kinds_of(batch) == "rnrnn"
    assert [one.position for one in batch] == [1, 2, 3, 4, 5]
    assert batch[1] == Unreadable(2, version=2)


async def test_positions_and_names_go_on_beside_what_cannot_be_read(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """A fact of the newer release is known here as well, and its place is nobody else's."""
    async with opening(tmp_path, clock.now, Retention()) as log:
        await append_all(log, "rn")
        known = await log.append(entry("event:2"))
        placed = await log.append(entry("event:3"))

        assert known is None
        assert placed is not None
        assert placed.position == 3
        assert await log.bounds() == Bounds(1, 3, 0)


async def test_an_unreadable_entry_is_warned_of_once_and_counted_once(
    opening: OpenLog, tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Every reader meets it; the log is told its position and version, and not by each of them."""
    async with opening(tmp_path, clock.now, Retention()) as log:
        await append_all(log, "rnn")
        with caplog.at_level(logging.WARNING):
            for after in (0, 0, 1):
                await log.read(after, 10)

        assert log.unreadable.count == 2
    told = [one.getMessage() for one in caplog.records if "cannot read" in one.getMessage()]
    assert len(told) == 2
    assert "position 2, of version 2" in told[0]
    assert "position 3, of version 2" in told[1]


async def test_readers_of_a_durable_log_are_told_of_a_gap(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """Streams and pages alike: the log's own reading is what the feed goes by."""
    async with opening(tmp_path, clock.now, Retention()) as log:
        await append_all(log, "rnr")
        channel = Channel(log, Feed(log))
        await channel.feed.start()

        async with channel.listening(after=0) as stream:
            found = await items(stream, 5)
        page = await channel.page(after=1)

        gap = StreamGap(channel.cursor(1), channel.cursor(2), GapReason.UNREADABLE)
    assert found == [
        ("checkpoint", 0),
        ("event", 1),
        ("gap", "UNREADABLE", 2),
        ("event", 3),
        ("live", 3),
    ]
    assert page.gaps == (gap,)
    assert [one.cursor for one in page.events] == [page.end]


async def test_the_newer_release_reads_what_the_older_could_not(
    opening: OpenLog, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gap of this kind is none for ever: nothing was thrown away."""
    async with opening(tmp_path, clock.now, Retention()) as log:
        await append_all(log, "n")
        assert kinds_of(await log.read(0, 10)) == "n"

    monkeypatch.setattr(event_log, "_CODEC", newer.CODEC)
    async with opening(tmp_path, clock.now, Retention()) as log:
        assert kinds_of(await log.read(0, 10)) == "r"


async def test_a_tail_goes_on_behind_what_it_cannot_read(
    tmp_path: Path, clock: ManualClock
) -> None:
    """An older replica follows a newer one, and stops at nothing that it has not understood."""
    async with redis_log(tmp_path, clock.now) as here, redis_log(tmp_path, clock.now) as there:
        await append_all(there, "rnnr")
        tail = here.tail(0)
        async with asyncio.timeout(30):
            brought = [await anext(tail) for _ in range(4)]
            await append_by_newer(there, entry("live"))
            brought.append(await anext(tail))
        await tail.aclose()

    assert kinds_of(brought) == "rnnrn"
    assert [one.position for one in brought] == [1, 2, 3, 4, 5]
    assert here.tail_trouble is None


@pytest.mark.parametrize("fields", [("body", "no JSON"), ("text", "{}")], ids=["torn", "no body"])
async def test_a_redis_entry_of_any_other_shape_is_unreadable(
    tmp_path: Path, clock: ManualClock, fields: tuple[str, str]
) -> None:
    """Whatever a later release or an operator has put there, the next entry comes."""
    prefix = prefix_of(tmp_path)
    async with (
        redis_store(shared_server().url, prefix=prefix) as store,
        redis_log(tmp_path, clock.now) as log,
    ):
        await store.command("XADD", store.key("log"), "1-0", "at", clock.now(), *fields)
        await store.command("HINCRBY", store.key("log:facts"), "last", 1)
        await log.append(entry())

        batch = await log.read(0, 10)

    assert batch[0] == Unreadable(1)
    assert kinds_of(batch) == "nr"


async def test_a_sqlite_entry_that_is_no_text_is_unreadable(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A column holds what was put in it, of whatever type."""
    async with LOGS["sqlite"](tmp_path, clock.now, Retention()) as log:
        await append_all(log, "rrr")
    async with sqlite_store(tmp_path) as store:
        bodies = "CASE position WHEN 1 THEN x'80' WHEN 2 THEN 7 ELSE body END"
        await store.write(lambda db: db.execute(f"UPDATE event_entries SET body = {bodies}"))

    async with LOGS["sqlite"](tmp_path, clock.now, Retention()) as log:
        assert kinds_of(await log.read(0, 10)) == "nnr"


def test_what_was_told_is_remembered_within_bounds() -> None:
    """A log may be full of them, and a process live for months."""
    unreadable = UnreadableCount()

    unreadable.noting(Unreadable(position) for position in range(NOTED_MAX + 1))
    unreadable.noting([Unreadable(NOTED_MAX)])
    counted = unreadable.count
    unreadable.noting([Unreadable(0)])

    assert (counted, unreadable.count) == (NOTED_MAX + 1, NOTED_MAX + 2)
