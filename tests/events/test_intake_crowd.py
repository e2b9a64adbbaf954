"""Many events at once, and slow ones: nobody waits in another's line, and nothing piles up."""

from __future__ import annotations

import asyncio

import pytest

from gateway.events.intake import RECEIVING_MAX, IntakeFull
from gateway.events.log import LogEntry
from schema.ports import EventOrigin, EventType
from tests.events.channel import HANG_SECONDS_MAX, turn
from tests.events.door import Door, hint
from tests.support.stage import ACME, Stage

WEBHOOKS = 40
TURNS_MAX = 20_000
"""Of the loop: far more than anything here takes; what is owed until then is never given."""


@pytest.fixture
def slow(door: Door) -> Door:
    """A door whose reads of payments get no answer before the test says so."""
    door.steps.gates["read"] = asyncio.Event()
    return door


def paid(door: Door, count: int) -> list[asyncio.Task[int]]:
    """Webhooks about payments that turned paid, all delivered at once."""
    for _ in range(count):
        door.stage.paid_by(500)
    return [
        asyncio.create_task(door.intake.receive(one, EventOrigin.WEBHOOK))
        for one in door.hints("invoice_payment.paid")
    ]


def announcement(stage: Stage, invoice_payment_id: str | None = "inpay_1") -> LogEntry:
    """A detach of ours that has succeeded."""
    return LogEntry(
        type=EventType.DETACHED.value,
        raw_type="gateway.invoice_payment.detached",
        occurred_at=stage.clock.now(),
        invoice_id="in_1",
        customer_id=ACME,
        invoice_payment_id=invoice_payment_id,
        payment_intent_id="pi_1",
        tenant="operator",
        idempotency_key="key-1",
        origin="MUTATION",
        account="acct_1",
        livemode=False,
    )


async def settled(door: Door, step: str, count: int) -> None:
    """Every webhook has come as far as it can."""
    for _ in range(TURNS_MAX):
        if door.steps.taken.count(step) >= count:
            return
        await turn()
    raise AssertionError(f"{step}: {door.steps.taken.count(step)} of {count}")


async def test_a_write_of_ours_waits_for_no_webhook(slow: Door) -> None:
    """Forty payments turn paid and Stripe is slow to say when: a mutation is announced meanwhile,
    as it is answered after that."""
    webhooks = paid(slow, WEBHOOKS)
    await settled(slow, "read", WEBHOOKS)

    async with asyncio.timeout(HANG_SECONDS_MAX):
        await slow.intake.announce(announcement(slow.stage), "gw_1")

    assert [one.type for one in slow.published] == ["DETACHED"]
    slow.steps.gates["read"].set()
    assert await asyncio.gather(*webhooks) == [1] * WEBHOOKS


async def test_a_write_of_ours_waits_for_one_slow_append_and_not_for_forty(door: Door) -> None:
    """The log takes its time for each entry, and forty of Stripe's have come before ours."""
    gate = door.steps.gates["append"] = asyncio.Event()
    for _ in range(WEBHOOKS):
        door.stage.paid_by(500)
    webhooks = [
        asyncio.create_task(door.intake.receive(one, EventOrigin.WEBHOOK))
        for one in door.hints("invoice_payment.paid")
    ]
    await settled(door, "read", WEBHOOKS)
    await settled(door, "append", 1)
    ours = asyncio.create_task(door.intake.announce(announcement(door.stage), "gw_1"))
    await settled(door, "drop", WEBHOOKS + 1)
    for _ in range(TURNS_MAX):
        await turn()

    gate.set()
    await asyncio.gather(ours, *webhooks)

    assert "DETACHED" in [one.type for one in door.published[:3]]
    assert len(door.published) == WEBHOOKS + 1


async def test_all_reads_are_under_way_at_once(slow: Door) -> None:
    """One line of reads would make the last webhook wait for all before it."""
    webhooks = paid(slow, WEBHOOKS)

    await settled(slow, "read", WEBHOOKS)

    assert slow.steps.taken.count("append") == 0
    slow.steps.gates["read"].set()
    await asyncio.gather(*webhooks)
    assert [one.position for one in slow.published] == list(range(1, WEBHOOKS + 1))


async def test_a_drop_that_hangs_holds_up_no_other(door: Door) -> None:
    """The cache's Redis is frozen for one command: the others' entries come."""
    door.steps.gates["drop"] = asyncio.Event()
    first = asyncio.create_task(door.receive(hint("evt_1", invoice_id=door.stage.open_invoice())))
    await settled(door, "drop", 1)
    gate = door.steps.gates.pop("drop")

    async with asyncio.timeout(HANG_SECONDS_MAX):
        taken = await door.receive(hint("evt_2", invoice_id=door.stage.open_invoice()))
    was_waiting = not first.done()
    gate.set()

    assert (taken, was_waiting) == ([1], True)
    assert await first == [1]


async def test_an_event_that_comes_again_meanwhile_is_not_read_again(slow: Door) -> None:
    """Stripe's patience is over before its own answers come: each repeat would ask once more."""
    (webhook,) = paid(slow, 1)
    await settled(slow, "read", 1)
    again = [asyncio.create_task(slow.receive(*slow.hints("invoice_payment.paid"))) for _ in "123"]
    await turn()

    slow.steps.gates["read"].set()

    assert await webhook == 1
    assert await asyncio.gather(*again) == [[0], [0], [0]]
    assert slow.steps.taken.count("read") == 1


async def test_an_event_whose_first_delivery_failed_fails_for_all_that_waited(slow: Door) -> None:
    """None of them may be acknowledged."""
    (webhook,) = paid(slow, 1)
    await settled(slow, "read", 1)
    again = asyncio.create_task(slow.receive(*slow.hints("invoice_payment.paid")))
    await turn()
    slow.steps.broken = "read"

    slow.steps.gates["read"].set()
    outcomes = await asyncio.gather(webhook, again, return_exceptions=True)

    assert [type(one) for one in outcomes] == [ConnectionError, ConnectionError]
    assert await slow.held() == []


async def test_what_timed_out_goes_on_and_does_not_pile_up(slow: Door) -> None:
    """The webhooks are answered 503 after their time, and their tasks wait on: so many and no
    more, and a write of ours is taken in all the same."""
    webhooks = [
        asyncio.create_task(slow.receive(hint(f"evt_{n}", invoice_id=slow.stage.open_invoice())))
        for n in range(RECEIVING_MAX)
    ]
    await settled(slow, "read", RECEIVING_MAX)
    for one in webhooks:
        one.cancel()
    await asyncio.wait(webhooks)
    one_more = hint("evt_more", invoice_id=slow.stage.open_invoice())

    with pytest.raises(IntakeFull):
        await slow.receive(one_more)
    async with asyncio.timeout(HANG_SECONDS_MAX):
        await slow.intake.announce(announcement(slow.stage), "gw_1")
    full = [one.type for one in slow.published]
    slow.steps.gates["read"].set()
    await settled(slow, "publish", 1 + RECEIVING_MAX)
    await turn()

    assert full == ["DETACHED"]
    assert await slow.receive(one_more) == [1]


@pytest.mark.parametrize("release", ["this", "the one before"])
async def test_one_detach_is_one_fact_though_its_payment_was_not_known_at_first(
    door: Door, release: str
) -> None:
    """One request takes one payment off, so that its key is enough to know it by; a replica of the
    release before names it with its payment."""
    first = announcement(door.stage, None if release == "this" else "inpay_1")
    await door.intake.announce(first, "gw_1")
    if release != "this":
        before = (await door.held())[0]
        assert "twin:DETACHED:inpay_1:gw_1" in before.dedupe

    await door.intake.announce(announcement(door.stage), "gw_1")

    assert len(await door.held()) == 1


async def test_two_payments_that_one_request_has_paid_are_two_facts(door: Door) -> None:
    """One intent may pay several invoices: they turn paid by one request."""
    door.stage.paid_by(500)
    door.stage.paid_by(300)
    first, second = door.hints("invoice_payment.paid")
    object.__setattr__(first, "request_key", "gw_1")
    object.__setattr__(second, "request_key", "gw_1")

    assert await door.receive(first, second) == [1, 1]
