"""Events about a PaymentIntent: most make no entry of the log, and still nothing old is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.stripe_mode.world import World, stripe_world
from tests.support.stage import ACME

LIST = """query ($customer: ID!) {
  customer(id: $customer) { paymentIntents { nodes { id status } } }
}"""


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with stripe_world() as opened:
        yield opened


async def test_an_intent_is_never_older_than_a_webhook_about_it(world: World) -> None:
    """It is cached for seconds; an event that is acknowledged ends that, by itself and in lists."""
    intent_id = world.stage.intent()
    before = [await world.intent_status(intent_id), await statuses(world)]

    world.stage.twin.progress(intent_id, "processing")
    still = [await world.intent_status(intent_id), await statuses(world)]
    answer = await world.webhook(world.bodies("payment_intent.processing")[0])
    after = [await world.intent_status(intent_id), await statuses(world)]

    waiting, processing = "REQUIRES_PAYMENT_METHOD", "PROCESSING"
    assert before == still == [waiting, [waiting]]
    assert (answer, after) == (200, [processing, [processing]])
    assert (await world.served.gateway.stores.log.bounds()).last == 0


async def test_what_no_webhook_brought_is_dropped_by_catch_up(world: World) -> None:
    """The same door, some minutes later."""
    intent_id = world.stage.intent()
    before = await world.intent_status(intent_id)
    world.stage.twin.progress(intent_id, "processing")

    assert world.served.gateway.catch_up is not None
    await world.served.gateway.catch_up.run(since=0)

    assert before == "REQUIRES_PAYMENT_METHOD"
    assert await world.intent_status(intent_id) == "PROCESSING"


async def statuses(world: World) -> list[str]:
    answer = await world.served.data(LIST, customer=ACME)
    return [one["status"] for one in answer["customer"]["paymentIntents"]["nodes"]]
