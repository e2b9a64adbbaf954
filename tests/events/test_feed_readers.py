"""Many readers of one feed: slow ones, quiet ones, and those that go away."""

from __future__ import annotations

import asyncio

import pytest

from schema.ports import GapReason, StreamCheckpoint, StreamGap, StreamItem, Viewer
from tests.events.channel import Channel, item, items, turn
from tests.support.stage import ACME, GLOBEX


async def test_a_slow_reader_is_told_and_ended() -> None:
    """Its queue is bounded: what fits is delivered, then it is said where to resume."""
    channel = Channel.opened(queue_max=3)

    async with channel.listening() as stream:
        await item(stream)
        await channel.tell_many(5)
        found = await items(stream, 3)
        gap = await item(stream)

        with pytest.raises(StopAsyncIteration):
            await item(stream)

    here = channel.cursor(3)
    assert found == [("event", 1), ("event", 2), ("event", 3)]
    assert gap == StreamGap(here, here, GapReason.SLOW_CONSUMER)
    assert channel.feed.subscriber_count == 0


async def test_a_slow_reader_resumes_without_loss() -> None:
    """`resumesAt` is the last that was delivered: the next stream gives all the rest."""
    channel = Channel.opened(queue_max=2)
    async with channel.listening() as stream:
        await item(stream)
        await channel.tell_many(5)
        await items(stream, 2)
        gap = await item(stream)
    assert isinstance(gap, StreamGap)

    async with channel.listening(after=gap.resumes_at) as resumed:
        found = await items(resumed, 5)

    assert found == [
        ("checkpoint", 2),
        ("event", 3),
        ("event", 4),
        ("event", 5),
        ("live", 5),
    ]


async def test_a_full_queue_is_not_yet_too_slow() -> None:
    """A reader that lags by exactly what it may lag loses nothing and stays."""
    channel = Channel.opened(queue_max=3)

    async with channel.listening() as stream:
        await item(stream)
        await channel.tell_many(3)
        found = await items(stream, 3)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [("event", 1), ("event", 2), ("event", 3), ("event", 4)]


async def test_what_a_slow_reader_lost_is_not_delivered_behind_the_gap() -> None:
    """Once something was lost, later entries must not come as if nothing had happened."""
    channel = Channel.opened(queue_max=2)

    async with channel.listening() as stream:
        await item(stream)
        await channel.tell_many(3)
        found = await items(stream, 1)
        await channel.tell()
        found += await items(stream, 2)

    assert found == [("event", 1), ("event", 2), ("gap", "SLOW_CONSUMER", 2)]


async def test_siblings_of_a_slow_reader_lose_nothing() -> None:
    """One reader's queue is its own; publishing never waits for it."""
    channel = Channel.opened(queue_max=3)

    async with channel.listening() as slow, channel.listening() as quick:
        await item(slow)
        await item(quick)
        found = []
        for _ in range(5):
            await channel.tell()
            found += await items(quick, 1)

        assert found == [("event", position) for position in range(1, 6)]
        assert (await items(slow, 4))[-1] == ("gap", "SLOW_CONSUMER", 3)


async def test_readers_of_one_entry_each_get_it(channel: Channel) -> None:
    """A feed is not a work queue: everybody hears everything."""
    async with channel.listening() as one, channel.listening() as other:
        await item(one)
        await item(other)
        await channel.tell()

        assert await items(one, 1) == await items(other, 1) == [("event", 1)]


async def test_a_quiet_stream_beats() -> None:
    """On silence the client learns that the connection lives, and up to where it is complete."""
    channel = Channel.opened(heartbeat_seconds=0.001)
    await channel.tell()

    async with channel.listening() as stream:
        found = await items(stream, 3)
        await channel.tell()
        found += await items(stream, 2)

    assert found == [("live", 1), ("live", 1), ("live", 1), ("event", 2), ("live", 2)]


async def test_others_events_do_not_keep_a_stream_from_beating() -> None:
    """A stream is quiet when its reader gets nothing, however busy the log is beside it; else its
    cursor would stand still until retention had passed it."""
    channel = Channel.opened(heartbeat_seconds=0.05)
    viewer = Viewer("partner", customers=frozenset({GLOBEX}))

    async with channel.listening(viewer) as stream, asyncio.TaskGroup() as group:
        await item(stream)
        others = group.create_task(chatter(channel, customer_id=ACME))
        beat = await item(stream)
        others.cancel()

    assert isinstance(beat, StreamCheckpoint)
    assert beat.live
    assert beat.cursor != channel.cursor(0)


async def chatter(channel: Channel, **fields: str) -> None:
    """Tell one fact with every turn of the loop, without end."""
    while True:
        await channel.tell(**fields)
        await turn()


@pytest.mark.parametrize("count", [1, 2, 4], ids=["at the checkpoint", "in the backlog", "live"])
async def test_closing_a_stream_frees_its_reader(channel: Channel, count: int) -> None:
    """Wherever a reader stops, its queue is gone: leaked readers were others' memory leaks."""
    await channel.tell_many(2)

    async with channel.listening(after=0) as stream:
        await items(stream, count)

    assert channel.feed.subscriber_count == 0


async def test_cancelling_a_waiting_reader_frees_it(channel: Channel) -> None:
    """A client that goes away in the middle of silence leaves nothing behind."""
    heard: list[StreamItem] = []
    confirmed = asyncio.Event()

    async def listen() -> None:
        async with channel.listening() as stream:
            async for one in stream:
                heard.append(one)
                confirmed.set()

    reader = asyncio.create_task(listen())
    await confirmed.wait()
    assert channel.feed.subscriber_count == 1
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert channel.feed.subscriber_count == 0
    await channel.tell()
    assert len(heard) == 1


async def test_a_stream_that_nobody_reads_holds_nothing(channel: Channel) -> None:
    """The subscription stands from its first item on; before that there is nothing to free."""
    async with channel.listening():
        assert channel.feed.subscriber_count == 0
