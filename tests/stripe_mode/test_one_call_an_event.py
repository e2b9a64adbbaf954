"""A webhook is one call to Stripe at most, and telling it to any number of subscribers is none.

The whole gateway over a sandbox, which counts. Subscribers of several tenants, one of them
restricted to its customer, ask for what is usual: the invoice with its payments and their intents,
the payment, its intent. Webhooks are Stripe's own bodies, signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from gateway.composition.gateway import Gateway, opened_gateway
from gateway.events.hints import Hint, event_type
from gateway.execution.operation import Answer, OperationRequest
from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox, running_sandbox
from gateway.sandbox.stripe_api.account import StoredEvent
from gateway.settings import Settings
from schema.ports import CreditNoteDraft, EventOrigin, Failed, Viewer
from tests.events.channel import turn
from tests.support.stage import ACME, Stage
from tests.webhooks.signing import SECRET, signed

HANG_SECONDS_MAX = 20.0
OBJECTS = """
  type rawType sourceEventId
  invoice {
    status customer { name } amountPaidOutOfBand { minorUnits }
    payments%s { nodes { id status paymentIntent { id status } } }
  }
  invoicePayment { status paymentIntent { status } }
  paymentIntent { status }
"""
OF_INVOICE = """
  type sourceEventId
  invoice { status customer { name } amountPaidOutOfBand { minorUnits }
    payments%s { nodes { id status } } }
  invoicePayment { status }
"""
SUBSCRIPTION = (
    "subscription { invoicePaymentEvents { __typename ... on InvoicePaymentEvent {%s} } }"
)
SUBSCRIBERS = (
    (Viewer("operator"), ""),
    (Viewer("desk"), ""),
    (Viewer("desk"), "(first: 2)"),
    (Viewer("partner", customers=frozenset({ACME})), "(status: [OPEN, PAID])"),
)
"""Who listens, and which of the invoice's payments they ask for."""


@dataclass(slots=True)
class World:
    """A gateway, the account behind it, and streams that are open."""

    gateway: Gateway
    sandbox: Sandbox
    stage: Stage
    streams: list[Any] = field(default_factory=list)

    def told(self, since: int) -> list[StoredEvent]:
        """What Stripe has to tell since so many events, as far as it is followed, oldest first."""
        happened = list(self.sandbox.account.events)[since:]
        return [one for one in happened if event_type(one.type) is not None]

    def of_invoices(self) -> list[StoredEvent]:
        """What it has to tell of invoices and their payments: of intents it is another read."""
        return [one for one in self.told(0) if one.type.startswith("invoice")]

    def hint(self, event: StoredEvent) -> Hint:
        """What the route makes of the webhook."""
        assert self.gateway.webhooks is not None
        signature = signed(event.body, self.stage.clock.now())
        read = self.gateway.webhooks.hint_from(event.body, signature)
        assert isinstance(read, Hint)
        return read

    async def webhook(self, event: StoredEvent) -> int:
        return await self.gateway.intake.receive(self.hint(event), EventOrigin.WEBHOOK)

    async def webhooks(self, events: list[StoredEvent]) -> list[int]:
        """All at once."""
        return await asyncio.gather(*(self.webhook(one) for one in events))

    def calls(self) -> int:
        """Calls to Stripe since this was asked the last time."""
        count = len(self.sandbox.requests)
        self.sandbox.requests.clear()
        return count

    async def is_asked(self) -> None:
        """Stripe has got a call since the last were counted."""
        async with asyncio.timeout(HANG_SECONDS_MAX):
            while not self.sandbox.requests:
                await turn()

    async def items(self) -> list[dict[str, Any]]:
        """The next event of each stream; whatever Stripe was asked for, nothing failed."""
        return await asyncio.gather(*(next_event(one) for one in self.streams))


async def next_event(stream: Any) -> dict[str, Any]:
    async with asyncio.timeout(HANG_SECONDS_MAX):
        while True:
            body = (await anext(stream)).body
            assert "errors" not in body, body
            item: dict[str, Any] = body["data"]["invoicePaymentEvents"]
            if item["__typename"] == "InvoicePaymentEvent":
                return item


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[World]:
    stage = Stage.empty()
    async with running_sandbox(stage.twin) as sandbox:
        given = Settings(
            backend="stripe",
            STRIPE_API_KEY="sk_test_sandbox",
            stripe_webhook_secrets=SECRET,
            stripe_api_base=sandbox.url,
            log="memory",
            **{"stripe_calls_per_second": 1e6, "stripe_endpoint_calls_per_second": 1e6, **settings},
        )
        async with opened_gateway(
            given, clock=stage.clock, ids=stage.ids, with_background=False
        ) as gateway:
            yield World(gateway, sandbox, stage)


@asynccontextmanager
async def listening(world: World, objects: str) -> AsyncIterator[World]:
    """The same with its subscribers, who have had their first checkpoint."""
    async with AsyncExitStack() as stack:
        for viewer, page in SUBSCRIBERS:
            request = OperationRequest(SUBSCRIPTION % (objects % page))
            prepared = await world.gateway.runner.prepare(request, viewer)
            assert not isinstance(prepared, Answer), prepared.body
            stream: Any = world.gateway.runner.subscribe(prepared, request, viewer, "req_1")
            world.streams.append(await stack.enter_async_context(aclosing(stream)))
            await anext(stream)
        yield world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as one, listening(one, OBJECTS):
        yield one


Act = Generator[None, None, None]
"""What happens at Stripe; at each pause all that it has to tell is delivered."""


def paid(stage: Stage) -> Act:
    stage.paid_by(700, 300)
    yield


def detached(stage: Stage) -> Act:
    invoice_id, (intent_id, _) = stage.paid_by(700, 300)
    yield
    stage.twin.detach(invoice_id, intent_id)
    yield


def overpaid(stage: Stage) -> Act:
    intent_id, other_id = stage.intent(500), stage.succeeded(500)
    invoice_id = stage.open_invoice(500)
    stage.twin.attach(invoice_id, intent_id)
    stage.twin.attach(invoice_id, other_id)
    stage.twin.progress(intent_id, "succeeded")
    yield


def credited(stage: Stage) -> Act:
    invoice_id = stage.open_invoice(1000)
    note = stage.twin.credit(CreditNoteDraft(invoice_id, 400))
    yield
    stage.twin.void_credit_note(note.id)
    yield


def canceled(stage: Stage) -> Act:
    intent_id = stage.intent(1000)
    stage.twin.attach(stage.open_invoice(1000), intent_id)
    yield
    stage.twin.progress(intent_id, "canceled")
    yield


def drafted(stage: Stage) -> Act:
    invoice_id = stage.draft(1000)
    yield
    stage.twin.finalize(invoice_id, number="N-1")
    yield


def given_up(stage: Stage) -> Act:
    stage.twin.void(stage.open_invoice())
    stage.twin.mark_uncollectible(stage.open_invoice())
    yield


ACTS: dict[str, tuple[Callable[[Stage], Act], set[str]]] = {
    "paid": (paid, {"PAID", "INVOICE_CHANGED"}),
    "detached": (detached, {"DETACHED", "PAID"}),
    "overpaid": (overpaid, {"OVERPAID", "PAID"}),
    "credited": (credited, {"INVOICE_CHANGED"}),
    "canceled": (canceled, {"CANCELED"}),
    "drafted": (drafted, {"INVOICE_CHANGED"}),
    "given up": (given_up, {"INVOICE_CHANGED"}),
}


@pytest.mark.parametrize("name", ACTS)
async def test_a_webhook_is_one_call_and_telling_it_is_none(name: str) -> None:
    """Each event by itself, told to everybody before the next one comes. No read leads from an
    invoice to an intent that has left it, nor from an intent to those of its invoice's others:
    they are not asked for here."""
    act, types = ACTS[name]
    shown, seen, told = OF_INVOICE if name in ("canceled", "detached") else OBJECTS, set(), 0
    async with opened() as world, listening(world, shown):
        for _ in act(world.stage):
            for event in world.told(told):
                entries = await world.webhook(event)
                of_webhook = world.calls()
                items = [item for _ in range(entries) for item in await world.items()]

                assert of_webhook <= 1, event.type
                asked = [(one.path, one.params) for one in world.sandbox.requests]
                assert not asked, event.type
                assert {one["sourceEventId"] for one in items} <= {event.id}
                seen |= {one["type"] for one in items}
            told = len(world.sandbox.account.events)
    assert types <= seen


async def test_what_is_told_is_what_is(world: World) -> None:
    """What the event's read has brought is shown as an ordinary read would show it."""
    invoice_id, _ = world.stage.paid_by(700, 300)
    (paid, _) = [one for one in world.told(0) if one.type == "invoice_payment.paid"]

    await world.webhook(paid)
    (item, *_) = await world.items()

    invoice = item["invoice"]
    book = world.stage.twin.book(invoice_id)
    shown = {(one["id"], one["status"]) for one in invoice["payments"]["nodes"]}
    assert shown == {(one.id, one.status.upper()) for one in book.payments}
    assert (invoice["status"], invoice["customer"]) == ("PAID", {"name": ACME})
    assert invoice["amountPaidOutOfBand"] == {"minorUnits": 0}
    assert item["invoicePayment"] == {"status": "PAID", "paymentIntent": {"status": "SUCCEEDED"}}
    assert item["paymentIntent"] == {"status": "SUCCEEDED"}


async def test_a_burst_about_one_invoice_is_one_read(world: World) -> None:
    """Stripe tells one payment by several events at once: one read, an entry for each, in order."""
    world.stage.paid_by(700, 300)
    events = world.of_invoices()

    taken = await world.webhooks(events)
    of_webhooks = world.calls()
    told = [(await world.items())[0]["sourceEventId"] for _ in events]

    assert len(events) > 5
    assert taken == [1] * len(events)
    assert told == [one.id for one in events]
    assert (of_webhooks, world.calls()) == (1, 0)


async def test_an_event_that_comes_during_a_read_gets_a_newer_one(world: World) -> None:
    """The read may have been answered before what the event tells of had happened."""
    invoice_id, (intent_id, _) = world.stage.paid_by(700, 300)
    paid = next(one for one in world.told(0) if one.type == "invoice_payment.paid")
    before = len(world.sandbox.account.events)
    world.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.2), path="/v1/invoices/*")
    first = asyncio.create_task(world.webhook(paid))
    await world.is_asked()

    world.stage.twin.detach(invoice_id, intent_id)
    (event,) = [one for one in world.told(before) if one.type == "invoice_payment.detached"]
    second = asyncio.create_task(world.webhook(event))

    assert [await first, await second] == [1, 1]
    assert world.calls() == 2
    newest = (await world.items(), await world.items())[1]
    assert [one["invoice"]["status"] for one in newest] == ["OPEN"] * len(SUBSCRIBERS)


async def test_who_misses_what_is_being_read_waits_for_it(world: World) -> None:
    """A subscriber who is still being told of one event when the next about the same invoice comes:
    what was kept for it is dropped, and it does not ask once more."""
    world.stage.paid_by(700, 300)
    first, *_, last = [one for one in world.told(0) if one.type.startswith("invoice.")]
    await world.webhook(first)
    world.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.2), path="/v1/invoices/*")
    world.calls()
    under_way = asyncio.create_task(world.webhook(last))
    await world.is_asked()

    told = [await world.items(), await world.items()]

    await under_way
    assert world.calls() == 1
    assert {one["sourceEventId"] for one in told[0]} == {first.id}


async def test_a_read_that_fails_refuses_its_own_events_and_no_others(world: World) -> None:
    """They come again; those about another invoice are taken in."""
    world.stage.paid_by(500)
    failing = world.of_invoices()
    world.stage.paid_by(300)
    others = world.of_invoices()[len(failing) :]
    invoice_id = world.hint(failing[0]).invoice_id
    fault = Fault(FaultKind.ANSWER, status=400, body={"error": {"type": "invalid_request_error"}})
    world.sandbox.faults.add(fault, path=f"/v1/invoices/{invoice_id}", times=None)

    outcomes = await asyncio.gather(
        *(world.webhook(one) for one in failing + others), return_exceptions=True
    )
    world.sandbox.faults.clear()
    again = await world.webhooks(failing)

    assert all(isinstance(one, Failed) for one in outcomes[: len(failing)])
    assert outcomes[len(failing) :] == [1] * len(others)
    assert again == [1] * len(failing)


async def test_who_brought_an_event_may_go_away_without_the_others(world: World) -> None:
    """The read goes on for all that share it, and the event of who went is taken in as well."""
    world.stage.paid_by(500)
    events = world.of_invoices()
    tasks = [asyncio.create_task(world.webhook(one)) for one in events]
    await asyncio.sleep(0)
    tasks[0].cancel()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [1] * (len(events) - 1)
    told = [(await world.items())[0]["sourceEventId"] for _ in events]
    assert told == [one.id for one in events]


async def test_nobody_listening_is_no_call_for_a_known_invoice() -> None:
    """The account's limit is also that of whatever else calls Stripe."""
    async with opened() as world:
        invoice_id = world.stage.open_invoice()
        first = world.of_invoices()
        await world.webhook(first[-1])
        world.calls()
        world.stage.twin.void(invoice_id)

        taken = [await world.webhook(one) for one in world.of_invoices()[len(first) :]]

        assert set(taken) == {1}
        assert world.calls() == 0
