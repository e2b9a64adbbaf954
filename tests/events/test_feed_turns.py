"""Whoever comes first in a turn of the loop: a checkpoint never lies behind what was not told."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.log import ENTRIES_MAX
from schema.ports import GapReason, StreamGap
from tests.events.channel import QUEUE_MAX
from tests.events.entries import described
from tests.events.turns import Scene, by_hand

WAITING = "r..."
"""The steps after which a reader waits for its next item."""
AT_ONCE = 5
"""Steps of every order there is; a heartbeat takes two turns from falling due to being told."""


def test_an_event_in_the_moment_of_a_heartbeat_is_told() -> None:
    """The wait ends in one turn and the reader wakes in the next: what is published in between
    stands before the checkpoint's cursor, so resuming would not bring it back."""

    async def scene() -> None:
        stage = Scene()
        await stage.listen()
        await stage.steps(f"{WAITING}rt.w")

        found = [described(one) for one in await stage.rest()]

        assert found[:2] == [("live", 0), ("event", 1)]

    by_hand(scene())


def test_a_reader_that_had_to_read_again_is_a_quiet_one_again() -> None:
    """What was published out of its order is read from the log, with one checkpoint behind it;
    then the stream waits as before, and does not read for ever."""

    async def scene() -> None:
        stage = Scene()
        await stage.listen()
        await stage.steps("rrrrrrraw" + "." * 20)

        found = [described(one) for one in stage.found]

        assert found == [("live", 0), ("event", 1), ("event", 2), ("live", 2)]

    by_hand(scene())


@pytest.mark.parametrize("before", ["", WAITING], ids=["has yet to take", "waits"])
def test_nothing_is_lost_in_any_order_of_a_few_steps(before: str) -> None:
    """Every order of a wanted event, another's, a heartbeat, a turn of the loop, and a reader who
    takes one more: around a reader that waits, and around one that has yet to take its item."""

    async def scene(steps: str) -> None:
        stage = Scene()
        await stage.listen()
        await stage.steps(before + steps)

        await stage.rest()

        assert stage.walked() == stage.appended, steps

    for steps in product("wut.r", repeat=AT_ONCE):
        by_hand(scene("".join(steps)))


@given(
    before=st.text("wun", max_size=4),
    steps=st.text("wunapt.r", max_size=60),
    after=st.none() | st.integers(0, 4),
    queue_max=st.integers(1, 3) | st.just(QUEUE_MAX),
    entries_max=st.integers(1, 4) | st.just(ENTRIES_MAX),
)
@settings(print_blob=True, deadline=None)
def test_every_cursor_of_a_stream_is_true(
    before: str, steps: str, after: int | None, queue_max: int, entries_max: int
) -> None:
    """From any cursor, for readers as slow as they like, whatever the log forgets meanwhile, what
    it cannot read, and in whatever order it is published."""

    async def scene() -> None:
        stage = Scene(queue_max=queue_max, entries_max=entries_max)
        await stage.steps(before)
        start = len(before) if after is None else min(after, len(before))
        await stage.listen(None if after is None else start)
        await stage.steps(steps)

        last = (await stage.rest())[-1]

        is_ended = isinstance(last, StreamGap) and last.reason is GapReason.SLOW_CONSUMER
        end = stage.walked(start)
        assert is_ended or end == stage.appended

    by_hand(scene())
