"""What the one door promises: its order of steps, and that one fact enters once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.events.intake_ports import Touched
from schema.ports import EventOrigin
from tests.events.door import Door, hint
from tests.events.unsteady_logs import Held, Overtaking
from tests.support.stage import ACME, Stage


async def test_an_entry_says_what_happened_to_whom(door: Door) -> None:
    """The customer is resolved, so that rights can be checked on every item."""
    invoice_id = door.stage.open_invoice()

    await door.receive(replace(hint("evt_9", invoice_id=invoice_id), created=77))

    (entry,) = await door.held()
    assert (entry.type, entry.raw_type) == ("INVOICE_CHANGED", "invoice.updated")
    assert (entry.invoice_id, entry.customer_id) == (invoice_id, ACME)
    assert (entry.origin, entry.source_event_id, entry.occurred_at) == ("WEBHOOK", "evt_9", 77)
    assert (entry.account, entry.livemode) == ("acct_1", False)
    assert (entry.tenant, entry.idempotency_key) == (None, None)


STEPS = ["claim", "wait", "drop", "read", "drop", "keep", "append", "publish"]


async def test_an_event_is_dropped_then_read_then_appended_then_published(door: Door) -> None:
    """Whoever sees the event in the log or on a stream finds no older copy in the cache, and what
    was read behind the drop. Whose the invoice is, which the event did not say, is dropped too."""
    invoice_id = door.stage.open_invoice()

    await door.receive(hint(invoice_id=invoice_id))

    assert door.steps.taken == STEPS
    assert door.dropped == [Touched(invoice_id, None, None), Touched(None, ACME, None)]


async def test_what_nobody_listens_to_is_not_read(door: Door) -> None:
    """The customer is known and there is no state to name, so a call would be for nobody: the
    account's limit is also that of whatever else calls Stripe."""
    invoice_id = door.stage.open_invoice()
    await door.receive(hint("evt_1", invoice_id=invoice_id))
    door.steps.taken.clear()
    door.is_heard = False

    taken = await door.receive(hint("evt_2", invoice_id=invoice_id))

    assert taken == [1]
    assert door.steps.taken == ["claim", "drop", "append", "publish"]


async def test_what_is_caught_up_with_is_read_for_its_own_sake_only(door: Door) -> None:
    """It may be thousands of events, and whoever is told of one asks for it then."""
    invoice_id = door.stage.open_invoice()
    await door.receive(hint("evt_1", invoice_id=invoice_id))
    door.steps.taken.clear()

    caught_up = await door.intake.receive(
        hint("evt_2", invoice_id=invoice_id), EventOrigin.RECONCILED
    )

    assert caught_up == 1
    assert "read" not in door.steps.taken


@pytest.mark.parametrize("broken", ["claim", "wait", "drop", "read", "append"])
async def test_a_failed_step_ends_the_intake_and_stripe_may_try_again(
    door: Door, broken: str
) -> None:
    """Nothing is acknowledged that was not done; the next delivery finds nothing half done."""
    door.stage.paid_by(500)
    paid = door.hints("invoice_payment.paid")
    door.steps.broken = broken

    with pytest.raises(OSError, match=f"{broken} is down"):
        await door.receive(*paid)
    taken, held, published = list(door.steps.taken), await door.held(), list(door.published)
    door.steps.broken = None
    again = await door.receive(*paid)

    assert taken == STEPS[: STEPS.index(broken) + 1]
    assert (held, published) == ([], [])
    assert again == [1]
    assert await door.held() == door.published


async def test_a_duplicate_drops_too(door: Door) -> None:
    """The drop of the first may have come too soon; a drop too many is only a miss. Nothing is read
    for what is known."""
    event = hint(invoice_id=door.stage.open_invoice())
    await door.receive(event)
    door.steps.taken.clear()

    taken = await door.receive(event)

    assert taken == [0]
    assert door.steps.taken == ["claim", "drop"]


async def test_one_event_delivered_ten_times_at_once_is_one(door: Door) -> None:
    """Several endpoints, or several attempts while the first is in flight."""
    event = hint(invoice_id=door.stage.open_invoice())

    taken = await door.receive_at_once(*[event] * 10)

    assert sorted(taken) == [0] * 9 + [1]
    assert await door.held() == door.published
    assert len(door.published) == 1


async def test_a_payment_paid_under_two_event_ids_is_one(door: Door) -> None:
    """A payment turns paid once; Stripe may tell of it by two events."""
    door.stage.paid_by(500)
    (paid,) = door.hints("invoice_payment.paid")

    taken = await door.receive(paid, replace(paid, event_id="evt_other"), paid)

    assert taken == [1, 0, 0]


async def test_a_payment_that_is_gone_is_still_paid_once(door: Door) -> None:
    """Stripe may tell a turn twice, and the second time after the payment was detached: then
    nobody can be asked when it was."""
    invoice_id, (intent_id,) = door.stage.paid_by(1000)
    (paid,) = door.hints("invoice_payment.paid")
    first = await door.receive(paid)
    door.stage.twin.detach(invoice_id, intent_id)

    again = await door.receive(replace(paid, event_id="evt_other"))

    assert (first, again) == ([1], [0])


async def test_ten_events_about_one_turn_at_once_are_one(door: Door) -> None:
    """Also where each delivery has an event id of its own."""
    door.stage.paid_by(500)
    (paid,) = door.hints("invoice_payment.paid")

    taken = await door.receive_at_once(*(replace(paid, event_id=f"evt_{n}") for n in range(10)))

    assert sum(taken) == 1


async def test_two_payments_that_turn_paid_are_two(door: Door) -> None:
    """In the same second, on the same invoice, by the same request: still two facts."""
    door.stage.paid_by(700, 300)

    taken = await door.receive(*door.hints("invoice_payment.paid"))

    assert taken == [1, 1]


async def test_two_changes_of_an_invoice_are_two(door: Door) -> None:
    """Nothing else is merged: the second may be what a reader waits for."""
    invoice_id = door.stage.open_invoice()

    taken = await door.receive(
        hint("evt_1", invoice_id=invoice_id), hint("evt_2", invoice_id=invoice_id)
    )

    assert taken == [1, 1]


async def test_the_origin_tells_how_the_gateway_came_to_know(door: Door) -> None:
    """Catch-up comes through the same door, with the same names, and says so."""
    event = hint(invoice_id=door.stage.open_invoice())

    caught_up = await door.intake.receive(event, EventOrigin.RECONCILED)
    delivered = await door.receive(event)

    assert (caught_up, delivered) == (1, [0])
    assert [one.origin for one in await door.held()] == ["RECONCILED"]


async def test_entries_are_published_in_the_order_of_the_log() -> None:
    """A feed that got the later one first would take the earlier one for a repeat."""
    door = Door.over(Stage.empty(), Overtaking(turns=10))
    invoice_id = door.stage.open_invoice()

    taken = await door.receive_at_once(
        *(hint(f"evt_{n}", invoice_id=invoice_id) for n in range(10))
    )

    assert taken == [1] * 10
    assert [one.position for one in door.published] == list(range(1, 11))


async def test_what_is_in_the_log_is_published_though_its_bringer_went_away() -> None:
    """Stripe hangs up, or a time limit strikes, while the append is under way: the entry stands,
    so live readers must hear of it, and no later event repairs what they have missed."""
    log = Held()
    door = Door.over(Stage.empty(), log)
    invoice_id = door.stage.open_invoice()
    delivery = asyncio.create_task(door.receive(hint("evt_1", invoice_id=invoice_id)))
    await log.has_it.wait()

    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    log.released.set()
    await door.receive(hint("evt_2", invoice_id=invoice_id))

    assert [one.source_event_id for one in await door.held()] == ["evt_1", "evt_2"]
    assert [one.source_event_id for one in door.published] == ["evt_1", "evt_2"]
