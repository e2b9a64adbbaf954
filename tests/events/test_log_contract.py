"""What every event log promises, whatever it is kept in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.log import Bounds, Claim, EventLog, decode_position, encode_position
from schema.ports import ErrorCode, Failed
from tests.events.entries import entry
from tests.events.logs import LOGS, LogFeatures


async def positions(log: EventLog, *, after: int = 0, limit: int = 100) -> list[int]:
    return [one.position for one in await log.read(after, limit)]


async def append_many(log: EventLog, count: int) -> list[int]:
    """Append as many unrelated facts; their positions."""
    placed = [await log.append(entry()) for _ in range(count)]
    return [one.position for one in placed if one is not None]


async def test_positions_rise_in_the_order_of_the_appends(log: EventLog) -> None:
    """A cursor is a position, so whoever was appended later must stand later."""
    placed = await append_many(log, 5)

    assert len(placed) == 5
    assert placed == sorted(set(placed))
    assert placed[0] > 0
    assert await positions(log) == placed


async def test_appends_at_once_end_as_one_total_order(log: EventLog) -> None:
    """Every reader sees the order that the answers of `append` told their writers."""
    placed = await asyncio.gather(*(log.append(entry(f"event:{n}")) for n in range(20)))

    told = {one.position: one.dedupe for one in placed if one is not None}
    assert {one.position: one.dedupe for one in await log.read(0, 100)} == told
    assert await positions(log) == sorted(told)
    assert len(told) == 20


async def test_an_entry_is_read_as_it_was_appended(log: EventLog) -> None:
    """Rights and filters are checked on what is read, so no field may get lost."""
    whole = entry(
        "event:evt_1",
        "twin:DETACHED:inpay_1:gw_1",
        type="DETACHED",
        raw_type="invoice_payment.detached",
        livemode=True,
        customer_id="cus_ünï",
        invoice_payment_id="inpay_1",
        payment_intent_id="pi_1",
        source_event_id="evt_1",
        tenant="partner",
        idempotency_key="key ☃",
    )
    bare = entry(customer_id=None)

    placed = [await log.append(one) for one in (whole, bare)]

    read = await log.read(0, 10)
    assert read == placed
    assert [(one.customer_id, one.idempotency_key) for one in read] == [
        ("cus_ünï", "key ☃"),
        (None, None),
    ]


@pytest.mark.parametrize("shared", ["event:1", "twin:1", "state:1"])
async def test_a_fact_is_known_by_any_of_its_names(log: EventLog, shared: str) -> None:
    """The announcement, its webhook and a second webhook share one name each, never all."""
    await log.append(entry("event:1", "twin:1", "state:1"))
    before = await log.bounds()

    again = await log.append(entry("event:2", shared, "state:2"))

    assert again is None
    assert await log.bounds() == before


async def test_a_duplicate_leaves_its_new_names_behind(log: EventLog) -> None:
    """Announcement, webhook, the webhook again: the third shares only the second's own name."""
    await log.append(entry("twin:1"))
    await log.append(entry("event:1", "twin:1"))

    third = await log.append(entry("event:1"))

    assert third is None


async def test_facts_without_a_common_name_are_two(log: EventLog) -> None:
    """Nothing is merged that does not say it is the same, however much it looks alike."""
    placed = [await log.append(one) for one in (entry("event:1"), entry("event:2"), entry())]

    assert None not in placed
    assert len(await positions(log)) == 3


async def test_one_fact_appended_ten_times_at_once_stands_once(log: EventLog) -> None:
    """Stripe may deliver one event to several endpoints in the same moment."""
    answers = await asyncio.gather(*(log.append(entry("event:1")) for _ in range(10)))

    assert len([one for one in answers if one is not None]) == 1
    assert len(await positions(log)) == 1


async def test_a_log_says_what_it_knows(log: EventLog) -> None:
    """Before anything is read for it. Asking appends nothing."""
    await log.append(entry("event:1", "state:1"))

    known = [await log.knows(names) for names in (["event:1"], ["event:2", "state:1"], ["event:3"])]

    assert known == [True, True, False]
    assert len(await positions(log)) == 1
    assert await log.append(entry("event:3")) is not None


async def test_what_was_asked_for_and_known_leaves_its_names_behind(log: EventLog) -> None:
    """A thin event that is known by its payment's state comes again, or its snapshot event does."""
    await log.append(entry("state:1"))

    await log.knows(["event:thin", "event:snapshot", "state:1"])
    await log.knows(["event:new"])

    assert [await log.knows([name]) for name in ("event:thin", "event:snapshot")] == [True, True]
    assert not await log.knows(["event:new"])


async def test_a_fact_is_claimed_by_one(log: EventLog, features: LogFeatures) -> None:
    """By any of its names, until that one lets go; whoever has it may ask again."""
    others = Claim.OTHERS if features.is_shared else Claim.OURS

    first = [await log.claim(["event:1", "state:1"], "one") for _ in "12"]
    second = await log.claim(["event:2", "state:1"], "two")
    elsewhere = await log.claim(["event:2"], "two")
    await log.release(["event:1", "state:1"], "two")
    still = await log.claim(["state:1"], "two")
    await log.release(["event:1", "state:1"], "one")
    free = await log.claim(["event:1", "state:1"], "two")

    assert first == [Claim.OURS, Claim.OURS]
    assert (second, elsewhere, still, free) == (others, Claim.OURS, others, Claim.OURS)


async def test_nobody_claims_what_is_known(log: EventLog) -> None:
    """Nor needs a claim to append; and a claim is no name."""
    await log.claim(["event:1"], "one")

    before = await log.knows(["event:1"])
    await log.append(entry("event:1"))

    assert before is False
    assert await log.claim(["event:1", "event:2"], "two") is Claim.KNOWN
    assert await log.knows(["event:2"])


@pytest.mark.parametrize(
    ("skipped", "limit", "expected"),
    [
        pytest.param(0, 100, slice(0, 5), id="all"),
        pytest.param(0, 2, slice(0, 2), id="limited"),
        pytest.param(2, 2, slice(2, 4), id="from the middle"),
        pytest.param(4, 2, slice(4, 5), id="fewer than the limit"),
        pytest.param(5, 2, slice(5, 5), id="after the last"),
    ],
)
async def test_read_answers_what_is_after_a_position(
    log: EventLog, skipped: int, limit: int, expected: slice
) -> None:
    """As many as there are, up to the limit: a short answer tells that the log ends there."""
    placed = await append_many(log, 5)

    read = await positions(log, after=placed[skipped - 1] if skipped else 0, limit=limit)

    assert read == placed[expected]


async def test_read_beyond_the_end_is_empty(log: EventLog) -> None:
    """A position of the future is no mistake of the log's, and answers nothing."""
    (last,) = await append_many(log, 1)

    assert await positions(log, after=last + 7) == []


async def test_an_empty_log_has_no_bounds(log: EventLog) -> None:
    """Its origin is position 0, from where everything that ever comes can be read."""
    assert await log.bounds() == Bounds(first=0, last=0, forgotten=0)
    assert await log.read(0, 10) == []


async def test_bounds_are_the_first_and_the_last_that_can_be_read(log: EventLog) -> None:
    """While nothing is forgotten, a cursor at the origin still resumes."""
    placed = await append_many(log, 3)

    assert await log.bounds() == Bounds(first=placed[0], last=placed[-1], forgotten=0)


async def test_a_full_log_forgets_its_oldest_entries(features: LogFeatures, tmp_path: Path) -> None:
    """Retention takes from the old end, says up to where, and holds what it promised to hold."""
    async with features.open(tmp_path, entries_max=3) as log:
        placed = await append_many(log, 8)

        bounds, held = await log.bounds(), await positions(log)

    count = len(held)
    assert count == 3 if features.forgets_exactly else count >= 3
    assert held == placed[-count:]
    assert (bounds.first, bounds.last) == (held[0], held[-1])
    assert bounds.forgotten == ([0, *placed][-count - 1])


async def test_every_name_of_a_fact_that_is_held_is_known(
    features: LogFeatures, tmp_path: Path
) -> None:
    """Names are bounded like entries, but what can still be read is never taken in again: not by
    its announcement's name, its webhook's, a second webhook's, nor by that of its state."""
    async with features.open(tmp_path, entries_max=3) as log:
        for n in range(8):
            await log.append(entry(f"twin:{n}"))
            await log.append(entry(f"event:{n}", f"twin:{n}", f"state:{n}"))
            await log.append(entry(f"event:{n}:again", f"state:{n}"))
        held = [one.dedupe[0].removeprefix("twin:") for one in await log.read(0, 10)]

        again = [
            await log.append(entry(name))
            for n in held
            for name in (f"twin:{n}", f"event:{n}", f"state:{n}", f"event:{n}:again")
        ]

    assert set(held) >= {"5", "6", "7"}
    assert again == [None] * (4 * len(held))


@given(
    facts=st.lists(
        st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True).map(tuple), max_size=20
    )
)
@settings(print_blob=True, deadline=None)
@pytest.mark.parametrize("opened", LOGS, ids=lambda features: features.name)
async def test_the_log_holds_exactly_the_facts_that_were_new(
    tmp_path_factory: pytest.TempPathFactory, opened: LogFeatures, facts: list[tuple[str, ...]]
) -> None:
    """A fact is new if none of its names was ever seen, on an entry or on a duplicate."""
    seen: set[str] = set()
    expected = []
    for names in facts:
        if not seen & set(names):
            expected.append(names)
        seen |= set(names)

    async with opened.open(tmp_path_factory.mktemp("log")) as log:
        for names in facts:
            await log.append(entry(*names))
        held = [one.dedupe for one in await log.read(0, 100)]

    assert held == expected


@pytest.mark.parametrize(
    "durable", [one for one in LOGS if one.is_durable], ids=lambda features: features.name
)
async def test_what_was_appended_is_there_after_opening_again(
    durable: LogFeatures, tmp_path: Path
) -> None:
    """The answer of `append` means durable: entries, names and epoch outlive the process."""
    async with durable.open(tmp_path) as log:
        epoch, placed = log.epoch, await log.append(entry("event:1"))

    async with durable.open(tmp_path) as log:
        again = await log.append(entry("event:1"))
        assert await log.read(0, 10) == [placed]
        assert (log.epoch, again) == (epoch, None)


async def test_the_epoch_of_a_log_can_stand_in_its_cursors(log: EventLog) -> None:
    """The feed tells foreign cursors by the epoch, so every log's epoch must survive the trip."""
    assert decode_position(encode_position(log.epoch, 7)) == (log.epoch, 7)


@given(
    epoch=st.text("abcXYZ0189", min_size=1, max_size=32),
    position=st.integers(min_value=0, max_value=10**18 - 1),
)
@settings(print_blob=True, deadline=None)
def test_a_cursor_is_read_back_as_it_was_made(epoch: str, position: int) -> None:
    """Clients keep cursors for weeks and put them into URLs and headers."""
    cursor = encode_position(epoch, position)

    assert decode_position(cursor) == (epoch, position)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("7", id="a bare position"),
        pytest.param("here.7", id="not encoded"),
        pytest.param("aGVyZS43\n", id="a line break behind it"),
        pytest.param("aGVyZS43!", id="a stray character"),
        pytest.param("aGVyZS4", id="no position"),
        pytest.param("LjdA", id="no epoch"),
        pytest.param("aGVyZS4tNw", id="a negative position"),
        pytest.param("aGVyZS4x4pi6", id="a snowman"),
        pytest.param("☃", id="not ASCII"),
        pytest.param("_____w", id="not UTF-8"),
        pytest.param(encode_position("here", 10**18), id="a position beyond 18 digits"),
        pytest.param(encode_position("e" * 33, 7), id="an epoch beyond 32 characters"),
        pytest.param(encode_position("he re", 7), id="an epoch with a space"),
        pytest.param("a" * 100_000, id="far too long"),
    ],
)
def test_a_malformed_cursor_is_bad_input(cursor: str) -> None:
    """What was never given out is the caller's mistake, and neither a gap nor a crash."""
    with pytest.raises(Failed) as refused:
        decode_position(cursor)

    assert refused.value.code is ErrorCode.BAD_USER_INPUT
    assert "after" in refused.value.message
