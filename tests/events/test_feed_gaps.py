"""History that is missing is told in its place, and everything beside it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.feed import BACKLOG_BATCH
from gateway.events.log import LogEntry, MemoryEventLog
from schema.ports import EventPage, GapReason, StreamGap, Viewer
from tests.events.channel import EPOCH, Channel, item, items
from tests.events.entries import at, entry
from tests.events.unsteady_logs import Upgraded, tell_newer
from tests.support.stage import ACME, GLOBEX

UNREADABLE = GapReason.UNREADABLE.value


@pytest.fixture
def channel() -> Channel:
    """An empty log that a newer release writes to as well, and a feed over it."""
    return Channel.opened(Upgraded())


async def told(channel: Channel, kinds: str, **fields: Any) -> None:
    """One fact after the other: `r` can be read, `n` is a newer release's."""
    for kind in kinds:
        await (channel.tell(**fields) if kind == "r" else tell_newer(channel))


async def test_an_unreadable_entry_is_a_gap_in_its_place(channel: Channel) -> None:
    """In the backlog, in the order of the log: the good ones before it and behind it come, and
    whoever resumes with a cursor before it is told."""
    await told(channel, "rnrrn")

    async with channel.listening(after=0) as stream:
        found = await items(stream, 7)

    assert found == [
        ("checkpoint", 0),
        ("event", 1),
        ("gap", UNREADABLE, 2),
        ("event", 3),
        ("event", 4),
        ("gap", UNREADABLE, 5),
        ("live", 5),
    ]


async def test_an_unreadable_entry_that_is_published_is_a_gap_in_its_place(
    channel: Channel,
) -> None:
    """Whoever listens meanwhile is told as it comes."""
    async with channel.listening() as stream:
        await item(stream)
        await told(channel, "rnnr")
        found = [await item(stream) for _ in range(4)]

    gaps = [one for one in found if isinstance(one, StreamGap)]
    assert [at(one.cursor) for one in found if one not in gaps] == [1, 4]
    assert (
        found[1:3]
        == gaps
        == [
            StreamGap(channel.cursor(1), channel.cursor(2), GapReason.UNREADABLE),
            StreamGap(channel.cursor(2), channel.cursor(3), GapReason.UNREADABLE),
        ]
    )


async def test_unreadable_entries_with_nothing_to_show_between_them_are_one_gap(
    channel: Channel,
) -> None:
    """Each gap makes a client refetch; a day of a newer release is to be one and not thousands."""
    await told(channel, "rnn", type="PAID")
    await told(channel, "rn", type="OVERPAID")
    await told(channel, "r", type="PAID")

    async with channel.listening(after=0, types=["PAID"]) as stream:
        found = [await item(stream) for _ in range(4)]

    assert found[2] == StreamGap(channel.cursor(1), channel.cursor(5), GapReason.UNREADABLE)
    assert at(found[3].cursor) == 6


@pytest.mark.parametrize("is_live", [False, True], ids=["backlog", "live"])
async def test_everybody_is_told_of_what_nobody_can_read(channel: Channel, is_live: bool) -> None:
    """It may be about any invoice of any customer; a gap tells none of them."""
    viewer = Viewer("partner", customers=frozenset({ACME}))
    if not is_live:
        await told(channel, "rn", customer_id=GLOBEX)

    async with channel.listening(viewer, after=0, invoice_ids=["in_1"]) as stream:
        await item(stream)
        if is_live:
            await told(channel, "rn", customer_id=GLOBEX)
        gap = await item(stream)

    assert isinstance(gap, StreamGap)
    assert (at(gap.resumes_at), gap.reason) == (2, GapReason.UNREADABLE)


async def test_what_is_published_late_is_told_in_its_place() -> None:
    """The log's order is the order, and what is not published in it is read from there."""
    channel = Channel.opened()
    first, second = [await channel.log.append(entry()) for _ in range(2)]
    assert first is not None
    assert second is not None

    async with channel.listening() as stream:
        await item(stream)
        channel.feed.publish(second)
        found = await items(stream, 3)
        channel.feed.publish(first)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [("event", 1), ("event", 2), ("live", 2), ("event", 3)]


async def test_what_was_never_published_is_told_with_the_next_that_is(channel: Channel) -> None:
    """An append may have been done though its answer was lost."""
    async with channel.listening() as stream:
        await item(stream)
        await channel.log.append(entry())
        await channel.tell()

        assert await items(stream, 3) == [("event", 1), ("event", 2), ("live", 2)]


async def test_what_retention_takes_from_the_publishing_is_a_gap() -> None:
    """A tail that was away for long may begin again behind what the log has forgotten."""
    channel = Channel.opened(entries_max=2)

    async with channel.listening() as stream:
        await item(stream)
        for _ in range(4):
            await channel.log.append(entry())
        await channel.tell()

        assert await items(stream, 4) == [
            ("gap", "RETENTION", 3),
            ("event", 4),
            ("event", 5),
            ("live", 5),
        ]


class Emptied(MemoryEventLog):
    """A log that somebody has emptied under the gateway."""

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        return []


async def test_a_log_that_no_longer_holds_what_was_published_is_told() -> None:
    """Nobody knows what was missed, and nobody waits for it for ever."""
    channel = Channel.opened(Emptied(EPOCH))
    await channel.tell_many(2)

    async with channel.listening(after=0) as stream:
        found = await items(stream, 3)
        await channel.tell()
        found += await items(stream, 1)

    assert found == [("checkpoint", 0), ("gap", "UNKNOWN_CURSOR", 2), ("live", 2), ("event", 3)]


async def test_a_page_passes_over_what_cannot_be_read_and_says_where(channel: Channel) -> None:
    """Refused, it would be refused for ever; in silence, the events would be lost."""
    await told(channel, "rnnrn")

    page = await channel.page()

    assert [at(one.cursor) for one in page.events] == [1, 4]
    assert page.gaps == (
        StreamGap(channel.cursor(1), channel.cursor(3), GapReason.UNREADABLE),
        StreamGap(channel.cursor(4), channel.cursor(5), GapReason.UNREADABLE),
    )
    assert (at(page.end), page.has_next) == (5, False)


async def test_a_page_tells_the_gaps_before_its_end_only(channel: Channel) -> None:
    """What lies behind its end belongs to the next page, once."""
    await told(channel, "rnrnr")

    pages = [page async for page in paged(channel, first=1)]

    assert [[at(one.cursor) for one in page.events] for page in pages] == [[1], [3], [5]]
    assert [[at(one.resumes_at) for one in page.gaps] for page in pages] == [[], [2], [4]]


class Overtaken(MemoryEventLog):
    """A log that forgets faster than a page reads: ten entries behind its first batch."""

    def __init__(self) -> None:
        super().__init__(EPOCH, entries_max=BACKLOG_BATCH + 1)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        batch = await super().read(after, limit)
        for _ in range(0 if after else BACKLOG_BATCH + 10):
            await self.append(entry())
        return batch


async def test_a_page_that_retention_overtook_in_its_middle_says_so() -> None:
    """Without a cursor it begins at the oldest; what is missing behind that is no beginning."""
    channel = Channel.opened(Overtaken())
    await channel.tell_many(BACKLOG_BATCH)

    page = await channel.page(first=BACKLOG_BATCH + 1)

    missing = channel.cursor(BACKLOG_BATCH), channel.cursor(BACKLOG_BATCH + 9)
    assert page.gaps == (StreamGap(*missing, GapReason.RETENTION),)


async def paged(channel: Channel, **asked: Any) -> AsyncIterator[EventPage]:
    """The log, page by page, from the beginning."""
    page = await channel.page(after=0, **asked)
    yield page
    while page.has_next:
        page = await channel.page(after=page.end, **asked)
        yield page


@given(kinds=st.text("rn", max_size=30), first=st.integers(1, 7))
@settings(print_blob=True, deadline=None)
async def test_pages_tell_of_each_position_once(kinds: str, first: int) -> None:
    """However the log is cut into pages, each place of it is an event or lies within one gap."""
    channel = Channel.opened(Upgraded())
    await told(channel, kinds)

    seen: list[int] = []
    async for page in paged(channel, first=first):
        seen += [at(one.cursor) for one in page.events]
        for gap in page.gaps:
            assert gap.after is not None
            seen += range(at(gap.after) + 1, at(gap.resumes_at) + 1)

    assert sorted(seen) == list(range(1, len(kinds) + 1))
