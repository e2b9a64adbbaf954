"""What every store of the write journal promises, whatever it is kept in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.journal.records import Command, JournalFull, JournalStore, WriteRecord
from schema.ports import Attached, CreditNoteCreated, Detached
from tests.journal.records import COMMANDS, DETACHED, OUTCOMES, record
from tests.journal.stores import STORES, StoreFeatures
from tests.support.time_and_ids import ManualClock

DAY = 24 * 3600
THIRTY_DAYS = 30 * DAY


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
    done = record(outcome=outcome)

    await store.keep(done)

    known = await store.begin(record())
    assert known == done
    assert known is not None
    assert type(known.outcome) is type(outcome)


async def test_what_is_kept_takes_the_place_of_what_was_begun(store: JournalStore) -> None:
    """There is one record for a write: its latest."""
    await store.begin(record())
    await store.keep(record(refused=True))
    await store.keep(record(attempt=2))

    known = await store.begin(record())

    assert known == record(attempt=2)


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
    first, second = record(), record(attempt=2)
    await store.begin(first)
    await store.keep(second)

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
        await store.begin(record())
        await store.keep(record(outcome=DETACHED))

        known = await store.begin(record())
    assert known == record(outcome=DETACHED)


async def test_a_journal_has_room_again_when_old_records_are_forgotten(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """A full journal is no end: after 30 days it takes writes again."""
    async with features.open(tmp_path, clock.now, records_max=1) as store:
        await store.begin(record("key-1", recorded_at=clock.now()))
        clock.advance(THIRTY_DAYS + 1)

        begun = await store.begin(record("key-2", recorded_at=clock.now()))
    assert begun is None


@pytest.mark.parametrize(
    ("age", "is_known"),
    [
        pytest.param(DAY + 1, True, id="older than Stripe's own keys"),
        pytest.param(THIRTY_DAYS - 1, True, id="a second less than 30 days"),
        pytest.param(THIRTY_DAYS, True, id="30 days"),
        pytest.param(THIRTY_DAYS + 1, False, id="a second more"),
    ],
)
async def test_records_are_kept_for_thirty_days(
    store: JournalStore, clock: ManualClock, age: int, is_known: bool
) -> None:
    """The promise to clients is that a key is good for 30 days, to the second."""
    first = record(outcome=DETACHED)
    await store.begin(first)

    clock.advance(age)

    known = await store.begin(record(recorded_at=clock.now()))
    assert known == (first if is_known else None)


async def test_a_forgotten_write_is_not_found_by_any_of_its_stripe_keys(
    store: JournalStore, clock: ManualClock
) -> None:
    """What is forgotten takes no room, and no webhook is given a caller from a month ago."""
    first, second = record(), record(attempt=2)
    await store.begin(first)
    await store.keep(second)

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
        await store.begin(record("tried again", refused=True))
        await store.begin(record("old"))
        clock.advance(THIRTY_DAYS)
        await store.keep(record("tried again", attempt=2, recorded_at=clock.now()))
        clock.advance(1)

        begun = await store.begin(record("new", recorded_at=clock.now()))
        known = await store.begin(record("tried again", recorded_at=clock.now()))
    assert begun is None
    assert known is not None
    assert known.attempt == 2


STEP = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abc")),
    st.tuples(st.just("end"), st.sampled_from("abc")),
    st.tuples(st.just("refuse"), st.sampled_from("abc")),
    st.tuples(st.just("wait"), st.sampled_from(["1", "15", "16"])),
)


@given(steps=st.lists(STEP, max_size=25))
@settings(print_blob=True, deadline=None, max_examples=150)
@pytest.mark.parametrize("opened", STORES, ids=lambda features: features.name)
async def test_a_store_answers_as_a_plain_table_would(
    tmp_path_factory: pytest.TempPathFactory,
    opened: StoreFeatures,
    steps: list[tuple[str, str]],
) -> None:
    """Begun, ended, refused, tried again, and forgotten after 30 days, in any order."""
    clock, table = ManualClock(), dict[str, WriteRecord]()

    async with opened.open(tmp_path_factory.mktemp("journal"), clock.now) as store:
        for step, what in steps:
            if step == "wait":
                clock.advance(int(what) * DAY)
                continue
            await followed(store, table, clock, step, what)


async def followed(
    store: JournalStore, table: dict[str, WriteRecord], clock: ManualClock, step: str, key: str
) -> None:
    """Take the step on the store and on the table, and compare their answers."""
    horizon = clock.now() - THIRTY_DAYS
    new = record(key, recorded_at=clock.now())
    expected = table.get(key)
    if expected is not None and expected.recorded_at < horizon:
        expected = None

    assert await store.begin(new) == expected
    held = expected or new
    if held.refused:
        held = replace(new, attempt=held.attempt + 1)
        await store.keep(held)
    if step == "end":
        held = replace(held, outcome=DETACHED)
        await store.keep(held)
    elif step == "refuse" and held.outcome is None:
        held = replace(held, refused=True)
        await store.keep(held)
    table[key] = held
    assert await store.by_stripe_key(held.stripe_key) == held


@pytest.mark.parametrize(
    "durable", [one for one in STORES if one.is_durable], ids=lambda features: features.name
)
async def test_what_was_recorded_is_there_after_opening_again(
    durable: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> None:
    """No write goes out before its record would survive a crash."""
    async with durable.open(tmp_path, clock.now) as store:
        await store.begin(record("key-1"))
        await store.begin(record("key-2"))
        await store.keep(record("key-2", outcome=DETACHED))

    async with durable.open(tmp_path, clock.now) as store:
        assert await store.begin(record("key-1")) == record("key-1")
        assert await store.begin(record("key-2")) == record("key-2", outcome=DETACHED)
        assert await store.by_stripe_key(record("key-1").stripe_key) == record("key-1")
