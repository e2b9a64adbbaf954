"""The seam between backlog and live: whatever writers do meanwhile, no gap and no repeat."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from itertools import combinations_with_replacement

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import reader as reader_module
from gateway.events.log import ENTRIES_MAX, MemoryEventLog
from schema.ports import GapReason, StreamCheckpoint, StreamGap, StreamItem
from tests.events.channel import EPOCH, Channel, item
from tests.events.interleaved import InterleavedLog, Writers
from tests.events.walking import walked

BATCH = 2
"""Entries that a reader reads at a time here, so that a short backlog takes several reads."""
AWAITS = 12
"""Moments at which writers can move: the awaits of the reading, and each item taken."""


@pytest.fixture(autouse=True, scope="module")
def small_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_module, "BACKLOG_BATCH", BATCH)
        yield


async def opened(
    backlog: int,
    writes: int,
    moves: Iterable[str],
    *,
    entries_max: int = ENTRIES_MAX,
    queue_max: int = 256,
) -> tuple[Channel, Writers]:
    """A backlog that is published, and writers that will add to it while it is read."""
    log = InterleavedLog(MemoryEventLog(EPOCH, entries_max=entries_max), writes=writes, moves=moves)
    channel = Channel.opened(log, queue_max=queue_max, heartbeat_seconds=0)
    log.writers.feed = channel.feed
    await channel.tell_many(backlog)
    return channel, log.writers


async def heard(stream: AsyncGenerator[StreamItem, None], writers: Writers) -> list[StreamItem]:
    """Everything up to a second live checkpoint in a row after the writers were done: by then
    whatever was waiting has been delivered.

    Writers move after each item; once live and through with their schedule, they finish at once.
    """
    found: list[StreamItem] = []
    beats = 0
    while beats < 2:
        nothing_more = writers.are_done
        found.append(await item(stream))
        if isinstance(found[-1], StreamGap) and found[-1].reason is GapReason.SLOW_CONSUMER:
            return found
        is_live = isinstance(found[-1], StreamCheckpoint) and found[-1].live
        beats = beats + 1 if is_live and nothing_more else 0
        if is_live and writers.is_out_of_moves:
            await writers.rest()
        await writers.some()
    return found


def schedules(steps: str) -> Iterator[list[str]]:
    """Every way to spread these steps over the awaits, in their order."""
    for moments in combinations_with_replacement(range(AWAITS), len(steps)):
        moves = [""] * AWAITS
        for moment, step in zip(moments, steps, strict=True):
            moves[moment] += step
        yield moves


@pytest.mark.parametrize("steps", ["apap", "aapp"])
@pytest.mark.parametrize("backlog", [0, 3], ids=lambda count: f"backlog {count}")
async def test_two_writes_at_any_await_are_heard_once_and_in_order(
    backlog: int, steps: str
) -> None:
    """Every schedule there is: a write before, in, or after the step from backlog to live."""
    for moves in schedules(steps):
        channel, writers = await opened(backlog, 2, moves)

        async with channel.listening(after=0) as stream:
            found = await heard(stream, writers)

        assert isinstance(found[0], StreamCheckpoint)
        assert walked(found, 0) == backlog + 2, moves


MOVES = st.lists(st.text("ap", max_size=4), max_size=40)


@given(
    backlog=st.integers(0, 7),
    writes=st.integers(0, 12),
    moves=MOVES,
    start=st.integers(0, 7) | st.none(),
)
@settings(print_blob=True, deadline=None)
async def test_every_entry_after_the_cursor_is_heard_once(
    backlog: int, writes: int, moves: list[str], start: int | None
) -> None:
    """From any cursor, or from now on, under any schedule of many writers."""
    channel, writers = await opened(backlog, writes, moves)
    after = None if start is None else min(start, backlog)

    async with channel.listening(after=after) as stream:
        found = await heard(stream, writers)

    live = [one.live for one in found if isinstance(one, StreamCheckpoint)]
    assert not any(isinstance(one, StreamGap) for one in found)
    assert walked(found, backlog if after is None else after) == backlog + writes
    assert live == sorted(live)


@given(
    backlog=st.integers(0, 7),
    writes=st.integers(0, 12),
    moves=MOVES,
    start=st.integers(0, 7),
    entries_max=st.integers(1, 4),
)
@settings(print_blob=True, deadline=None)
async def test_what_retention_takes_from_a_reader_is_told_as_a_gap(
    backlog: int, writes: int, moves: list[str], start: int, entries_max: int
) -> None:
    """The log may forget what a reader has yet to read: then there is a gap item, not silence."""
    channel, writers = await opened(backlog, writes, moves, entries_max=entries_max)
    after = min(start, backlog)

    async with channel.listening(after=after) as stream:
        found = await heard(stream, writers)

    reasons = {one.reason for one in found if isinstance(one, StreamGap)}
    assert walked(found, after) == backlog + writes
    assert reasons <= {GapReason.RETENTION}


@given(
    backlog=st.integers(0, 7),
    writes=st.integers(0, 30),
    moves=MOVES,
    queue_max=st.integers(1, 3),
)
@settings(print_blob=True, deadline=None)
async def test_a_slow_reader_that_resumes_where_it_was_told_loses_nothing(
    backlog: int, writes: int, moves: list[str], queue_max: int
) -> None:
    """SLOW_CONSUMER ends a stream, and its `resumesAt` is where the next one must begin."""
    channel, writers = await opened(backlog, writes, moves, queue_max=queue_max)

    here = 0
    while here < backlog + writes or not writers.are_done:
        async with channel.listening(after=here) as stream:
            here = walked(await heard(stream, writers), here)

    assert here == backlog + writes
