"""From a call of Stripe's SDK to the log: nothing lost, nothing doubled, whatever comes when."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from gateway.backends.stripe.registration import create_endpoint
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION
from gateway.events.hints import event_type
from gateway.events.webhook import FOLLOWED_EVENTS, PREVIEW_EVENTS
from gateway.sandbox.stripe_api import FaultKind
from tests.webhooks.rig import Rig, StoppableLog, rigged

SECRETS = ("whsec_0001", "whsec_0002")
"""The sandbox of a test counts its secrets; an attempt that it refuses has used one up."""


async def listening(rig: Rig, *events: str) -> None:
    """Register the gateway for these events, or for what `webhook create` asks for."""
    endpoint = await create_endpoint(
        rig.api,
        rig.url,
        events=events or FOLLOWED_EVENTS,
        preview_events=() if events else PREVIEW_EVENTS,
        idempotency_key="register",
    )
    assert endpoint.secret in SECRETS


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """Hears of everything, `invoice_payment.detached` included."""
    async with rigged(secrets=SECRETS) as running:
        await listening(running, "*")
        yield running


async def attach(rig: Rig, invoice_id: str, intent_id: str) -> None:
    await rig.sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent_id})


async def detach(rig: Rig, invoice_id: str, intent_id: str, key: str | None = None) -> None:
    """As a backend beside the gateway would: the SDK has no method for it yet."""
    path = f"/v1/invoices/{invoice_id}/detach_payment"
    more = {} if key is None else {"idempotency_key": key}
    await rig.sdk.raw_request_async(
        "post", path, payment_intent=intent_id, stripe_version=PREVIEW_VERSION, **more
    )


async def logged(rig: Rig) -> list[str | None]:
    """The events in the log, by their ids."""
    return [entry.source_event_id for entry in await rig.held()]


def followed(rig: Rig) -> list[str]:
    """The ids of all that has happened and is followed, sorted."""
    events = rig.sandbox.account.events
    return sorted(one.id for one in events if event_type(one.type) is not None)


async def in_order(rig: Rig) -> list[str]:
    return sorted(str(event_id) for event_id in await logged(rig))


async def test_a_payment_detached_elsewhere_is_told(rig: Rig) -> None:
    """By Stripe's SDK at the sandbox, signed, over HTTP, into the log: with all ids. The key
    was not one of ours, so it is nobody's."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    await rig.sandbox.webhooks.idle()

    await detach(rig, invoice_id, intent_id, key="theirs")
    await rig.sandbox.webhooks.idle()

    (entry,) = [one for one in await rig.held() if one.type == "DETACHED"]
    assert (entry.raw_type, entry.origin) == ("invoice_payment.detached", "WEBHOOK")
    assert (entry.invoice_id, entry.payment_intent_id) == (invoice_id, intent_id)
    assert entry.invoice_payment_id is not None
    assert (entry.customer_id, entry.idempotency_key) == ("cus_acme", None)
    assert await in_order(rig) == followed(rig)


async def test_what_cannot_be_asked_for_by_name_is_caught_up_with() -> None:
    """The registered endpoint brings the change of the invoice at once, and catch-up the rest."""
    async with rigged(secrets=SECRETS) as rig:
        await listening(rig)
        invoice_id, (intent_id,) = rig.stage.paid_by(1000)
        await detach(rig, invoice_id, intent_id)
        await rig.sandbox.webhooks.idle()
        before = await rig.types()

        first = await rig.catch_up.run(since=0)
        second = await rig.catch_up.run(since=0)

        assert "invoice_payment.detached" not in before
        assert before[-1] == "invoice.updated"
        assert [entry.raw_type for entry in rig.published[len(before) :]] == [
            "invoice_payment.detached"
        ]
        assert (first.taken, second.taken) == (1, 0)


MANNERS = [
    FaultKind.WEBHOOKS_DOUBLED,
    FaultKind.WEBHOOKS_SHUFFLED,
    FaultKind.WEBHOOKS_WITHHELD,
]


@pytest.mark.parametrize("manner", MANNERS)
async def test_whatever_the_manner_each_event_is_told_once(rig: Rig, manner: FaultKind) -> None:
    """At least once and in no order is what Stripe promises; what was withheld is caught up with,
    and when it comes after all it is known."""
    invoice_id, intent_id = rig.stage.open_invoice(1000), rig.stage.succeeded(1000)
    await rig.sandbox.webhooks.idle()
    before = len(await rig.held())
    rig.sandbox.faults.add(manner, method="POST", path="/v1/invoices/*", times=None)

    await attach(rig, invoice_id, intent_id)
    await detach(rig, invoice_id, intent_id)
    await rig.sandbox.webhooks.idle()
    came = len(await rig.held()) - before
    summary = await rig.catch_up.run(since=0)
    rig.sandbox.webhooks.release()
    await rig.sandbox.webhooks.idle()

    is_withheld = manner is FaultKind.WEBHOOKS_WITHHELD
    assert (came == 0, summary.taken > 0) == (is_withheld, is_withheld)
    assert await in_order(rig) == followed(rig)
    assert {one.status for one in rig.sandbox.webhooks.deliveries} == {200}


async def test_a_log_that_is_down_longer_than_stripe_repeats() -> None:
    """Every delivery is answered 503; when the log is back, catch-up completes it."""
    log = StoppableLog()
    async with rigged(log=log, secrets=SECRETS) as rig:
        await listening(rig, "*")
        log.is_down = True
        invoice_id, intent_id = rig.stage.open_invoice(1000), rig.stage.succeeded(1000)
        await attach(rig, invoice_id, intent_id)
        await rig.sandbox.webhooks.idle()
        during = {one.status for one in rig.sandbox.webhooks.deliveries if event_type(one.type)}

        log.is_down = False
        await rig.catch_up.run(since=0)

        assert during == {503}
        assert await in_order(rig) == followed(rig)
        assert len(rig.published) == len(followed(rig))


@pytest.mark.parametrize("seed", range(5))
async def test_a_bad_day_leaves_the_log_whole(seed: int) -> None:
    """Payments come and go, webhooks come as they like, the log is away now and then: after one
    catch-up every followed event is in the log exactly once. The seed repeats it."""
    chance, log = random.Random(seed), StoppableLog()
    async with rigged(log=log, secrets=SECRETS) as rig:
        await listening(rig, "*")
        pairs = [(rig.stage.open_invoice(500), rig.stage.succeeded(500)) for _ in range(3)]

        await bad_day(rig, log, chance, pairs)
        log.is_down = False
        rig.sandbox.faults.clear()
        await rig.catch_up.run(since=0)
        rig.sandbox.webhooks.release()
        await rig.sandbox.webhooks.idle()

        assert await in_order(rig) == followed(rig)
        assert [entry.position for entry in rig.published] == list(range(1, len(followed(rig)) + 1))


async def bad_day(
    rig: Rig, log: StoppableLog, chance: random.Random, pairs: Sequence[tuple[str, str]]
) -> None:
    """Forty writes at Stripe, each with its own trouble."""
    attached = set[tuple[str, str]]()
    for _ in range(40):
        pair = chance.choice(pairs)
        manner = chance.choice([None, *MANNERS])
        log.is_down = chance.random() < 0.3
        if manner is not None:
            rig.sandbox.faults.add(manner, method="POST", path="/v1/invoices/*")
        await (detach if pair in attached else attach)(rig, *pair)
        attached ^= {pair}
        if chance.random() < 0.3:
            await rig.sandbox.webhooks.idle()
        if chance.random() < 0.2:
            rig.sandbox.webhooks.release()
    await rig.sandbox.webhooks.idle()
