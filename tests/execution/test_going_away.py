"""What ends early, and what does not, over the whole gateway against a sandbox that hangs.

A read ends with its client or its time, up to the call to Stripe. A write goes on to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from gateway.sandbox.stripe_api import FaultKind
from tests.stripe_mode.world import INTENT_STATUS, World, stripe_world

SECONDS_MAX = 10.0
"""No test waits so long unless it fails."""

ATTACH = """mutation ($invoice: ID!, $intent: ID!) {
  attachPayment(
    input: {invoiceId: $invoice, payment: {paymentIntentId: $intent}, idempotencyKey: "k"}
  ) { replayed }
}"""

READING = ("CachingReads.", "FetchPlan.", "StripeApi.")
WRITING = ("Operations.", "JournaledWrites.")


def at_work(*names: str) -> set[asyncio.Task[Any]]:
    """The tasks of the gateway that run what is so named."""
    return {task for task in asyncio.all_tasks() if _name(task).startswith(names)}


async def ended(tasks: set[asyncio.Task[Any]]) -> None:
    """All of them are over."""
    done, _ = await asyncio.wait(tasks, timeout=SECONDS_MAX)
    assert done == tasks


def _name(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


async def asked(world: World) -> None:
    """A call hangs at Stripe."""
    async with asyncio.timeout(SECONDS_MAX):
        # The sandbox notes its calls and tells nobody.
        while not any(one.fault for one in world.sandbox.requests):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def over_http(world: World, intent_id: str) -> None:
    await world.served.data(INTENT_STATUS, id=intent_id)


async def over_sse(world: World, intent_id: str) -> None:
    body = {"query": INTENT_STATUS, "variables": {"id": intent_id}}
    headers = {"Accept": "text/event-stream"}
    url = world.served.url / "graphql"
    async with world.served.session.post(url, json=body, headers=headers) as response:
        await response.read()


async def over_websocket(world: World, intent_id: str) -> None:
    url, protocols = world.served.url / "graphql", ("graphql-transport-ws",)
    payload = {"query": INTENT_STATUS, "variables": {"id": intent_id}}
    async with world.served.session.ws_connect(url, protocols=protocols) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.receive_json()
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        await socket.receive_json()


Ask = Callable[[World, str], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("ask", [over_http, over_sse, over_websocket])
async def test_a_client_that_goes_away_ends_its_reads_at_stripe(ask: Ask) -> None:
    """Nobody reads the answer, so the call is dropped, and no task of it remains."""
    async with stripe_world() as world:
        intent_id = world.stage.intent(1000)
        await world.intent_status(intent_id)  # Until here no call hangs, not even of an event.
        intent_id = world.stage.intent(2000)
        world.sandbox.faults.add(
            FaultKind.HANG, method="GET", path="/v1/payment_intents/*", times=None
        )
        client = asyncio.create_task(ask(world, intent_id))
        await asked(world)
        upstream = at_work(*READING)
        assert upstream

        client.cancel()
        with suppress(asyncio.CancelledError):
            await client
        await ended(upstream)

        assert at_work(*READING) == set()
        assert sum(one.fault is not None for one in world.sandbox.requests) == 1


async def test_a_mutation_outlives_its_client() -> None:
    """The payment is on its way: it is made, recorded and announced, though nobody hears of it."""
    async with stripe_world() as world:
        invoice_id, intent_id = world.stage.open_invoice(1000), world.stage.succeeded(1000)
        world.sandbox.faults.add(FaultKind.HANG, method="POST", path="*/attach_payment")
        client = asyncio.create_task(
            world.served.data(ATTACH, invoice=invoice_id, intent=intent_id)
        )
        await asked(world)
        writing = at_work(*WRITING)
        assert writing

        client.cancel()
        with suppress(asyncio.CancelledError):
            await client
        world.sandbox.closing.set()
        await ended(writing)
        again = await world.served.data(ATTACH, invoice=invoice_id, intent=intent_id)

        assert world.sandbox.twin.invoice(invoice_id).amount_paid == 1000
        assert again == {"attachPayment": {"replayed": True}}
        log = "{ invoicePaymentEvents { nodes { type origin } } }"
        events = (await world.served.data(log))["invoicePaymentEvents"]["nodes"]
        assert {"type": "ATTACHED", "origin": "MUTATION"} in events


async def test_what_takes_too_long_is_given_up() -> None:
    """It had begun to run, so the answer has data, which is null, and one error that says why."""
    async with stripe_world(operation_timeout_seconds=0.1) as world:
        intent_id = world.stage.intent(1000)
        world.sandbox.faults.add(
            FaultKind.HANG, method="GET", path="/v1/payment_intents/*", times=None
        )
        body = {"query": INTENT_STATUS, "variables": {"id": intent_id}}
        headers = {"Accept": "application/graphql-response+json"}
        url = world.served.url / "graphql"

        async with world.served.session.post(url, json=body, headers=headers) as response:
            answer = await response.json()

        assert response.status == 200
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"
        assert error["message"] == "the operation took too long and was given up"
        assert answer["extensions"]["upstream"]["calls"] == 1
        if upstream := at_work(*READING):
            await ended(upstream)
