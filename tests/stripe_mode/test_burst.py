"""A burst of webhooks at a Stripe that keeps to the limit of its test mode, in virtual time.

The whole gateway with its own limits for a test key; Stripe is the sandbox's service without a
wire, 50 milliseconds away. `python -m tests.bench.burst` is the same over sockets.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import stripe

from gateway.backends.memory.tables import Query
from gateway.backends.stripe.rate_limit import ACCOUNT_PER_SECOND_TEST, LocalTokens
from gateway.composition.gateway import Gateway, opened_gateway
from gateway.composition.upstream import Outside
from gateway.events.hints import Hint
from gateway.execution.operation import Answer, OperationRequest
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.stripe_api.service import Incoming, Service
from gateway.settings import Settings
from schema.ports import EventOrigin, Failed, Viewer
from tests.simulation.virtual_time import VirtualLoop, run
from tests.support.stage import Stage
from tests.webhooks.signing import SECRET, body_of, event, signed

INVOICES = 200
TYPES = ("invoice_payment.paid", "invoice.updated", "invoice.paid", "invoice.sent", "invoice.fine")
SECONDS = 10.0
STRIPE_IS_AWAY_SECONDS = 0.05
ROUTE_SECONDS_MAX = 20.0
LIMITED_MAX = 3
"""The gateway's allowance and Stripe's are filled at the same rate, and may differ by a call."""
OBJECTS = """sourceEventId invoice { status payments { nodes { id paymentIntent { status } } } }
  invoicePayment { status } paymentIntent { status }"""
SUBSCRIPTION = f"""subscription ($ids: [ID!]) {{
  invoicePaymentEvents(filter: {{invoiceIds: $ids}}) {{
    __typename ... on InvoicePaymentEvent {{ {OBJECTS} }} }} }}"""


class _NoSender:
    @contextmanager
    def batch(self, manner: object) -> Iterator[None]:
        yield


class LimitedStripe(stripe.HTTPClient):
    """The SDK's transport into an account that answers so many calls a second, and 429 beyond."""

    name = "limited"

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.served: Counter[str] = Counter()
        self.limited = 0
        self._service = Service(account, _NoSender())  # type: ignore[arg-type]
        self._tokens = LocalTokens(
            account_per_second=ACCOUNT_PER_SECOND_TEST,
            monotonic=asyncio.get_running_loop().time,
        )

    async def close_async(self) -> None:
        """There is nothing to close."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        at = urlsplit(url)
        given = {name.lower(): value for name, value in headers.items()}
        incoming = Incoming(method.upper(), at.path, at.query, post_data or "", given)
        await asyncio.sleep(STRIPE_IS_AWAY_SECONDS / 2)
        is_free = await self._tokens.take("all") <= 0
        self.limited += not is_free
        self.served[at.path.split("/")[2]] += 1
        fault = None if is_free else Fault(FaultKind.RATE_LIMITED)
        answer, _ = await self._service.respond(incoming, "req_1", fault)
        await asyncio.sleep(STRIPE_IS_AWAY_SECONDS / 2)
        return orjson.dumps(answer.body), answer.status, {"Request-Id": "req_1"}


class LoopClock:
    """The loop's seconds, as everybody's clock."""

    def __init__(self, begins: int) -> None:
        self._begins = begins

    def now(self) -> int:
        return self._begins + int(asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Outcome:
    """What a burst came to; `seconds` until the last subscriber had its last event."""

    refused: int = 0
    calls: int = 0
    limited: int = 0
    seconds: float = 0.0
    log: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    """What each stream was told, by the invoice that it follows; "" follows all."""


def bodies(stage: Stage, *, shuffled: bool) -> list[bytes]:
    """What Stripe tells of two hundred invoices that were paid."""
    told: list[dict[str, Any]] = []
    for _ in range(INVOICES):
        invoice_id, (intent_id,) = stage.paid_by(1000)
        (payment,) = stage.twin.invoice_payments.matching("source_id", intent_id)
        of_payment = {
            "object": "invoice_payment",
            "id": payment.id,
            "invoice": invoice_id,
            "payment": {"type": "payment_intent", "payment_intent": intent_id},
        }
        for type in TYPES:
            subject = {"object": "invoice", "id": invoice_id, "customer": "cus_acme"}
            is_payment = type.startswith("invoice_payment")
            event_id = f"evt_{len(told):04}"
            told.append(event(of_payment if is_payment else subject, type=type, id=event_id))
    if shuffled:
        random.Random(7).shuffle(told)
    return [body_of(one) for one in told]


async def burst(*, shuffled: bool) -> Outcome:
    stage, outcome = Stage.empty(), Outcome()
    webhooks = bodies(stage, shuffled=shuffled)
    client, clock = LimitedStripe(Account(stage.twin)), LoopClock(stage.clock.now())
    settings = Settings(
        backend="stripe",
        STRIPE_API_KEY="sk_test_burst",  # type: ignore[arg-type]
        stripe_webhook_secrets=SECRET,  # type: ignore[arg-type]
        log="memory",
    )
    outside = Outside(http_client=client, random=lambda: 0.5)
    invoice_ids = sorted(one.id for one in stage.twin.invoices.newest_first(Query()))
    async with (
        opened_gateway(
            settings, clock=clock, ids=stage.ids, with_background=False, outside=outside
        ) as gateway,
        AsyncExitStack() as stack,
    ):
        readers = [
            await reader(gateway, stack, outcome, invoice_id, len(TYPES))
            for invoice_id in invoice_ids[::2]
        ]
        readers.append(await reader(gateway, stack, outcome, "", len(webhooks)))
        client.served.clear()
        await asyncio.gather(*(sent(gateway, clock, *one, outcome) for one in enumerate(webhooks)))
        await asyncio.gather(*readers)
        outcome.seconds = asyncio.get_running_loop().time()
        outcome.calls, outcome.limited = client.served.total(), client.limited
        entries = await gateway.stores.log.read(0, 10_000)
        outcome.log = [(one.source_event_id or "", one.invoice_id) for one in entries]  # type: ignore[union-attr]
    return outcome


async def sent(
    gateway: Gateway, clock: LoopClock, number: int, body: bytes, outcome: Outcome
) -> None:
    """One webhook at its time, as the route takes it."""
    await asyncio.sleep(number * SECONDS / (INVOICES * len(TYPES)))
    assert gateway.webhooks is not None
    read = gateway.webhooks.hint_from(body, signed(body, clock.now()))
    assert isinstance(read, Hint)
    try:
        async with asyncio.timeout(ROUTE_SECONDS_MAX):
            await gateway.intake.receive(read, EventOrigin.WEBHOOK)
    except (Failed, OSError):
        outcome.refused += 1


async def reader(
    gateway: Gateway, stack: AsyncExitStack, outcome: Outcome, invoice_id: str, owed: int
) -> asyncio.Task[None]:
    """A subscriber of its own, to one invoice or to all, who is done when it has all it is owed."""
    viewer = Viewer(f"tenant-{invoice_id}")
    request = OperationRequest(SUBSCRIPTION, {"ids": [invoice_id] if invoice_id else None})
    prepared = await gateway.runner.prepare(request, viewer)
    assert not isinstance(prepared, Answer), prepared.body
    stream: Any = gateway.runner.subscribe(prepared, request, viewer, "req_1")
    await stack.enter_async_context(aclosing(stream))
    await anext(stream)
    told = outcome.told[invoice_id] = []

    async def listen() -> None:
        while len(told) < owed:
            body = (await anext(stream)).body
            body = json.loads(orjson.dumps(body))
            assert "errors" not in body, body
            item = body["data"]["invoicePaymentEvents"]
            if item["__typename"] == "InvoicePaymentEvent":
                assert item["invoice"]["status"] == "PAID"
                told.append(item["sourceEventId"])

    return asyncio.create_task(listen())


SHAPES = [
    pytest.param(False, 300, 11.0, id="the events of an invoice one after the other"),
    pytest.param(True, 450, 17.0, id="shuffled"),
]


@pytest.mark.parametrize(("shuffled", "calls_max", "seconds_max"), SHAPES)
def test_a_burst_is_taken_in_told_to_all_and_fits_into_stripes_limit(
    shuffled: bool, calls_max: int, seconds_max: float
) -> None:
    """A thousand webhooks about two hundred invoices within ten seconds, at 25 calls a second. What
    waits for its turn shares the read; shuffled there is more to read than fits into the ten."""
    outcome = run(burst(shuffled=shuffled), VirtualLoop())

    assert outcome.refused == 0
    assert outcome.limited <= LIMITED_MAX
    assert outcome.calls <= calls_max
    assert outcome.seconds <= seconds_max
    assert len(outcome.log) == INVOICES * len(TYPES)
    for invoice_id, told in outcome.told.items():
        owed = [event_id for event_id, of in outcome.log if invoice_id in ("", of)]
        assert told == owed
    of_one = [event_id for event_id, of in outcome.log if of == outcome.log[0][1]]
    assert shuffled or of_one == sorted(of_one)
