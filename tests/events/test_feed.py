"""What a live stream promises its one reader, and the readers beside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.events.feed import BACKLOG_BATCH
from gateway.events.log import encode_position
from schema.ports import (
    ErrorCode,
    Failed,
    GapReason,
    InvoicePaymentEvent,
    StreamCheckpoint,
    StreamGap,
    StreamItem,
    Viewer,
)
from tests.events.channel import EPOCH, Channel, item, items
from tests.events.entries import at, entry
from tests.events.filters import FACTS, FILTERS


@pytest.mark.parametrize("after", [None, 0, 2], ids=["now", "origin", "the end"])
async def test_a_stream_begins_with_a_checkpoint(channel: Channel, after: int | None) -> None:
    """A client that has got nothing yet must know from where it would resume."""
    await channel.tell_many(2)

    async with channel.listening(after=after) as stream:
        first = await item(stream)

    assert isinstance(first, StreamCheckpoint)
    assert at(first.cursor) == (2 if after is None else after)


async def test_without_a_cursor_a_stream_starts_now(channel: Channel) -> None:
    """Only what comes after the subscription is told, and it is live from the beginning."""
    await channel.tell_many(2)

    async with channel.listening() as stream:
        found = await items(stream, 1)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [("live", 2), ("event", 3)]


async def test_backlog_comes_first_and_live_is_said_when_it_is_through(channel: Channel) -> None:
    """A page that shows "catching up" must learn when it may stop."""
    await channel.tell_many(2)

    async with channel.listening(after=0) as stream:
        found = await items(stream, 4)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [
        ("checkpoint", 0),
        ("event", 1),
        ("event", 2),
        ("live", 2),
        ("event", 3),
    ]


async def test_subscription_stands_before_it_is_confirmed(channel: Channel) -> None:
    """What is published after the first item was sent out is not lost: the checkpoint was true."""
    async with channel.listening() as stream:
        await item(stream)
        assert channel.feed.subscriber_count == 1
        await channel.tell()

        assert await items(stream, 1) == [("event", 1)]


async def test_an_entry_read_before_it_was_published_is_not_repeated(channel: Channel) -> None:
    """The backlog may hold what the intake is about to publish."""
    await channel.tell()
    placed = await channel.log.append(entry())
    assert placed is not None

    async with channel.listening(after=0) as stream:
        found = await items(stream, 4)
        channel.feed.publish(placed)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [("checkpoint", 0), ("event", 1), ("event", 2), ("live", 2), ("event", 3)]


async def test_a_log_that_was_there_before_the_feed_is_taken_as_published(
    channel: Channel,
) -> None:
    """After a restart the log is the past: the position is its end, and a stream starts there."""
    await channel.tell_many(3)
    restarted = Channel.opened(channel.log)

    await restarted.feed.start()

    assert at(restarted.feed.position()) == 3
    async with restarted.listening() as stream:
        assert await items(stream, 1) == [("live", 3)]


@pytest.mark.parametrize("told_before", [True, False], ids=["backlog", "live"])
@pytest.mark.parametrize(("where", "expected"), FILTERS)
async def test_a_stream_holds_what_its_filter_wants(
    where: dict[str, Any], expected: list[int], told_before: bool
) -> None:
    """All that a filter gives must hold, in the backlog as in what comes live."""
    channel = Channel.opened(heartbeat_seconds=0)

    async with channel.listening(after=0, **where) as stream:
        first = None if told_before else await item(stream)
        for fact in FACTS:
            await channel.tell(**fact)
        first = first or await item(stream)
        found = await items(stream, len(expected) + 1)

    assert first == StreamCheckpoint(channel.cursor(0), not told_before)
    assert found == [*(("event", position) for position in expected), ("live", 4)]


@pytest.mark.parametrize("told_before", [True, False], ids=["backlog", "live"])
async def test_a_viewer_hears_of_own_customers_only(
    operator: Viewer, acme: Viewer, globex: Viewer, told_before: bool
) -> None:
    """A cursor is a position and not a right; nobody's invoice is for those who see everything."""
    heard = {}
    for viewer in (operator, acme, globex):
        channel = Channel.opened(heartbeat_seconds=0)
        async with channel.listening(viewer, after=0) as stream:
            if not told_before:
                await item(stream)
            for fact in FACTS:
                await channel.tell(**fact)
            heard[viewer.tenant] = await events_until_quiet(stream)

    assert heard == {"operator": [1, 2, 3, 4], "partner-acme": [1, 2], "partner-globex": [3]}


async def events_until_quiet(stream: AsyncGenerator[StreamItem, None]) -> list[int]:
    """Positions of the events before two live checkpoints in a row."""
    found = await items(stream, 2)
    while found[-1] != found[-2] or found[-1][0] != "live":
        found += await items(stream, 1)
    return [position for kind, position in found if kind == "event"]


async def test_a_filter_gives_no_right(acme: Viewer) -> None:
    """Who asks for another's invoice hears nothing, exactly as if there were nothing."""
    channel = Channel.opened(heartbeat_seconds=0)
    for fact in FACTS:
        await channel.tell(**fact)

    async with channel.listening(acme, after=0, invoice_ids=["in_3", "in_4"]) as stream:
        found = await items(stream, 2)

    assert found == [("checkpoint", 0), ("live", 4)]


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        pytest.param("operator", "key-1", id="its own"),
        pytest.param("other", None, id="another tenant's"),
        pytest.param("", None, id="a tenant without a name"),
    ],
)
async def test_an_idempotency_key_is_shown_to_its_tenant_only(
    channel: Channel, tenant: str, expected: str | None
) -> None:
    """With another's key one could read that one's outcome, so only the caller gets it back."""
    await channel.tell(tenant="operator", idempotency_key="key-1")
    await channel.tell(tenant=None, idempotency_key="key-2")

    async with channel.listening(Viewer(tenant), after=0) as stream:
        found = [await item(stream) for _ in range(3)]

    events = [one for one in found if isinstance(one, InvoicePaymentEvent)]
    assert [one.idempotency_key for one in events] == [expected, None]


async def test_a_forgotten_cursor_gives_a_retention_gap() -> None:
    """The reader is told where history goes on, and gets everything from there."""
    channel = Channel.opened(entries_max=2)
    await channel.tell_many(5)

    async with channel.listening(after=1) as stream:
        begun = await items(stream, 1)
        gap = await item(stream)
        found = await items(stream, 3)

    assert begun == [("checkpoint", 1)]
    assert gap == StreamGap(channel.cursor(1), channel.cursor(3), GapReason.RETENTION)
    assert found == [("event", 4), ("event", 5), ("live", 5)]


async def test_the_last_forgotten_position_still_resumes() -> None:
    """Everything after it is held, so nothing is missing and no gap is told."""
    channel = Channel.opened(entries_max=2)
    await channel.tell_many(5)

    async with channel.listening(after=3) as stream:
        found = await items(stream, 4)

    assert found == [("checkpoint", 3), ("event", 4), ("event", 5), ("live", 5)]


async def test_retention_that_overtakes_a_reader_is_told() -> None:
    """A reader of a long backlog may be slower than the log forgets; it is not left in silence."""
    channel = Channel.opened(entries_max=BACKLOG_BATCH + 1)
    await channel.tell_many(BACKLOG_BATCH + 1)

    async with channel.listening(after=0) as stream:
        begun = await items(stream, 2)
        await channel.tell_many(BACKLOG_BATCH + 3)
        of_batch = await items(stream, BACKLOG_BATCH - 1)
        then = await items(stream, 2)

    end = 2 * BACKLOG_BATCH + 4
    forgotten = end - BACKLOG_BATCH - 1
    assert begun == [("checkpoint", 0), ("event", 1)]
    assert of_batch[-1] == ("event", BACKLOG_BATCH)
    assert then == [("gap", "RETENTION", forgotten), ("event", forgotten + 1)]


FOREIGN = encode_position("elsewhere", 1)
BEYOND = encode_position(EPOCH, 3)


@pytest.mark.parametrize("cursor", [FOREIGN, BEYOND], ids=["another log's", "beyond the end"])
async def test_an_unknown_cursor_gives_a_gap_and_goes_on_from_now(
    channel: Channel, cursor: str
) -> None:
    """After the log was replaced nobody knows what was missed: refetch, then go on live."""
    await channel.tell_many(2)

    async with channel.listening(after=cursor) as stream:
        await item(stream)
        gap = await item(stream)
        await channel.tell()
        found = await items(stream, 1)

    assert gap == StreamGap(cursor, channel.cursor(2), GapReason.UNKNOWN_CURSOR)
    assert found == [("event", 3)]


@pytest.mark.parametrize(
    ("cursor", "told"),
    [
        pytest.param(FOREIGN, FOREIGN, id="another log's: the gap is met again"),
        pytest.param(BEYOND, encode_position(EPOCH, 2), id="beyond the end: 3 is yet to come"),
    ],
)
async def test_a_reader_that_leaves_before_its_gap_resumes_without_loss(
    channel: Channel, cursor: str, told: str
) -> None:
    """The first checkpoint is true as well: what it says is delivered was, and nothing of a log
    that its reader has never seen."""
    await channel.tell_many(2)

    async with channel.listening(after=cursor) as stream:
        checkpoint = await item(stream)

    assert checkpoint == StreamCheckpoint(told, True)


async def test_a_malformed_cursor_is_refused(channel: Channel) -> None:
    """What no log has ever given out is bad input, and leaves no subscriber behind."""
    with pytest.raises(Failed) as refused:
        async with channel.listening(after="garbage") as stream:
            await item(stream)

    assert refused.value.code is ErrorCode.BAD_USER_INPUT
    assert channel.feed.subscriber_count == 0


async def test_events_come_in_the_order_of_the_log(channel: Channel) -> None:
    """Not by when they happened upstream: whole seconds tie, and Stripe promises no order."""
    for occurred_at in (30, 10, 20):
        await channel.tell(occurred_at=occurred_at)

    async with channel.listening(after=0) as stream:
        found = [await item(stream) for _ in range(4)]

    events = [one for one in found if isinstance(one, InvoicePaymentEvent)]
    assert [one.occurred_at for one in events] == [30, 10, 20]
    assert [at(one.cursor) for one in events] == [1, 2, 3]
