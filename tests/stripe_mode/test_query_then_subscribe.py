"""A page that is loaded and then listens on: nothing that happens in between is missed.

The whole gateway, with and without Stripe between. While a query runs, a payment is attached or
detached at one of the moments at which the query waits, and its events reach the intake there or
later; every moment is tried. Then either the answer shows the write, or the stream from the
answer's cursor tells of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.memory.twin import TwinEvent
from gateway.composition.gateway import Gateway, opened_gateway
from gateway.events.hints import event_type
from gateway.execution.operation import Answer, OperationRequest
from gateway.sandbox.stripe_api import running_sandbox
from gateway.sandbox.twin_events import hint_of
from gateway.settings import Settings
from schema.ports import EventOrigin, Viewer
from tests.storage.redis_server import RedisServer
from tests.support.running import as_sent
from tests.support.stage import Stage
from tests.support.stepped import Stepping
from tests.support.time_and_ids import CountingIds, ManualClock

QUERY = """query ($id: ID!) {
  invoice(id: $id) { eventCursor payments { nodes { id status paymentIntent { id } } } }
}"""
MUTATION = """mutation ($id: ID!, $intent: ID!, $key: String!) {
  detachPayment(input: {invoiceId: $id, paymentIntentId: $intent, idempotencyKey: $key}) {
    invoice { eventCursor payments { nodes { id status paymentIntent { id } } } }
  }
}"""
SUBSCRIPTION = """subscription ($id: ID!, $after: EventCursor) {
  invoicePaymentEvents(filter: {invoiceIds: [$id]}, after: $after) {
    __typename
    ... on StreamCheckpoint { live }
    ... on InvoicePaymentEvent {
      sourceEventId invoice { payments { nodes { id status paymentIntent { id } } } }
    }
  }
}"""
OPERATOR = Viewer("operator")
HANG_SECONDS_MAX = 20.0
"""A stream that owes an event and does not give it fails the test by this time."""
AFTERWARDS = 1_000_000
"""A moment that no query reaches."""
STRIPE: dict[str, Any] = {
    "backend": "stripe",
    "STRIPE_API_KEY": "sk_test_sandbox",
    "log": "memory",
    "stripe_calls_per_second": 1e6,
    "stripe_endpoint_calls_per_second": 1e6,
}

Payment = tuple[str, str, str]
"""Id, status, and the PaymentIntent that pays."""
Deliver = Callable[[list[TwinEvent]], Awaitable[None]]


@dataclass(slots=True)
class World:
    """A gateway, and an invoice whose payment comes or goes behind its back."""

    gateway: Gateway
    stage: Stage
    deliver: Deliver
    invoice_id: str = ""
    intent_id: str = ""
    own_id: str = ""
    is_attached: bool = False
    written: list[TwinEvent] = field(default_factory=list)
    """The followed events of the last write."""

    def renew(self, *, is_attached: bool) -> None:
        """Another invoice, with or without its payment."""
        self.is_attached = is_attached
        if is_attached:
            self.invoice_id, (self.intent_id,) = self.stage.paid_by(1000)
        else:
            self.invoice_id, self.intent_id = self.stage.open_invoice(), self.stage.succeeded()

    async def write(self) -> None:
        """Detach the payment, or attach it."""
        twin, before = self.stage.twin, len(self.stage.twin.events)
        (twin.detach if self.is_attached else twin.attach)(self.invoice_id, self.intent_id)
        happened = list(twin.events)[before:]
        self.written = [event for event in happened if event_type(event.type) is not None]

    async def tell(self) -> None:
        """Let in by the intake's door what was written."""
        await self.deliver(self.written)

    def payments(self) -> set[Payment]:
        """The invoice's payments as they truly are."""
        payments = self.stage.twin.book(self.invoice_id).payments
        return {(one.id, one.status.upper(), one.source_id) for one in payments}

    def renew_beside(self, *, is_attached: bool) -> None:
        """Another invoice with a payment more, for a mutation of ours to take off."""
        self.is_attached = is_attached
        self.invoice_id, (self.own_id, self.intent_id) = self.stage.paid_by(700, 300)
        if not is_attached:
            self.stage.twin.detach(self.invoice_id, self.intent_id)

    async def ask(self) -> dict[str, Any]:
        return (await self._data(QUERY, id=self.invoice_id))["invoice"]  # type: ignore[no-any-return]

    async def detach_own(self) -> dict[str, Any]:
        """Our mutation, and the invoice in its answer."""
        given = {"id": self.invoice_id, "intent": self.own_id, "key": self.own_id}
        return (await self._data(MUTATION, **given))["detachPayment"]["invoice"]  # type: ignore[no-any-return]

    async def _data(self, document: str, **variables: str) -> dict[str, Any]:
        request = OperationRequest(document, variables)
        prepared = await self.gateway.runner.prepare(request, OPERATOR)
        assert not isinstance(prepared, Answer), prepared.body
        answer = await self.gateway.runner.execute(prepared, request, OPERATOR, "req_1")
        assert "errors" not in answer.body, answer.body
        data: dict[str, Any] = as_sent(answer)["data"]
        return data

    async def heard_after(self, cursor: str, moment: str) -> list[dict[str, Any]]:
        """The events after a cursor, up to the last of the last write's, all of which must come."""
        request = OperationRequest(SUBSCRIPTION, {"id": self.invoice_id, "after": cursor})
        prepared = await self.gateway.runner.prepare(request, OPERATOR)
        assert not isinstance(prepared, Answer), prepared.body
        stream = self.gateway.runner.subscribe(prepared, request, OPERATOR, "req_2")
        owed, found = {one.id for one in self.written}, list[dict[str, Any]]()
        try:
            async with asyncio.timeout(HANG_SECONDS_MAX), aclosing(stream):  # type: ignore[type-var]
                while owed:
                    item = (await anext(stream)).body["data"]["invoicePaymentEvents"]
                    assert item["__typename"] != "StreamGap"
                    if item["__typename"] == "InvoicePaymentEvent":
                        found.append(item)
                        owed.discard(item["sourceEventId"])
        except TimeoutError:
            pytest.fail(f"neither shown nor told: {moment}")
        return found


@asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[World]:
    """The embedded twin, whose events come in by themselves."""
    clock, ids = ManualClock(), CountingIds()
    async with opened_gateway(Settings(), clock=clock, ids=ids, with_background=False) as gateway:
        assert gateway.twin is not None
        assert gateway.deliveries is not None
        idle = gateway.deliveries.idle

        async def deliver(events: list[TwinEvent]) -> None:
            await idle.wait()

        yield World(gateway, Stage(gateway.twin, clock, ids), deliver)


@asynccontextmanager
async def stripe(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """Stripe's backend against a sandbox, with its cache and log in this process."""
    stage = Stage.empty()
    async with running_sandbox(stage.twin) as sandbox:
        given = Settings(**STRIPE, stripe_api_base=sandbox.url, **settings)
        opened = opened_gateway(given, clock=stage.clock, ids=stage.ids, with_background=False)
        async with opened as gateway:

            async def deliver(events: list[TwinEvent]) -> None:
                for event in events:
                    hint = hint_of(event, gateway.reads.describe().account)
                    await gateway.intake.receive(hint, EventOrigin.WEBHOOK)

            yield World(gateway, stage, deliver)


@asynccontextmanager
async def stripe_with_redis(folder: Path) -> AsyncIterator[World]:
    """The same with log and cache in a Redis, where every look takes its time."""
    redis = RedisServer(folder)
    await asyncio.to_thread(redis.start)
    try:
        async with stripe(folder, redis_url=redis.url, cache_url=redis.url) as world:
            yield world
    finally:
        await asyncio.to_thread(redis.stop)


Open = Callable[[Path], AbstractAsyncContextManager[World]]
GATEWAYS: Mapping[str, tuple[Open, int, int]] = {
    "memory": (memory, 0, 1),
    "stripe": (stripe, 6, 1),
    "stripe and Redis": (stripe_with_redis, 20, 25),
}
"""First, how many moments there are at least in a query that asks upstream: a test that holds
nothing any more shall not pass. Then how far apart those are at which a write is told: a part of
the thousand pairs over the wire is enough. The twin makes nobody wait."""


@pytest.mark.parametrize("is_cached", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("is_attached", [False, True], ids=["attach", "detach"])
@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_write_during_a_query_is_shown_or_told(
    name: str, is_attached: bool, is_cached: bool, tmp_path: Path
) -> None:
    """Nothing falls between the answer and the stream, whenever it happens."""
    opened, moments_min, stride = GATEWAYS[name]
    async with opened(tmp_path) as world:

        async def settle() -> None:
            world.renew(is_attached=is_attached)
            if is_cached:
                await world.ask()

        await settle()
        moments = await undisturbed(world)
        for written_at in range(moments + 1):
            for told_at in (*range(written_at, moments + 1, stride), AFTERWARDS):
                await settle()
                await disturbed(world, written_at, told_at)

    assert is_cached or moments >= moments_min


@pytest.mark.parametrize("is_attached", [False, True], ids=["attach", "detach"])
async def test_a_write_during_a_mutation_is_shown_or_told(
    is_attached: bool, tmp_path: Path
) -> None:
    """What a mutation shows came with Stripe's answer to it, which knows nothing of later."""
    async with stripe(tmp_path) as world:
        world.renew_beside(is_attached=is_attached)
        moments = await undisturbed(world, World.detach_own)
        for written_at in range(moments + 1):
            for told_at in (*range(written_at, moments + 1, 5), AFTERWARDS):
                world.renew_beside(is_attached=is_attached)
                await disturbed(world, written_at, told_at, World.detach_own)

    assert moments >= 10


Ours = Callable[[World], Coroutine[Any, Any, dict[str, Any]]]


async def undisturbed(world: World, ours: Ours = World.ask) -> int:
    """How many moments our operation has."""
    stepping = Stepping()
    assert payments_in(await stepping.run(ours(world))) == world.payments()
    return stepping.passed


async def disturbed(world: World, written_at: int, told_at: int, ours: Ours = World.ask) -> None:
    """Our operation with a write at one of its moments, and the write's events at another."""
    stepping = Stepping([(written_at, world.write), (told_at, world.tell)])

    answer = await stepping.run(ours(world))
    await stepping.rest()

    moment = f"written at {written_at}, told at {told_at} of {stepping.passed}"
    if payments_in(answer) != world.payments():
        told = await world.heard_after(answer["eventCursor"], moment)
        shown = [payments_in(one["invoice"]) for one in told]
        assert shown == [world.payments()] * len(shown), moment


def payments_in(invoice: Mapping[str, Any]) -> set[Payment]:
    nodes = invoice["payments"]["nodes"]
    return {(one["id"], one["status"], one["paymentIntent"]["id"]) for one in nodes}
