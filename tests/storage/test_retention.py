"""What durable logs forget, and when: by age, by count, never the newest, and names last."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.events.log import AT_ONCE_MAX, DAY_SECONDS, Bounds, Retention
from tests.events.entries import entry
from tests.storage.durable import LOGS, OpenLog, redis_store, sqlite_log
from tests.storage.redis_server import prefix_of, shared_server
from tests.support.time_and_ids import ManualClock

A_DAY = Retention(age_seconds_max=DAY_SECONDS)


@pytest.fixture(params=LOGS.values(), ids=list(LOGS))
def opening(request: pytest.FixtureRequest) -> OpenLog:
    chosen: OpenLog = request.param
    return chosen


async def test_old_entries_go_when_new_ones_come(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """Kept for the whole of the time that was promised, and not for long after it."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        await log.append(entry())
        clock.advance(DAY_SECONDS)
        await log.append(entry())
        kept = await log.bounds()
        clock.advance(1)
        await log.append(entry())

        assert kept == Bounds(first=1, last=2, forgotten=0)
        assert await log.bounds() == Bounds(first=2, last=3, forgotten=1)
        assert [one.position for one in await log.read(0, 9)] == [2, 3]


async def test_a_quiet_log_forgets_when_it_is_told_to(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """All but the newest entry, which tells how far the log has come: no cursor is orphaned."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        for _ in range(5):
            await log.append(entry())
        clock.advance(DAY_SECONDS + 1)

        await log.forget_old()

        assert await log.bounds() == Bounds(first=5, last=5, forgotten=4)


async def test_a_log_without_entries_has_nothing_to_forget(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """The timer runs from the start on."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        await log.forget_old()

        assert await log.bounds() == Bounds(0, 0, 0)


async def test_positions_go_on_where_they_were_after_forgetting(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """A position is never given twice, or a cursor would point into another's history."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        await log.append(entry())
        clock.advance(10 * DAY_SECONDS)
        await log.forget_old()

    async with opening(tmp_path, clock.now, A_DAY) as log:
        placed = await log.append(entry())

    assert placed is not None
    assert placed.position == 2


async def test_a_smaller_bound_takes_effect_in_steps(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """A lowered setting must not hold up appends for the time that a million deletions take."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        await asyncio.gather(*(log.append(entry()) for _ in range(AT_ONCE_MAX + 500)))
    clock.advance(2 * DAY_SECONDS)

    async with opening(tmp_path, clock.now, Retention(10, DAY_SECONDS)) as log:
        await log.forget_old()
        await log.forget_old()

        assert (await log.bounds()).last == AT_ONCE_MAX + 500
        assert len(await log.read(0, AT_ONCE_MAX)) == 1


async def test_no_name_goes_before_its_entry(
    opening: OpenLog, tmp_path: Path, clock: ManualClock
) -> None:
    """What can still be read is never taken in again, also while old entries go in steps."""
    async with opening(tmp_path, clock.now, A_DAY) as log:
        facts = [entry(f"event:{n}") for n in range(AT_ONCE_MAX + 50)]
        await asyncio.gather(*(log.append(one) for one in facts))
        clock.advance(365 * DAY_SECONDS)
        await log.forget_old()

        held = await log.read(0, 1000)
        again = [await log.append(entry(*one.dedupe)) for one in held]

    assert again == [None] * 50


async def test_a_fact_is_known_for_thirty_days_more_than_its_entry(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Catch-up may bring an event as late as Stripe lists it; then the name is forgotten too."""
    async with sqlite_log(tmp_path, clock.now, A_DAY) as log:
        await log.append(entry("event:1"))
        clock.advance(31 * DAY_SECONDS)
        await log.append(entry("event:2"))
        still_known = await log.append(entry("event:1"))
        clock.advance(31 * DAY_SECONDS + 1)
        await log.append(entry("event:3"))

        assert still_known is None
        assert (await log.bounds()).first > 1
        assert await log.append(entry("event:1")) is not None


async def test_redis_keeps_names_for_thirty_days_more_than_entries(
    tmp_path: Path, clock: ManualClock
) -> None:
    """There the names expire by themselves, by the server's clock."""
    async with LOGS["redis"](tmp_path, clock.now, A_DAY) as log:
        await log.append(entry("event:1"))

    async with redis_store(shared_server().url, prefix=prefix_of(tmp_path)) as store:
        left = await store.command("TTL", store.key("log:name:event:1"))
    assert 31 * DAY_SECONDS - 60 < left <= 31 * DAY_SECONDS
