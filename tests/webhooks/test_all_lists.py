"""Catch-up with both of Stripe's lists: each from where it got to, neither held up by the other,
and up to when all is known to be in the log."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.stripe.reads.intake_reads import PATH, THIN_PATH
from gateway.events.all_lists import SNAPSHOT, THIN
from gateway.events.catch_up import OVERLAP_SECONDS, REACH_SECONDS, RETRY_SECONDS
from gateway.events.catch_up_progress import Covered
from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.events.channel import turn
from tests.webhooks.rig import HANG_SECONDS_MAX, Rig

DAY = 24 * 3600
NO_LIST = [
    pytest.param(Fault(FaultKind.ANSWER, status=403, body={"error": {}}), id="not for this key"),
    pytest.param(
        Fault(FaultKind.ANSWER, status=404, body={"error": {}}), id="not for this account"
    ),
]


async def elsewhere(rig: Rig) -> str:
    """An attach by another integration, of which no webhook came; its payment."""
    rig.stage.clock.advance(60)
    invoice_id, intent_id = rig.stage.open_invoice(500), rig.stage.intent(500)
    return rig.stage.twin.attach(invoice_id, intent_id).id


async def test_an_attach_that_no_webhook_brought_is_found_once(rig: Rig) -> None:
    """Only the list of thin events has it; a canceled payment too, without its intent's event."""
    payment_id = await elsewhere(rig)

    first, second = [await rig.catch_ups.run(since=0) for _ in range(2)]

    found = [one for one in await rig.held() if one.type == "ATTACHED"]
    assert [(one.invoice_payment_id, one.origin) for one in found] == [(payment_id, "RECONCILED")]
    assert list(first) == [SNAPSHOT, THIN]
    taken = {name: one.summary.taken for name, one in second.items() if one.summary}
    assert taken == {SNAPSHOT: 0, THIN: 0}


async def test_what_a_webhook_brought_is_known_to_both_lists(rig: Rig) -> None:
    """One door, and the same names."""
    await elsewhere(rig)
    for event in rig.sandbox.account.thin_events:
        assert (await rig.post(event.body))[0] == 200
    before = len(rig.published)

    ran = await rig.catch_ups.run(since=0)

    assert len(rig.published) == before
    assert all(one.summary is not None and one.summary.taken == 0 for one in ran.values())


async def test_a_paid_attach_is_one_of_each_from_both_lists(rig: Rig) -> None:
    """That it is paid stands in one list, that it was attached in the other."""
    rig.stage.paid_by(500)

    await rig.catch_ups.run(since=0)

    types = [one.type for one in await rig.held()]
    assert (types.count("PAID"), types.count("ATTACHED")) == (1, 1)


async def test_each_list_is_read_from_where_it_got_to(rig: Rig) -> None:
    """One was away for a day; the other does not wait for it, nor is read anew because of it."""
    await rig.catch_ups.run()
    began = rig.stage.clock.now() - OVERLAP_SECONDS
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=THIN_PATH, times=None)
    await elsewhere(rig)
    during = await rig.catch_ups.run()
    rig.stage.clock.advance(DAY)
    rig.sandbox.faults.clear()

    after = await rig.catch_ups.run()

    snapshot, thin = after[SNAPSHOT].summary, after[THIN].summary
    assert snapshot is not None
    assert thin is not None
    assert (during[THIN].summary, during[THIN].is_refused) == (None, False)
    assert snapshot.from_ > thin.from_
    assert thin.from_ == began - OVERLAP_SECONDS
    assert [one.type for one in await rig.held()].count("ATTACHED") == 1


async def test_both_lists_begin_at_once(rig: Rig) -> None:
    """The process may end, or Stripe be slow, in the first list: what happens from then on is
    found by the next process in the second as well."""
    rig.sandbox.faults.add(FaultKind.HANG, path=PATH)
    task = asyncio.create_task(rig.catch_ups.run())
    async with asyncio.timeout(HANG_SECONDS_MAX):
        while not rig.sandbox.requests:
            await turn()
    task.cancel()
    await elsewhere(rig)
    rig.stage.clock.advance(DAY)

    await rig.catch_ups.run()

    assert [one.type for one in await rig.held()].count("ATTACHED") == 1


@pytest.mark.parametrize("away", [PATH, THIN_PATH])
async def test_the_trouble_of_one_list_keeps_nobody_from_the_other(rig: Rig, away: str) -> None:
    """And the next run comes sooner, as after any outage."""
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=away, times=None)
    task = asyncio.create_task(rig.catch_ups.every(300))
    await rig.alarm.begun()
    await elsewhere(rig)

    rig.alarm.ring()
    await rig.alarm.begun()
    task.cancel()
    await asyncio.wait([task], timeout=HANG_SECONDS_MAX)

    origins = {one.raw_type.startswith("v1.") for one in await rig.held()}
    assert origins == {away == PATH}
    assert rig.alarm.asked == [RETRY_SECONDS] * 2


@pytest.mark.parametrize("refusal", NO_LIST)
async def test_a_list_that_is_not_to_be_had_is_told_once_and_is_no_failure(
    rig: Rig, refusal: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """An account without thin events, or a restricted key, is served as the releases before did."""
    rig.sandbox.faults.add(refusal, path=THIN_PATH, times=None)
    task = asyncio.create_task(rig.catch_ups.every(300))
    for _ in range(3):
        await rig.alarm.begun()
        rig.stage.clock.advance(60)
        rig.alarm.ring()
    await rig.alarm.begun()
    task.cancel()
    await asyncio.wait([task], timeout=HANG_SECONDS_MAX)

    ran = await rig.catch_ups.run()

    assert rig.alarm.asked == [300] * 4
    assert (ran[THIN].is_refused, ran[THIN].summary) == (True, None)
    assert ran[THIN].trouble
    assert caplog.text.count("is not to be had") == 1
    assert await rig.catch_ups.last_complete() == rig.stage.clock.now()


@pytest.mark.parametrize("refusal", NO_LIST)
async def test_a_list_that_comes_to_be_had_is_read_from_then_on(
    rig: Rig, refusal: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """It was asked for again by every run. Nobody has missed what was before, however long that is,
    and what happens since the last refusal is found."""
    rig.sandbox.faults.add(refusal, path=THIN_PATH, times=None)
    await rig.catch_ups.run()
    await elsewhere(rig)
    for _ in range(6):
        rig.stage.clock.advance(REACH_SECONDS // 3)
        await rig.catch_ups.run()
    payment_id = await elsewhere(rig)
    rig.sandbox.faults.clear()

    ran = await rig.catch_ups.run()

    assert ran[THIN].summary is not None
    attached = [one.invoice_payment_id for one in await rig.held() if one.type == "ATTACHED"]
    assert attached == [payment_id]
    assert "older than what Stripe lists" not in caplog.text


async def test_a_refusal_of_what_an_event_is_about_is_no_refusal_of_the_list(rig: Rig) -> None:
    """The key may list events and not read invoices: those are passed over, and tried again."""
    await elsewhere(rig)
    forbidden = Fault(FaultKind.ANSWER, status=403, body={"error": {}})
    rig.sandbox.faults.add(forbidden, path="/v1/invoice_payments/*", times=None)

    ran = await rig.catch_ups.run(since=0)

    assert not ran[THIN].is_refused
    assert ran[THIN].summary is not None
    assert rig.thin_catch_up.passed_over == ran[THIN].summary.failed > 0


async def test_that_all_is_complete_is_not_known_at_first(rig: Rig) -> None:
    """Nor after a run of one list alone."""
    never = await rig.catch_ups.last_complete()
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=THIN_PATH, times=None)
    await rig.catch_ups.run()

    assert never is None
    assert await rig.catch_ups.last_complete() is None
    assert rig.catch_ups.complete_by_list == {SNAPSHOT: rig.stage.clock.now()}


async def test_all_is_complete_up_to_the_begin_of_the_run(rig: Rig) -> None:
    """What happens while it reads may come with the next; and it moves though nothing happens."""
    await rig.catch_ups.run()
    first = await rig.catch_ups.last_complete()
    began = rig.stage.clock.now()
    rig.stage.clock.advance(300)

    await rig.catch_ups.run()

    assert first == began
    assert await rig.catch_ups.last_complete() == began + 300
    assert rig.catch_ups.complete_by_list == {SNAPSHOT: began + 300, THIN: began + 300}


async def test_all_is_as_complete_as_the_list_that_is_behind(rig: Rig) -> None:
    """The other's runs move nothing."""
    await rig.catch_ups.run()
    before = rig.stage.clock.now()
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PATH, times=None)
    rig.stage.clock.advance(300)

    await rig.catch_ups.run()

    assert await rig.catch_ups.last_complete() == before


async def test_nothing_is_complete_behind_an_event_that_was_passed_over(rig: Rig) -> None:
    """Until it is in: then all is again."""
    await rig.catch_ups.run()
    rig.stage.clock.advance(300)
    bad = rig.stage.draft(1000)
    happened = rig.stage.clock.now()
    rig.stage.clock.advance(300)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=f"/v1/invoices/{bad}", times=None)

    await rig.catch_ups.run()
    behind = await rig.catch_ups.last_complete()
    rig.sandbox.faults.clear()
    await rig.catch_ups.run()

    assert behind == happened
    assert await rig.catch_ups.last_complete() == rig.stage.clock.now()


async def test_a_run_by_hand_over_the_last_hour_makes_nothing_complete(rig: Rig) -> None:
    """What was missed before it still is."""
    await rig.progress.save(Covered(rig.stage.clock.now(), ended_at=rig.stage.clock.now()))
    await rig.catch_ups.run()
    before = await rig.catch_ups.last_complete()
    rig.stage.clock.advance(DAY)

    await rig.catch_ups.run(since=rig.stage.clock.now() - 3600)

    assert await rig.catch_ups.last_complete() == before


async def test_what_waits_and_what_was_given_up_is_counted_of_both(rig: Rig) -> None:
    """The metrics have one number for each."""
    await elsewhere(rig)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v1/invoice*", times=None)

    await rig.catch_ups.run(since=0)

    both = rig.catch_up.passed_over + rig.thin_catch_up.passed_over
    assert rig.catch_ups.passed_over == both
    assert rig.catch_up.passed_over > 0 < rig.thin_catch_up.passed_over
