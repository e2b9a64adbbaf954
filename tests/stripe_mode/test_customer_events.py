"""Events about a customer: they make no entry of the log, and still nothing old is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.sandbox.driving import sdk_of
from tests.stripe_mode.world import HANG_SECONDS_MAX, World, stripe_world
from tests.support.stage import ACME

NAME = """query ($id: ID!, $invoice: ID!) {
  customer(id: $id) { name }
  invoice(id: $invoice) { customer { name } }
}"""

Bring = Callable[[World, str], Awaitable[object]]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """A gateway that has caught up: its own first run would bring the events as well."""
    async with stripe_world() as opened:
        assert opened.served.gateway.catch_up is not None
        await opened.served.gateway.catch_up.run()
        yield opened


async def by_webhook(world: World, type: str) -> None:
    assert await world.webhook(world.bodies(type)[-1]) == 200


async def by_catch_up(world: World, type: str) -> None:
    assert world.served.gateway.catch_up is not None
    await world.served.gateway.catch_up.run(since=0)


BRINGERS = pytest.mark.parametrize("bring", [by_webhook, by_catch_up])


@BRINGERS
async def test_a_customer_is_never_older_than_an_event_about_it(world: World, bring: Bring) -> None:
    """A new name at Stripe is shown at once, and not after the minute that it is cached for."""
    invoice_id = world.stage.open_invoice(1000)
    before = await cached_names(world, invoice_id)

    async with sdk_of(world.sandbox) as sdk:
        await sdk.v1.customers.update_async(ACME, {"name": "Acme of tomorrow"})
    still = await names(world, invoice_id)
    await bring(world, "customer.updated")
    after = await names(world, invoice_id)

    assert before == still != after
    assert after == ["Acme of tomorrow"] * 2


@BRINGERS
async def test_a_deleted_customer_is_gone_with_its_event(world: World, bring: Bring) -> None:
    """And one that was looked for too early is there with the event of its making."""
    async with sdk_of(world.sandbox) as sdk:
        customer = await sdk.v1.customers.create_async({"name": "Brief"})
        await bring(world, "customer.created")
        before = await name(world, customer.id)
        await sdk.v1.customers.delete_async(customer.id)
    await bring(world, "customer.deleted")

    assert before == {"name": "Brief"}
    assert await name(world, customer.id) is None


async def cached_names(world: World, invoice_id: str) -> list[str]:
    """Asked until Stripe is asked no more: then they came from the cache."""
    async with asyncio.timeout(HANG_SECONDS_MAX):
        while True:
            asked_before = len(world.sandbox.requests)
            found = await names(world, invoice_id)
            if len(world.sandbox.requests) == asked_before:
                return found


async def names(world: World, invoice_id: str) -> list[str]:
    answer = await world.served.data(NAME, id=ACME, invoice=invoice_id)
    return [answer["customer"]["name"], answer["invoice"]["customer"]["name"]]


async def name(world: World, customer_id: str) -> Any:
    answer = await world.served.post(
        "query ($id: ID!) { customer(id: $id) { name } }", id=customer_id
    )
    return answer["data"]["customer"]
