"""What no webhook brought is found in Stripe's list, exactly once, and nothing is read in vain."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from gateway.backends.stripe.reads.intake_reads import PATH
from gateway.events.catch_up import (
    CLOCK_SECONDS_MAX,
    FAILED_AGAIN_MAX,
    NEW_FAILURES_MAX,
    OVERLAP_SECONDS,
    PASSED_OVER_MAX,
    REACH_SECONDS,
    RETRY_SECONDS,
    SAVE_EVERY,
    Summary,
)
from gateway.events.catch_up_progress import Covered, PassedOver
from gateway.sandbox.stripe_api import FaultKind
from schema.ports import Failed
from tests.events.door import hint
from tests.webhooks.rig import HANG_SECONDS_MAX, Rig, StoppableLog, rigged

HOUR = 3600
DAY = 24 * HOUR


async def covered_until(rig: Rig) -> int | None:
    """The time up to which everything is known to have been taken in."""
    covered = await rig.progress.load()
    return None if covered is None else covered.until


async def test_a_missed_event_is_found_once(rig: Rig) -> None:
    """By a second run it is known already."""
    rig.stage.paid_by(1000)

    first, second = [await rig.catch_up.run(since=0) for _ in range(2)]

    assert await rig.types() == [entry.raw_type for entry in rig.published]
    assert {entry.origin for entry in rig.published} == {"RECONCILED"}
    assert first.taken == len(rig.published) > 0
    assert (second.taken, second.known) == (0, first.seen)


async def test_what_a_webhook_brought_is_known(rig: Rig) -> None:
    """Both come through the same door."""
    rig.stage.draft(1000)
    await rig.post(rig.bodies("invoice.created")[0])

    summary = await rig.catch_up.run(since=0)

    assert (summary.taken, summary.known) == (0, 1)
    assert [entry.origin for entry in rig.published] == ["WEBHOOK"]


async def test_a_run_says_what_it_saw(rig: Rig) -> None:
    """Every event is one of four: new, known, none of ours, or passed over."""
    rig.stage.paid_by(1000)
    now = rig.stage.clock.now()

    summary = await rig.catch_up.run(since=now - HOUR)

    assert summary.seen == len(rig.sandbox.account.events)
    assert summary.seen == summary.taken + summary.known + summary.ignored + summary.failed
    assert summary.known == len(rig.bodies("payment_intent.created", "payment_intent.succeeded"))
    assert (summary.from_, summary.to, summary.at) == (now - HOUR, now, now)
    assert not summary.out_of_reach


async def test_the_watcher_is_told_after_every_event(rig: Rig) -> None:
    """A bar can be drawn: how many so far, and how far between the two ends."""
    rig.stage.paid_by(600, 400)
    seen: list[Summary] = []

    summary = await rig.catch_up.run(since=0, on_progress=lambda one: seen.append(replace(one)))

    assert [one.seen for one in seen] == list(range(1, summary.seen + 1))
    assert [one.at for one in seen] == sorted(one.at for one in seen)
    assert all(one.from_ <= one.at <= one.to for one in seen)


async def test_the_first_run_of_all_has_missed_nothing(rig: Rig) -> None:
    """Nobody has read from this gateway yet, so nobody misses what was before."""
    rig.stage.draft(1000)
    rig.stage.clock.advance(OVERLAP_SECONDS + 1)

    summary = await rig.catch_up.run()

    began = rig.stage.clock.now() - OVERLAP_SECONDS
    assert (summary.seen, summary.from_) == (0, began)
    assert await rig.progress.load() == Covered(began, ended_at=rig.stage.clock.now())


async def test_a_first_run_that_fails_is_begun_where_it_began(rig: Rig) -> None:
    """Stripe is away at the first start of all, for hours: what happens meanwhile is missed by
    nobody."""
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PATH, times=None)
    with pytest.raises(Failed):
        await rig.catch_up.run()
    rig.stage.draft(1000)
    rig.stage.clock.advance(DAY)
    rig.sandbox.faults.clear()

    summary = await rig.catch_up.run()

    assert summary.taken == 1


async def test_the_next_run_reads_from_where_the_last_one_got_to(rig: Rig) -> None:
    """And some minutes before it, as the list may have been late."""
    rig.stage.draft(1000)
    await rig.catch_up.run()
    covered = rig.stage.clock.now()
    rig.stage.clock.advance(DAY)
    rig.stage.draft(1000)
    newest = rig.stage.clock.now()
    rig.stage.clock.advance(HOUR)

    summary = await rig.catch_up.run()

    assert summary.from_ == covered - OVERLAP_SECONDS
    assert summary.taken == 1
    assert await covered_until(rig) == newest


async def test_a_quiet_account_has_no_gap(rig: Rig) -> None:
    """Nothing has happened for a month, and the gateway was there: what was not there was not
    missed. How far was read is told by the last event all the same."""
    rig.stage.draft(1000)
    happened = rig.stage.clock.now()

    for _ in range(40):
        summary = await rig.catch_up.run()
        assert summary.out_of_reach is False
        rig.stage.clock.advance(DAY)

    assert await covered_until(rig) == happened


@pytest.mark.parametrize("down", [0, 3 * HOUR, 2 * DAY], ids=["at once", "hours", "days"])
@pytest.mark.parametrize("ahead", [HOUR, 3 * DAY, 30 * DAY, 40 * DAY], ids=str)
async def test_a_clock_that_was_ahead_once_hides_nothing(rig: Rig, ahead: int, down: int) -> None:
    """What happens in the hours that the clock was ahead by is taken in at once, not after them,
    and also where the gateway was down until then: Stripe's own events tell how far was read."""
    rig.stage.draft(1000)
    await rig.catch_up.run()
    rig.stage.clock.advance(ahead)
    await rig.catch_up.run()
    rig.stage.clock.advance(60 - ahead)
    rig.stage.draft(1000)
    rig.stage.clock.advance(down)

    summary = await rig.catch_up.run()

    assert summary.taken == 1


async def test_a_clock_that_stays_ahead_hides_nothing(rig: Rig) -> None:
    """Webhooks are not believed under it, so that catch-up is all there is."""
    rig.stage.draft(1000)
    await rig.catch_up.run()
    found = []
    for _ in range(3):
        rig.stage.draft(1000)
        rig.stage.clock.advance(3 * DAY)
        found.append((await rig.catch_up.run()).taken)
        rig.stage.clock.advance(60 - 3 * DAY)

    assert found == [1, 1, 1]


async def test_a_clock_that_is_days_behind_hides_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """What was noted before lies in its future; it reads all again once, and not in every run."""
    rig.stage.clock.advance(9 * DAY)
    rig.stage.draft(1000)
    await rig.catch_up.run()
    rig.stage.draft(1000)
    rig.stage.clock.advance(-3 * DAY)

    first, second = [await rig.catch_up.run() for _ in range(2)]

    assert (first.taken, second.taken) == (1, 0)
    assert second.from_ == rig.stage.clock.now() - OVERLAP_SECONDS
    assert caplog.text.count("ahead of our clock") == 1


async def test_what_an_earlier_release_noted_under_a_clock_that_was_ahead_is_not_believed(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """It noted our clock's time. All that Stripe lists is read again, and that is said once."""
    rig.stage.draft(1000)
    rig.stage.clock.advance(DAY)
    await rig.progress.save(Covered(rig.stage.clock.now() + CLOCK_SECONDS_MAX + 1))

    summary = await rig.catch_up.run()
    again = await rig.catch_up.run()

    assert (summary.taken, again.taken) == (1, 0)
    assert caplog.text.count("ahead of our clock") == 1


async def test_a_clock_that_is_a_little_behind_is_believed(rig: Rig) -> None:
    """The clocks of two replicas differ by seconds: no reason to read a month again."""
    covered = Covered(rig.stage.clock.now() + CLOCK_SECONDS_MAX)
    await rig.progress.save(covered)

    summary = await rig.catch_up.run()

    assert summary.from_ == covered.until - OVERLAP_SECONDS
    assert await covered_until(rig) == covered.until


async def test_an_event_that_is_listed_late_is_found(rig: Rig) -> None:
    """It lies before what was read up to, and inside the overlap."""
    rig.stage.draft(1000)
    late = list(rig.sandbox.account.events)
    for event in late:
        rig.sandbox.account.events.remove(event.id)
    await rig.catch_up.run()

    for event in late:
        rig.sandbox.account.events.put(event)
    rig.stage.clock.advance(60)
    summary = await rig.catch_up.run()

    assert summary.taken == len(late) == 1


REACHES = [
    pytest.param(30 * DAY, False, id="30 days"),
    pytest.param(30 * DAY + 1, True, id="a second more"),
    pytest.param(400 * DAY, True, id="a year"),
]


@pytest.mark.parametrize(("ago", "is_out"), REACHES)
async def test_what_stripe_no_longer_lists_is_out_of_reach(
    rig: Rig, ago: int, is_out: bool
) -> None:
    """It is said, and what can be had is read."""
    rig.stage.draft(1000)
    now = rig.stage.clock.now()

    summary = await rig.catch_up.run(since=now - ago)

    assert (summary.out_of_reach, summary.from_) == (is_out, now - REACH_SECONDS)
    assert (summary.wanted_from, summary.taken) == (now - ago, 1)


@pytest.mark.parametrize(("ago", "is_out"), REACHES)
async def test_a_long_outage_is_said_to_be_too_long(rig: Rig, ago: int, is_out: bool) -> None:
    """Without counting the overlap, which was read before."""
    await rig.progress.save(Covered(rig.stage.clock.now()))
    rig.stage.clock.advance(ago)

    summary = await rig.catch_up.run()

    assert summary.out_of_reach is is_out


async def test_a_run_by_hand_never_hides_what_was_missed(rig: Rig) -> None:
    """It read the last hour; what was missed before that still waits for its turn."""
    covered = Covered(rig.stage.clock.now())
    await rig.progress.save(covered)
    rig.stage.draft(1000)
    rig.stage.clock.advance(DAY)

    by_hand = await rig.catch_up.run(since=rig.stage.clock.now() - HOUR)
    still = await rig.progress.load()
    after = await rig.catch_up.run()

    assert (by_hand.taken, still, after.taken) == (0, covered, 1)


async def test_a_run_by_hand_from_further_back_counts(rig: Rig) -> None:
    """It read all that the next one would have."""
    await rig.progress.save(Covered(rig.stage.clock.now()))
    rig.stage.clock.advance(DAY)
    rig.stage.draft(1000)

    await rig.catch_up.run(since=rig.stage.clock.now() - 3 * DAY)

    assert await covered_until(rig) == rig.stage.clock.now()


async def test_two_runs_follow_one_another(rig: Rig) -> None:
    """Whoever asks second waits, and then finds nothing new."""
    rig.stage.paid_by(1000)
    order: list[str] = []

    first, second = await asyncio.gather(
        rig.catch_up.run(since=0, on_progress=lambda _: order.append("first")),
        rig.catch_up.run(since=0, on_progress=lambda _: order.append("second")),
    )

    assert order == ["first"] * first.seen + ["second"] * second.seen
    assert (first.taken, second.taken, second.known) == (len(rig.published), 0, first.seen)


async def test_one_event_that_cannot_be_taken_in_holds_up_no_other(rig: Rig) -> None:
    """It is passed over, and every run tries it again until it is in."""
    await rig.catch_up.run()
    rig.stage.clock.advance(DAY)
    bad, good = rig.stage.draft(1000), rig.stage.draft(2000)
    rig.stage.clock.advance(HOUR)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=f"/v1/invoices/{bad}", times=None)

    first = await rig.catch_up.run()
    rig.stage.clock.advance(DAY)
    rig.sandbox.faults.clear()
    second = await rig.catch_up.run()

    assert (first.failed, first.taken) == (1, 1)
    assert (second.failed, second.taken, second.known) == (0, 1, 2)
    assert [entry.invoice_id for entry in rig.published] == [good, bad]


async def test_many_events_that_cannot_be_read_hold_up_no_other(rig: Rig) -> None:
    """More than an outage is told by, and the same in every run: what is behind them
    comes by the second, and they themselves once they can be read."""
    await rig.catch_up.run()
    bad = [rig.stage.draft(1000) for _ in range(NEW_FAILURES_MAX + 2)]
    good = rig.stage.draft(2000)
    for one in bad:
        rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=f"/v1/invoices/{one}", times=None)

    with pytest.raises(Failed):
        await rig.catch_up.run()
    second = await rig.catch_up.run()
    taken = [entry.invoice_id for entry in rig.published]
    rig.sandbox.faults.clear()
    third = await rig.catch_up.run()

    assert taken == [good]
    assert (second.failed, rig.catch_up.passed_over) == (len(bad) + NEW_FAILURES_MAX, 0)
    assert third.taken == len(bad)
    assert [entry.invoice_id for entry in rig.published] == [good, *bad]


async def test_what_cannot_be_read_is_given_up_when_stripe_lists_it_no_longer(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Loudly, as it is lost, and counted, so that somebody is woken by it."""
    await rig.catch_up.run()
    bad = rig.stage.draft(1000)
    (event,) = list(rig.sandbox.account.events)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=f"/v1/invoices/{bad}", times=None)
    await rig.catch_up.run()
    rig.stage.clock.advance(REACH_SECONDS)
    rig.stage.intent(1000)
    await rig.catch_up.run()
    waiting = rig.catch_up.passed_over

    summary = await rig.catch_up.run()

    assert waiting == 1
    assert (summary.given_up, rig.catch_up.given_up, rig.catch_up.passed_over) == (1, 1, 0)
    assert f"event {event.id} (invoice.created) is given up after 2 tries" in caplog.text


async def test_a_clock_that_is_ahead_gives_nothing_up(rig: Rig) -> None:
    """It would make everything too old at once, and what was passed over nobody else remembers."""
    await rig.catch_up.run()
    bad = rig.stage.draft(1000)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=f"/v1/invoices/{bad}", times=None)
    await rig.catch_up.run()
    rig.stage.clock.advance(40 * DAY)
    await rig.catch_up.run()
    rig.stage.clock.advance(-40 * DAY)
    rig.sandbox.faults.clear()

    summary = await rig.catch_up.run()

    assert (summary.taken, rig.catch_up.given_up) == (1, 0)


async def test_so_many_may_wait_and_no_more(rig: Rig) -> None:
    """Beyond it the run ends before the next, which is read again: nothing is forgotten."""
    now = rig.stage.clock.now()
    waiting = [hint(f"evt_w{n}", invoice_id="in_w") for n in range(PASSED_OVER_MAX)]
    kept = tuple(PassedOver(replace(one, created=now)) for one in waiting)
    await rig.progress.save(Covered(now, kept))
    rig.stage.draft(1000)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v1/invoices/*", times=None)

    with pytest.raises(Failed):
        await rig.catch_up.run()

    covered = await rig.progress.load()
    assert covered is not None
    assert (covered.until, len(covered.passed_over)) == (now, PASSED_OVER_MAX)


async def test_an_outage_ends_the_run(rig: Rig) -> None:
    """When nothing can be taken in, the rest is not tried one by one."""
    for _ in range(2 * NEW_FAILURES_MAX):
        rig.stage.draft(1000)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v1/invoices/*", times=None)

    with pytest.raises(Failed):
        await rig.catch_up.run(since=0)

    reads = sum(one.path.startswith("/v1/invoices/") for one in rig.sandbox.requests)
    assert reads == 3 * NEW_FAILURES_MAX
    covered = await rig.progress.load()
    assert covered is not None
    assert len(covered.passed_over) == NEW_FAILURES_MAX
    rig.sandbox.faults.clear()
    await rig.catch_up.run()
    assert len(rig.published) == 2 * NEW_FAILURES_MAX


async def test_an_outage_in_the_middle_of_a_run_ends_it_too(rig: Rig) -> None:
    """What comes in before and in between, as events about intents do without asking Stripe, says
    nothing about the rest: it waits for Stripe, and not each of them for its own three tries."""
    rig.stage.draft(1000)
    await rig.catch_up.run()
    for _ in range(60):
        rig.stage.draft(1000)
        rig.stage.intent(1000)
    before = len(rig.sandbox.requests)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v1/invoices/*", after=10, times=None)

    with pytest.raises(Failed):
        await rig.catch_up.run()

    reads = list(rig.sandbox.requests)[before:]
    asked = sum(one.path.startswith("/v1/invoices/") for one in reads)
    assert asked == 10 + 3 * NEW_FAILURES_MAX
    assert rig.catch_up.passed_over == NEW_FAILURES_MAX


async def test_after_an_outage_all_that_waited_comes_in_at_once(rig: Rig) -> None:
    """However many they are: only those that fail again are put off to the runs after."""
    count = 3 * FAILED_AGAIN_MAX
    waiting = [hint(f"evt_w{n}", invoice_id=rig.stage.draft(1000)) for n in range(count)]
    now = rig.stage.clock.now()
    kept = tuple(PassedOver(replace(one, created=now)) for one in waiting)
    await rig.progress.save(Covered(now, kept))

    await rig.catch_up.run()

    assert rig.catch_up.passed_over == 0
    assert {one.source_event_id for one in rig.published} >= {one.event_id for one in waiting}


async def test_those_that_fail_again_and_again_keep_no_run_busy(rig: Rig) -> None:
    """Each may take its whole time to fail. Those that had no turn have theirs in the next run."""
    count = FAILED_AGAIN_MAX + 5
    now = rig.stage.clock.now()
    bad = [hint(f"evt_w{n}", invoice_id=f"in_w{n}") for n in range(count)]
    kept = tuple(PassedOver(replace(one, created=now)) for one in bad)
    await rig.progress.save(Covered(now, kept))
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v1/invoices/*", times=None)

    first, second = [await rig.catch_up.run() for _ in range(2)]

    covered = await rig.progress.load()
    assert covered is not None
    assert (first.failed, second.failed) == (FAILED_AGAIN_MAX, FAILED_AGAIN_MAX)
    tries = Counter(one.tries for one in covered.passed_over)
    assert tries == {2: count - (2 * FAILED_AGAIN_MAX - count), 3: 2 * FAILED_AGAIN_MAX - count}


async def test_a_log_that_is_down_ends_the_run() -> None:
    """Nothing is noted as covered, and the next run begins where this one should have."""
    log = StoppableLog()
    async with rigged(log=log) as rig:
        await rig.catch_up.run()
        covered = await rig.progress.load()
        rig.stage.clock.advance(DAY)
        rig.stage.draft(1000)
        log.is_down = True

        with pytest.raises(OSError, match="away"):
            await rig.catch_up.run()
        noted = await rig.progress.load()
        log.is_down = False
        summary = await rig.catch_up.run()

        assert (noted, summary.taken) == (covered, 1)


async def test_a_run_that_breaks_off_is_continued(rig: Rig) -> None:
    """What it got to is noted now and then, so a long one does not begin anew each time."""
    rig.stage.draft(1000)
    rig.stage.clock.advance(DAY)
    await rig.catch_up.run()
    rig.stage.clock.advance(DAY)
    for _ in range(SAVE_EVERY + 50):
        rig.stage.intent(100)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PATH, after=2, times=None)
    created = [one.created for one in rig.sandbox.account.events][1:]

    with pytest.raises(Failed):
        await rig.catch_up.run()

    assert await covered_until(rig) == created[SAVE_EVERY - 1]


async def test_the_timer_runs_it_at_once_and_then_ever_again(rig: Rig) -> None:
    """At the start, because something may have happened meanwhile."""
    task = asyncio.create_task(rig.catch_ups.every(300))
    await rig.alarm.begun()
    rig.stage.draft(1000)

    rig.alarm.ring()
    await rig.alarm.begun()

    assert len(rig.published) == 1
    assert rig.alarm.asked == [300, 300]
    await ended(task)


async def test_after_an_outage_the_timer_is_shorter(rig: Rig) -> None:
    """Nobody waits longer than he must, and the timer outlives the outage."""
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PATH, times=None)
    task = asyncio.create_task(rig.catch_ups.every(300))
    await rig.alarm.begun()
    rig.stage.draft(1000)
    rig.sandbox.faults.clear()

    rig.alarm.ring()
    await rig.alarm.begun()

    assert len(rig.published) == 1
    assert rig.alarm.asked == [RETRY_SECONDS, 300]
    await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    """A timer that is stopped stops."""
    task.cancel()
    async with asyncio.timeout(HANG_SECONDS_MAX):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
