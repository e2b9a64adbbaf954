"""What every store of the write journal promises, whatever it is kept in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.journal.record_store import JournalFull, JournalStore, RecordGone
from gateway.backends.journal.records import Command, State, WriteRecord
from gateway.backends.supplier import Found
from schema.ports import Attached, CreditNoteCreated, Detached
from tests.journal.records import COMMANDS, DETACHED, OUTCOMES, put, record
from tests.journal.stores import STORES, StoreFeatures
from tests.support.long_form import examples
from tests.support.time_and_ids import START, ManualClock

DAY = 24 * 3600
THIRTY_DAYS = 30 * DAY
SENDING = record(state=State.SENDING, version=1)
DONE = record(state=State.DONE, outcome=DETACHED, version=1)
TOLD = record(state=State.ANNOUNCED, outcome=DETACHED, version=1)


async def test_a_new_write_is_begun(store: JournalStore) -> None:
    """None is the permission to send."""
    assert await store.begin(record()) is None


async def test_a_known_write_is_answered_instead(store: JournalStore) -> None:
    """The record that is there decides, whatever the repeat says about its input."""
    first = record()
    await store.begin(first)

    again = await store.begin(record(input_hash="hash-2"))

    assert again == first
    assert await store.begin(record()) == first


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"tenant": "partner"}, id="tenant"),
        pytest.param({"operation": "attach"}, id="operation"),
        pytest.param({"key": "key-2"}, id="key"),
        pytest.param({"key": "KEY-1"}, id="key in capitals"),
        pytest.param({"key": "key-1 "}, id="key with a space"),
        pytest.param({"tenant": "operator\x00detach", "key": ""}, id="look-alike"),
    ],
)
async def test_a_write_is_known_by_tenant_operation_and_key(
    store: JournalStore, other: dict[str, str]
) -> None:
    """Two partners may choose one key, and one partner may use it for an attach and a detach."""
    first = record()
    await store.begin(first)

    begun = await store.begin(record(**other))

    assert begun is None
    assert await store.begin(record()) == first


async def test_a_write_begun_ten_times_at_once_is_begun_once(store: JournalStore) -> None:
    """Exactly one of them may send, also where replicas share the store."""
    answers = await asyncio.gather(*(store.begin(record()) for _ in range(10)))

    assert answers.count(None) == 1


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
async def test_a_command_is_kept_as_it_was(store: JournalStore, command: Command) -> None:
    """After a restart the write is settled, or sent again, from its record alone."""
    whole = record(command=command)
    await store.begin(whole)

    assert await store.begin(record()) == whole


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES.keys())
async def test_an_outcome_is_kept_as_it_was(
    store: JournalStore, outcome: Attached | Detached | CreditNoteCreated
) -> None:
    """A repeat is answered from it, with the same ids."""
    await store.begin(record())
    done = record(state=State.DONE, outcome=outcome, version=1)

    await store.swap(done, version=0)

    known = await store.begin(record())
    assert known == done
    assert known is not None
    assert type(known.outcome) is type(outcome)


async def test_all_that_a_try_knows_is_kept_as_it_was(store: JournalStore) -> None:
    """The next try, in another process, goes on from it."""
    await store.begin(record())
    out = record(
        state=State.SENDING,
        version=1,
        owner="owner_2",
        leased_until=START + 60,
        sent_at=START,
        tried_at=START + 5,
        found=Found("cus_1", "inpay_1", ("inpay_1", "inpay_2"), "pr_1"),
    )

    await store.swap(out, version=0)

    assert await store.begin(record()) == out


async def test_a_swap_of_the_version_that_is_there_is_put(store: JournalStore) -> None:
    """None is the word for it; there is one record for a write: its latest."""
    await store.begin(record())

    assert await store.swap(SENDING, version=0) is None

    assert await store.begin(record()) == SENDING


async def test_a_swap_of_another_version_changes_nothing(store: JournalStore) -> None:
    """A late word of one replica never overwrites what another has found out since."""
    await store.begin(record())
    await store.swap(DONE, version=0)

    met = await store.swap(record(state=State.REFUSED, version=1), version=0)

    assert met == DONE
    assert await store.begin(record()) == DONE


async def test_a_swap_never_overwrites_a_higher_attempt(store: JournalStore) -> None:
    """The end of the first attempt comes late, while the second is under way."""
    await store.begin(record())
    await store.swap(record(state=State.REFUSED, version=1), version=0)
    second = record(attempt=2, version=2)
    await store.swap(second, version=1)

    met = await store.swap(DONE, version=0)

    assert met == second
    assert await store.begin(record()) == second


async def test_a_swap_of_what_was_never_begun_says_so(store: JournalStore) -> None:
    """A store that has lost its records must not seem to keep them."""
    with pytest.raises(RecordGone):
        await store.swap(SENDING, version=0)

    assert await store.begin(record()) is None


async def test_of_ten_swaps_at_once_one_is_put(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """Two writers, as two replicas are where the store can be shared, race for one version."""
    async with features.two_writers(tmp_path, clock.now) as (one, other):
        await one.begin(record())
        claims = [record(state=State.SENDING, version=1, owner=f"owner_{n}") for n in range(10)]
        swaps = [(one if n % 2 else other).swap(claim, version=0) for n, claim in enumerate(claims)]

        met = await asyncio.gather(*swaps)

        winner = await one.begin(record())
    assert winner is not None
    assert [claims[at] for at, present in enumerate(met) if present is None] == [winner]
    assert [present for present in met if present is not None] == [winner] * 9


async def test_open_writes_are_found_oldest_first(store: JournalStore) -> None:
    """What somebody must still go on from; what was refused, or done and told, is not."""
    states = [*State]
    for at, state in enumerate(states):
        await put(store, record(state.value, state=state, recorded_at=START + at, version=1))

    found = [one.state for one in await store.open_records()]

    still_open = {State.RECORDED, State.SENDING, State.IN_DOUBT, State.DONE, State.UNDECIDABLE}
    assert found == [state for state in states if state in still_open]


async def test_a_write_is_found_by_the_key_that_stripe_was_sent(store: JournalStore) -> None:
    """A webhook may come before the write has ended, so the record is found from its beginning."""
    first, second = record("key-1"), record("key-2")
    await store.begin(first)
    await store.begin(second)

    assert await store.by_stripe_key(first.stripe_key) == first
    assert await store.by_stripe_key(second.stripe_key) == second
    assert await store.by_stripe_key("gw_unknown") is None


async def test_a_write_is_found_by_the_key_of_an_earlier_attempt(store: JournalStore) -> None:
    """A webhook about the first attempt may come when the second is under way."""
    first, second = record(), record(attempt=2, version=1)
    await store.begin(first)
    await store.swap(second, version=0)

    found = [await store.by_stripe_key(one.stripe_key) for one in (first, second)]

    assert found == [second, second]


async def test_a_full_journal_refuses_and_forgets_nothing(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """A forgotten record is a payment that may be made twice; a refused write is not."""
    async with features.open(tmp_path, clock.now, records_max=2) as store:
        await store.begin(record("key-1"))
        await store.begin(record("key-2"))

        with pytest.raises(JournalFull):
            await store.begin(record("key-3"))

        known = [await store.begin(record(key)) for key in ("key-1", "key-2")]
    assert known == [record("key-1"), record("key-2")]


async def test_a_full_journal_still_records_how_its_writes_ended(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """What has been begun can end: no record more is needed for that."""
    async with features.open(tmp_path, clock.now, records_max=1) as store:
        await put(store, DONE)

        known = await store.begin(record())
    assert known == DONE


async def test_a_full_journal_makes_room_of_what_is_finished_and_old(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """A full journal is no end: after 30 days it takes writes again."""
    async with features.open(tmp_path, clock.now, records_max=1) as store:
        await put(store, TOLD)
        clock.advance(THIRTY_DAYS + 1)

        begun = await store.begin(record("key-2", recorded_at=clock.now()))
    assert begun is None


async def test_what_is_thirty_days_old_to_the_second_is_kept(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """The promise to clients is that a key is good for 30 days at least."""
    async with features.open(tmp_path, clock.now, records_max=1) as store:
        await put(store, TOLD)
        clock.advance(THIRTY_DAYS)

        with pytest.raises(JournalFull):
            await store.begin(record("key-2", recorded_at=clock.now()))

        assert await store.begin(record()) == TOLD


@pytest.mark.parametrize("ahead", [31 * DAY, 366 * DAY], ids=["a month", "a year"])
async def test_a_clock_that_is_ahead_empties_no_journal(
    store: JournalStore, clock: ManualClock, ahead: int
) -> None:
    """The clock may be mended a minute later, and what it made old is young again: nothing goes
    while there is room."""
    kept = [record(f"key-{n}", state=State.ANNOUNCED, outcome=DETACHED) for n in range(3)]
    for one in kept:
        await put(store, one)
    clock.advance(ahead)

    begun = await store.begin(record("new", recorded_at=clock.now()))

    assert begun is None
    assert [await store.begin(record(one.key)) for one in kept] == kept


@pytest.mark.parametrize(
    "state", [State.RECORDED, State.SENDING, State.IN_DOUBT, State.DONE, State.UNDECIDABLE]
)
async def test_an_open_write_is_never_forgotten(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock, state: State
) -> None:
    """Whoever repeats it would do it again; of two old ones the younger goes if it is finished."""
    async with features.open(tmp_path, clock.now, records_max=2) as store:
        still_open = record("open", state=state, version=1)
        await put(store, still_open)
        await put(store, record("told", state=State.ANNOUNCED, outcome=DETACHED))
        clock.advance(THIRTY_DAYS + 1)

        begun = await store.begin(record("new", recorded_at=clock.now()))
        known = await store.begin(record("open"))
    assert begun is None
    assert known == still_open


async def test_a_forgotten_write_is_not_found_by_any_of_its_stripe_keys(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """What is forgotten takes no room, and no webhook is given a caller from a month ago."""
    first, second = record(), record(attempt=2, version=1, state=State.REFUSED)
    async with features.open(tmp_path, clock.now, records_max=1) as store:
        await store.begin(first)
        await store.swap(second, version=0)
        clock.advance(THIRTY_DAYS + 1)
        await store.begin(record("key-2", recorded_at=clock.now()))

        found = [await store.by_stripe_key(one.stripe_key) for one in (first, second)]
    assert found == [None, None]


async def test_a_write_that_was_tried_again_keeps_no_other_from_being_forgotten(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """A new attempt makes one record young, not those that were begun after it: or one key that
    is tried every day would fill the journal."""
    async with features.open(tmp_path, clock.now, records_max=2) as store:
        await store.begin(record("tried again", state=State.REFUSED))
        await put(store, record("old", state=State.ANNOUNCED, outcome=DETACHED))
        clock.advance(THIRTY_DAYS)
        again = record("tried again", attempt=2, version=1, recorded_at=clock.now())
        await store.swap(again, version=0)
        clock.advance(1)

        begun = await store.begin(record("new", recorded_at=clock.now()))
        known = await store.begin(record("tried again", recorded_at=clock.now()))
    assert begun is None
    assert known == again


STEP = st.tuples(
    st.sampled_from(["begin", "swap", "late swap"]),
    st.sampled_from("abcd"),
    st.sampled_from([*State]),
    st.sampled_from([0, 1, 16 * DAY]),
)
ROOM = 3


@given(steps=st.lists(STEP, max_size=25))
@settings(print_blob=True, deadline=None, max_examples=examples(150))
@pytest.mark.parametrize("opened", STORES, ids=lambda features: features.name)
async def test_a_store_answers_as_a_plain_table_would(
    tmp_path_factory: pytest.TempPathFactory,
    opened: StoreFeatures,
    steps: list[tuple[str, str, State, int]],
) -> None:
    """Begun, moved, moved too late, and forgotten for want of room, in any order."""
    clock, table = ManualClock(), dict[str, WriteRecord]()
    directory = tmp_path_factory.mktemp("journal")

    async with opened.open(directory, clock.now, records_max=ROOM) as store:
        for step, key, state, seconds in steps:
            clock.advance(seconds)
            if step == "begin" or key not in table:
                await begun(store, table, clock, key)
            else:
                await swapped(store, table, table[key].version - (step != "swap"), key, state)
        still_open = [one for one in table.values() if one.is_open]
        found = await store.open_records()
    assert {one.key: one for one in found} == {one.key: one for one in still_open}


async def begun(
    store: JournalStore, table: dict[str, WriteRecord], clock: ManualClock, key: str
) -> None:
    """Begin on the store and on the table, and compare their answers."""
    new, known = record(key, recorded_at=clock.now()), table.get(key)
    if known is None and len(table) >= ROOM:
        horizon = clock.now() - THIRTY_DAYS
        old = [k for k, one in table.items() if not one.is_open and one.recorded_at < horizon]
        if not old:
            with pytest.raises(JournalFull):
                await store.begin(new)
            return
        assert await store.begin(new) is None
        for one in old:  # Stores may forget one or several of them.
            if await store.by_stripe_key(table[one].stripe_key) is None:
                del table[one]
        assert len(table) < ROOM
    else:
        assert await store.begin(new) == known
    table.setdefault(key, new)


async def swapped(
    store: JournalStore, table: dict[str, WriteRecord], version: int, key: str, state: State
) -> None:
    """Swap on the store and on the table, and compare their answers."""
    present = table[key]
    wanted = replace(present, state=state, version=present.version + 1)
    is_put = version == present.version

    assert await store.swap(wanted, version=version) == (None if is_put else present)

    table[key] = wanted if is_put else present
    assert await store.by_stripe_key(present.stripe_key) == table[key]


@pytest.mark.parametrize(
    "durable", [one for one in STORES if one.is_durable], ids=lambda features: features.name
)
async def test_what_was_recorded_is_there_after_opening_again(
    durable: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """No write goes out before its record would survive a crash."""
    moved = record("key-2", state=State.DONE, outcome=DETACHED, version=1)
    async with durable.open(tmp_path, clock.now) as store:
        await store.begin(record("key-1"))
        await put(store, moved)

    async with durable.open(tmp_path, clock.now) as store:
        assert await store.begin(record("key-1")) == record("key-1")
        assert await store.begin(record("key-2")) == moved
        assert await store.by_stripe_key(record("key-1").stripe_key) == record("key-1")
