"""A fact that Stripe tells by a snapshot event and a thin one is one call to Stripe and one item of
each stream, whichever comes first, and what a dashboard does is told as if it were ours.

The whole gateway over a sandbox, with subscribers of several tenants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.events.hints import THIN_PREFIX, event_type
from gateway.ledger.facts import NO_THIN
from gateway.sandbox.stripe_api.account import StoredEvent
from schema.ports import CreditNoteDraft
from tests.sandbox.driving import sdk_of
from tests.stripe_mode.test_one_call_an_event import OF_INVOICE, World, listening, opened
from tests.support.stage import Stage


def attached(stage: Stage) -> None:
    stage.twin.attach(stage.open_invoice(500), stage.intent(500))


def paid(stage: Stage) -> None:
    stage.paid_by(700, 300)


def credited(stage: Stage) -> None:
    stage.twin.credit(CreditNoteDraft(stage.open_invoice(1000), 400))


def voided(stage: Stage) -> None:
    stage.twin.void(stage.open_invoice())


ACTS = [attached, paid, credited, voided]


def facts(world: World) -> list[list[StoredEvent]]:
    """What has happened and is followed, each with the events that tell of it, oldest first."""
    account, found = world.sandbox.account, dict[str, list[StoredEvent]]()
    for event in account.events:
        if event_type(event.type) is not None and event.type != "payment_intent.canceled":
            found[event.id] = [event]
    for thin in account.thin_events:
        fact = thin.id.replace("evt_test_", "evt_")
        if fact in found:
            found[fact].append(thin)
        elif event_type(thin.type) is not None and not thin.type.endswith("intent.canceled"):
            found[fact] = [thin]
    return [found[one] for one in sorted(found)]


@pytest.mark.parametrize("thin_first", [True, False], ids=["thin first", "snapshot first"])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_a_fact_is_one_call_and_one_item(
    act: Callable[[Stage], None], thin_first: bool
) -> None:
    """Told to everybody, who ask for the invoice and its payments, before the next one comes."""
    async with opened() as world, listening(world, OF_INVOICE):
        act(world.stage)
        for events in facts(world):
            world.calls()
            first, *others = events[::-1] if thin_first else events
            assert await world.webhook(first) == 1, first.type
            items = await world.items()
            calls = world.calls()
            repeats = [await world.webhook(one) for one in (*others, first)]

            assert {one["sourceEventId"] for one in items} == {first.id}
            assert calls <= 1, first.type
            assert (sum(repeats), world.calls()) == (0, 0), first.type


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_all_events_at_once_are_told_once_each(act: Callable[[Stage], None]) -> None:
    """However many of them come at the same time; no more calls than there are facts."""
    async with opened() as world, listening(world, OF_INVOICE):
        act(world.stage)
        told = facts(world)
        world.calls()

        taken = await world.webhooks([event for events in told for event in events[::-1]])
        calls = world.calls()

        assert sum(taken) == len(told)
        assert calls <= len(told)


async def test_an_attach_by_stripes_sdk_is_shown_with_its_payment() -> None:
    """Who watches the invoice sees it as an attach of ours, but for the key."""
    async with opened() as world, listening(world, OF_INVOICE), sdk_of(world.sandbox) as sdk:
        invoice_id, intent_id = world.stage.open_invoice(500), world.stage.intent(500)
        await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent_id})
        opened_last = [
            one for one in world.sandbox.account.thin_events if one.type.endswith("payment.open")
        ][-1]

        assert await world.webhook(opened_last) == 1
        items = await world.items()

        assert {one["type"] for one in items} == {"ATTACHED"}
        assert {one["invoicePayment"]["status"] for one in items} == {"OPEN"}
        shown: list[Any] = [one["invoice"]["payments"]["nodes"] for one in items]
        assert all(len(nodes) >= 1 for nodes in shown)


async def test_the_sandbox_has_a_thin_event_for_each_that_is_followed() -> None:
    """So that the tests above mean something: but for those that Stripe has none for."""
    async with opened() as world:
        for act in ACTS:
            act(world.stage)

        thin = {one.type for one in world.sandbox.account.thin_events}
        followed = {one.type for one in world.told(0)} - NO_THIN
        assert {THIN_PREFIX + one for one in followed} <= thin
