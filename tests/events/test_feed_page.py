"""The same log, read by pages: `EventStream.page` and `oldest`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.feed import BACKLOG_BATCH, SCAN_MAX
from gateway.events.log import ENTRIES_MAX, MemoryEventLog, encode_position
from schema.ports import ErrorCode, EventPage, Failed, Viewer
from tests.events.channel import EPOCH, Channel, items
from tests.events.entries import at, entry
from tests.events.filters import FACTS, FILTERS
from tests.events.interleaved import InterleavedLog
from tests.support.stage import ACME, GLOBEX


def shown(page: EventPage) -> list[int]:
    """The positions of a page's events."""
    return [at(event.cursor) for event in page.events]


async def test_the_log_is_paged_oldest_first(channel: Channel) -> None:
    """Each page says where the next begins, and whether there is one on either side."""
    await channel.tell_many(5)

    pages = [await channel.page(first=2)]
    while pages[-1].has_next:
        pages.append(await channel.page(first=2, after=pages[-1].end))

    assert [shown(page) for page in pages] == [[1, 2], [3, 4], [5]]
    assert [page.has_previous for page in pages] == [False, True, True]
    assert [at(page.end) for page in pages] == [2, 4, 5]


async def test_a_page_that_ends_the_log_exactly_has_no_next(channel: Channel) -> None:
    """A next page that would be empty is not promised."""
    await channel.tell_many(4)

    page = await channel.page(first=2, after=2)

    assert (shown(page), page.has_next) == ([3, 4], False)


async def test_a_read_that_ends_the_log_exactly_has_no_next(channel: Channel) -> None:
    """Neither where the log happens to end with what is read at a time."""
    await channel.tell_many(BACKLOG_BATCH)

    page = await channel.page(first=BACKLOG_BATCH)

    assert (len(page.events), page.has_next) == (BACKLOG_BATCH, False)


@pytest.mark.parametrize("count", [0, 3], ids=["empty log", "end of the log"])
async def test_an_empty_page_says_where_to_go_on(channel: Channel, count: int) -> None:
    """Read to the end, then subscribe from there: `end` is a cursor even where there is nothing."""
    await channel.tell_many(count)
    page = await channel.page(after=count)

    async with channel.listening(after=page.end) as stream:
        found = await items(stream, 1)
        await channel.tell()
        found += await items(stream, 1)

    assert (page.events, page.has_next) == ((), False)
    assert found == [("live", count), ("event", count + 1)]


@pytest.mark.parametrize(("where", "expected"), FILTERS)
async def test_a_page_holds_what_its_filter_wants(
    channel: Channel, where: dict[str, Any], expected: list[int]
) -> None:
    """The same filters as on a stream; what they leave out is passed over by the end cursor."""
    for fact in FACTS:
        await channel.tell(**fact)

    page = await channel.page(**where)

    assert shown(page) == expected
    assert (at(page.end), page.has_next) == (4, False)


async def test_a_viewer_pages_through_own_customers_only(
    channel: Channel, operator: Viewer, acme: Viewer, globex: Viewer
) -> None:
    """Pages check every entry, as streams do."""
    for fact in FACTS:
        await channel.tell(**fact)

    seen = {one.tenant: shown(await channel.page(one)) for one in (operator, acme, globex)}

    assert seen == {"operator": [1, 2, 3, 4], "partner-acme": [1, 2], "partner-globex": [3]}


async def test_an_idempotency_key_is_shown_to_its_tenant_only(channel: Channel) -> None:
    """With another's key one could read that one's outcome."""
    await channel.tell(tenant="partner", idempotency_key="key-1")

    pages = [await channel.page(Viewer(tenant)) for tenant in ("partner", "other")]

    assert [page.events[0].idempotency_key for page in pages] == ["key-1", None]


async def test_a_rare_filter_answers_a_short_page_and_where_to_go_on(channel: Channel) -> None:
    """One call looks at a bounded part of the log, so a page may be short and not be the last."""
    await channel.tell_many(SCAN_MAX + 5, customer_id=ACME)
    await channel.tell(customer_id=GLOBEX)

    short = await channel.page(first=10, customer_ids=[GLOBEX])
    rest = await channel.page(first=10, after=short.end, customer_ids=[GLOBEX])

    assert (shown(short), short.has_next) == ([], True)
    assert (shown(rest), rest.has_next) == ([SCAN_MAX + 6], False)


@given(
    kinds=st.lists(st.sampled_from(["PAID", "DETACHED"]), max_size=30),
    first=st.integers(1, 7),
    start=st.integers(0, 30),
)
@settings(print_blob=True, deadline=None)
async def test_pages_visit_each_wanted_event_once(kinds: list[str], first: int, start: int) -> None:
    """However the log is cut into pages, nothing falls between two of them."""
    channel = Channel.opened()
    for kind in kinds:
        await channel.tell(type=kind)
    after = min(start, len(kinds))

    visited: list[int] = []
    page = await channel.page(first=first, after=after, types=["PAID"])
    visited += shown(page)
    while page.has_next:
        page = await channel.page(first=first, after=page.end, types=["PAID"])
        visited += shown(page)

    wanted = [n for n, kind in enumerate(kinds, start=1) if kind == "PAID" and n > after]
    assert visited == wanted


@pytest.mark.parametrize(
    ("cursor", "code"),
    [
        pytest.param(encode_position(EPOCH, 2), ErrorCode.CURSOR_GONE, id="forgotten"),
        pytest.param(encode_position(EPOCH, 6), ErrorCode.CURSOR_GONE, id="beyond the end"),
        pytest.param(encode_position("elsewhere", 4), ErrorCode.CURSOR_GONE, id="another log's"),
        pytest.param("garbage", ErrorCode.BAD_USER_INPUT, id="malformed"),
    ],
)
async def test_a_page_after_what_is_not_there_is_refused(cursor: str, code: ErrorCode) -> None:
    """A page cannot hold a gap item, so history that is missing is an error with its own code."""
    channel = Channel.opened(entries_max=2)
    await channel.tell_many(5)

    with pytest.raises(Failed) as refused:
        await channel.page(after=cursor)

    assert refused.value.code is code


async def test_a_page_that_retention_overtook_is_refused() -> None:
    """What was forgotten between the look at the bounds and the reading is missing as well."""
    log = InterleavedLog(MemoryEventLog(EPOCH, entries_max=2), writes=5, moves=["", "", "apapap"])
    channel = Channel.opened(log)
    log.writers.feed = channel.feed
    await channel.tell_many(2)

    with pytest.raises(Failed) as refused:
        await channel.page(after=1)

    assert refused.value.code is ErrorCode.CURSOR_GONE


@pytest.mark.parametrize("moves", [[], ["", "", "apap"]], ids=["before", "meanwhile"])
async def test_without_a_cursor_a_page_begins_at_the_oldest_that_is_held(moves: list[str]) -> None:
    """A log that has forgotten its beginning, before it was looked at or between the look and the
    reading, is still read from its beginning, and nothing that was asked for is missing."""
    writes = len("".join(moves)) // 2
    log = InterleavedLog(MemoryEventLog(EPOCH, entries_max=2), writes=writes, moves=moves)
    channel = Channel.opened(log)
    log.writers.feed = channel.feed
    await channel.tell_many(5)

    page = await channel.page()

    assert (shown(page), page.has_previous) == ([writes + 4, writes + 5], False)
    assert page.gaps == ()


@pytest.mark.parametrize(
    ("entries_max", "count", "expected"),
    [
        pytest.param(ENTRIES_MAX, 0, None, id="empty"),
        pytest.param(ENTRIES_MAX, 3, 0, id="nothing forgotten"),
        pytest.param(2, 5, 3, id="three forgotten"),
    ],
)
async def test_oldest_is_the_first_cursor_that_resumes(
    entries_max: int, count: int, expected: int | None
) -> None:
    """Everything after it can be read, and nothing before it is promised."""
    channel = Channel.opened(entries_max=entries_max)
    await channel.tell_many(count)

    oldest = await channel.feed.oldest()

    assert oldest == (None if expected is None else channel.cursor(expected))


async def test_position_is_what_was_published(channel: Channel) -> None:
    """Appended is not enough: up to the position this replica has dropped what its cache held."""
    origin = channel.feed.position()
    placed = await channel.tell()

    await channel.log.append(placed)

    assert (at(origin), at(channel.feed.position())) == (0, 1)


async def test_position_never_goes_back(channel: Channel) -> None:
    """What was in the log at the start counts as published, also when its publishing comes later;
    a position that went back would let a cursor promise less than it did."""
    first, second = await channel.log.append(entry()), await channel.log.append(entry())
    assert first is not None
    assert second is not None
    await channel.feed.start()

    channel.feed.publish(first)

    assert at(channel.feed.position()) == second.position
