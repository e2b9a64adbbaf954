"""Which of Stripe's events are followed, and what each becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.events.hints import event_type
from gateway.events.intake_ports import Touched
from schema.ports import EventType
from tests.events.door import Door, hint
from tests.events.unsteady_logs import BrokenAt
from tests.support.stage import ACME, Stage

TYPES = [
    ("invoice_payment.paid", EventType.PAID),
    ("invoice_payment.detached", EventType.DETACHED),
    ("invoice.overpaid", EventType.OVERPAID),
    ("invoice.payment.overpaid", EventType.OVERPAID),
    ("payment_intent.canceled", EventType.CANCELED),
    *(
        (f"invoice.{name}", EventType.INVOICE_CHANGED)
        for name in (
            "created",
            "deleted",
            "finalized",
            "finalization_failed",
            "updated",
            "sent",
            "paid",
            "payment_succeeded",
            "payment_failed",
            "payment_action_required",
            "payment_attempt_required",
            "voided",
            "marked_uncollectible",
            "overdue",
            "will_be_due",
        )
    ),
    *((f"credit_note.{name}", EventType.INVOICE_CHANGED) for name in ("created", "updated")),
    ("credit_note.voided", EventType.INVOICE_CHANGED),
    ("invoice.of_the_future", EventType.INVOICE_CHANGED),
]
UNFOLLOWED = [
    "invoice.upcoming",
    "invoice_payment.of_the_future",
    "invoiceitem.created",
    "charge.succeeded",
    "customer.tax_id.updated",
    "INVOICE.PAID",
    "",
]


@pytest.mark.parametrize(("raw_type", "expected"), TYPES, ids=lambda one: str(one))
def test_a_followed_event_has_its_type(raw_type: str, expected: EventType) -> None:
    """The table of the contract: Stripe's spelling on the left, ours on the right."""
    assert event_type(raw_type) is expected


@pytest.mark.parametrize("raw_type", UNFOLLOWED)
async def test_what_is_not_followed_is_nothing(door: Door, raw_type: str) -> None:
    """Stripe sends what its endpoint is subscribed to; the rest is acknowledged and left alone."""
    invoice_id = door.stage.open_invoice()

    taken = await door.receive(hint(type=raw_type, invoice_id=invoice_id))

    assert (taken, door.steps.taken) == ([0], [])


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"account": "acct_2"}, id="other account"),
        pytest.param({"livemode": True}, id="other mode"),
    ],
)
@pytest.mark.parametrize("raw_type", ["invoice.updated", "payment_intent.canceled"])
async def test_events_of_elsewhere_are_nothing(
    door: Door, foreign: dict[str, Any], raw_type: str
) -> None:
    """A test event must not touch live objects, nor one account's event another's."""
    invoice_id, (intent_id,) = door.stage.paid_by(500)
    event = hint(type=raw_type, invoice_id=invoice_id, payment_intent_id=intent_id)

    taken = await door.receive(replace(event, **foreign))

    assert (taken, door.steps.taken) == ([0], [])


@pytest.mark.parametrize("invoice_id", ["in_nowhere", None])
async def test_an_event_about_no_known_invoice_is_nothing(
    door: Door, invoice_id: str | None
) -> None:
    """Without an invoice there is nobody who may see it."""
    taken = await door.receive(hint(invoice_id=invoice_id))

    assert taken == [0]
    assert await door.held() == []


def shared_intent(stage: Stage) -> tuple[str, list[str]]:
    """An intent that is to pay two invoices, and their ids."""
    intent_id = stage.intent(1000)
    invoices = [stage.open_invoice(600), stage.open_invoice(400)]
    for invoice_id, amount in zip(invoices, (600, 400), strict=True):
        stage.twin.attach(invoice_id, intent_id, amount_requested=amount)
    return intent_id, invoices


async def test_a_canceled_intent_cancels_each_of_its_payments_once(door: Door) -> None:
    """One event upstream, one entry for each invoice; a repeat under any id adds none."""
    intent_id, invoices = shared_intent(door.stage)
    door.stage.twin.progress(intent_id, "canceled")
    (canceled,) = door.hints("payment_intent.canceled")

    taken = await door.receive(canceled, canceled, replace(canceled, event_id="evt_other"))

    held = await door.held()
    assert taken == [2, 0, 0]
    assert {one.type for one in held} == {"CANCELED"}
    assert {one.payment_intent_id for one in held} == {intent_id}
    assert sorted(one.invoice_id for one in held) == sorted(invoices)
    assert len({one.invoice_payment_id for one in held}) == 2


async def test_a_cancellation_that_broke_off_is_finished_by_the_next_delivery() -> None:
    """The log fails behind the first of two entries: the second is not lost, and the first is not
    told twice."""
    door = Door.over(Stage.empty(), BrokenAt(2))
    intent_id, invoices = shared_intent(door.stage)
    door.stage.twin.progress(intent_id, "canceled")
    (canceled,) = door.hints("payment_intent.canceled")

    with pytest.raises(OSError, match="no disk"):
        await door.receive(canceled)
    again = await door.receive(canceled)

    assert again == [1]
    assert sorted(one.invoice_id for one in door.published) == sorted(invoices)


async def test_an_intent_that_pays_nothing_cancels_nothing(door: Door) -> None:
    """There is no invoice to be told about."""
    lonely = door.stage.intent()
    door.stage.twin.progress(lonely, "canceled")

    taken = await door.receive(*door.hints("payment_intent.canceled"))

    assert (taken, await door.held()) == ([0], [])


@pytest.mark.parametrize("name", ["processing", "succeeded", "canceled", "of_the_future"])
async def test_an_event_about_an_intent_drops_what_is_cached(door: Door, name: str) -> None:
    """Whatever it says, and whether it becomes an entry or not: what Stripe has told of is not to
    be shown any older."""
    event = hint(type=f"payment_intent.{name}", payment_intent_id="pi_1", customer_id=ACME)

    taken = await door.receive(event)

    assert (taken, await door.held()) == ([0], [])
    assert door.dropped == [Touched(None, ACME, "pi_1")]


@pytest.mark.parametrize("name", ["created", "updated", "deleted"])
async def test_an_event_about_a_customer_drops_what_is_cached(door: Door, name: str) -> None:
    """It says nothing of a payment, so it becomes no entry."""
    taken = await door.receive(hint(type=f"customer.{name}", customer_id=ACME))

    assert (taken, await door.held()) == ([0], [])
    assert door.dropped == [Touched(None, ACME, None)]


async def test_an_event_about_an_intent_whose_drop_fails_comes_again(door: Door) -> None:
    """Acknowledged, it would never be dropped."""
    door.steps.broken = "drop"

    with pytest.raises(OSError, match="drop is down"):
        await door.receive(hint(type="payment_intent.processing", payment_intent_id="pi_1"))


async def test_a_payment_that_is_still_open_is_canceled_too(door: Door) -> None:
    """Stripe promises no order: the intent's event may come before the payment has moved."""
    intent_id, invoices = shared_intent(door.stage)

    taken = await door.receive(hint(type="payment_intent.canceled", payment_intent_id=intent_id))

    assert taken == [len(invoices)]


async def test_a_payment_that_was_still_open_is_not_canceled_again(door: Door) -> None:
    """A second event about the same turn, told once the payments have moved."""
    intent_id, invoices = shared_intent(door.stage)
    early = hint(type="payment_intent.canceled", payment_intent_id=intent_id)

    first = await door.receive(replace(early, created=door.stage.clock.now()))
    door.stage.twin.progress(intent_id, "canceled")
    again = await door.receive(*door.hints("payment_intent.canceled"))

    assert (first, again) == ([len(invoices)], [0])
