"""The composition root: the only file that knows every class. Tests build the app with it too.

It makes the graph and ties backends and events together with callables, as neither may import
the other. It holds no rule and reads no environment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import strawberry
from aiohttp import web

from gateway.backends.journal import Announced, JournaledBackend, MemoryJournalStore
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin, TwinEvent
from gateway.clock import Clock, Ids, RandomIds, SystemClock, request_id
from gateway.console.pages import console_directory
from gateway.events.feed import Feed
from gateway.events.intake import Announcement, Hint, Intake
from gateway.events.log import LogEntry, MemoryEventLog
from gateway.execution.runner import GraphQLRunner
from gateway.sandbox.seed import seed
from gateway.settings import Settings
from gateway.web.app import create_app
from gateway.web.auth import Authenticator, DevelopmentAuthenticator
from gateway.web.health import Ping
from gateway.web.settings import WebSettings
from schema import records
from schema.limits import Limits
from schema.ports import CreditNoteCreated, EventOrigin, InvoiceBackend
from schema.root import make_schema

SYSTEM_TENANT = "gateway"
"""Who the gateway is when it looks something up for itself."""


@dataclass(slots=True)
class Gateway:
    """One running gateway without its sockets: `start` before use, `close` after it."""

    settings: Settings
    schema: strawberry.Schema
    backend: JournaledBackend
    feed: Feed
    intake: Intake
    runner: GraphQLRunner
    deliveries: EventDeliveries
    twin: Twin

    async def start(self) -> None:
        await self.feed.start()
        self.deliveries.start()

    async def close(self) -> None:
        await self.backend.close()
        await self.deliveries.close()


class TwinLookup:
    """What the intake asks upstream, asked of the twin."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    async def customer_of(self, invoice_id: str) -> tuple[bool, str | None]:
        invoice = self._twin.invoices.get(invoice_id)
        return (False, None) if invoice is None else (True, invoice.customer_id)

    async def payment(self, invoice_payment_id: str) -> records.InvoicePayment | None:
        return self._twin.invoice_payments.get(invoice_payment_id)

    async def payments_of_intent(self, payment_intent_id: str) -> list[records.InvoicePayment]:
        return self._twin.invoice_payments.matching("source_id", payment_intent_id)


PENDING_MAX = 100_000
"""Events of the twin that wait to be taken in; a write makes at most a handful."""


@dataclass(slots=True)
class EventDeliveries:
    """The twin's webhooks, in process: its events go through the same door as Stripe's."""

    intake: Intake
    account: str
    pending: deque[TwinEvent] = field(default_factory=lambda: deque(maxlen=PENDING_MAX))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def offer(self, event: TwinEvent) -> None:
        self.pending.append(event)
        self.idle.clear()
        self.wake.set()

    def start(self) -> None:
        self.idle.set()
        self.task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while self.pending:
                hint = hint_of(self.pending.popleft(), self.account)
                await self.intake.receive(hint, EventOrigin.WEBHOOK)
            self.idle.set()
            self.wake.clear()
            await self.wake.wait()


def hint_of(event: TwinEvent, account: str) -> Hint:
    """The ids in one of the twin's events."""
    invoice_id, payment_id, intent_id = _ids(event.object)
    return Hint(
        event_id=event.id,
        type=event.type,
        created=event.created,
        account=account,
        livemode=False,
        invoice_id=invoice_id,
        invoice_payment_id=payment_id,
        payment_intent_id=intent_id,
        request_key=event.request.idempotency_key,
    )


def _ids(subject: object) -> tuple[str | None, str | None, str | None]:
    """Invoice, invoice payment and PaymentIntent that an event's object names."""
    match subject:
        case records.Invoice():
            return subject.id, None, None
        case records.InvoicePayment():
            is_intent = subject.source_type == "payment_intent"
            return subject.invoice_id, subject.id, subject.source_id if is_intent else None
        case records.PaymentIntent():
            return None, None, subject.id
        case records.CreditNote():
            return subject.invoice_id, None, None
        case _:
            return None, None, None


def announcement_of(announced: Announced, now: int) -> Announcement:
    """What the journal says of a write, in the words of the intake."""
    record, outcome = announced.record, announced.outcome
    payment_id = intent_id = None
    if not isinstance(outcome, CreditNoteCreated):
        payment_id, intent_id = outcome.invoice_payment_id, outcome.payment_intent_id
    return Announcement(
        type=announced.type,
        raw_type=announced.raw_type,
        occurred_at=now,
        invoice_id=outcome.invoice_id,
        customer_id=outcome.customer_id,
        invoice_payment_id=payment_id,
        payment_intent_id=intent_id,
        tenant=record.tenant,
        idempotency_key=record.key,
        stripe_key=record.stripe_key,
    )


async def nothing_cached(entry: LogEntry) -> None:
    """The drop of a gateway without a cache: the twin is always as new as it gets."""


def make_gateway(
    settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None
) -> Gateway:
    """The whole graph, with the memory backend. Raises `FixturesRefused` for a bad file."""
    clock = clock or SystemClock()
    ids = ids or RandomIds()
    twin = Twin(now=clock.now, new_id=ids.new)
    seed(twin, settings.fixtures)
    memory = MemoryBackend(twin)
    epoch = ids.new("log").removeprefix("log_")
    event_log = MemoryEventLog(epoch, entries_max=settings.log_entries_max)
    feed = Feed(
        event_log,
        queue_max=settings.stream_queue_max,
        heartbeat_seconds=settings.stream_heartbeat_seconds,
    )
    backend = JournaledBackend(
        memory, MemoryJournalStore(clock.now), _announce_later := _Door(), clock.now
    )
    intake = Intake(
        log=event_log,
        lookup=TwinLookup(twin),
        drop=nothing_cached,
        publish=feed.publish,
        caller_of=backend.caller_of,
        account=memory.describe().account,
        livemode=memory.describe().livemode,
    )
    _announce_later.open(intake, clock)
    deliveries = EventDeliveries(intake, memory.describe().account)
    twin.listeners.append(deliveries.offer)
    schema = make_schema()
    runner = make_runner_of(settings, schema, backend, feed)
    return Gateway(settings, schema, backend, feed, intake, runner, deliveries, twin)


class _Door:
    """Lets the journal announce through an intake that is made after it."""

    def __init__(self) -> None:
        self._intake: Intake | None = None
        self._clock: Clock | None = None

    def open(self, intake: Intake, clock: Clock) -> None:
        self._intake, self._clock = intake, clock

    async def __call__(self, announced: Announced) -> None:
        assert self._intake is not None
        assert self._clock is not None
        await self._intake.announce(announcement_of(announced, self._clock.now()))


def make_runner_of(
    settings: Settings, schema: strawberry.Schema, backend: InvoiceBackend, feed: Feed
) -> GraphQLRunner:
    limits = Limits(
        tokens_max=settings.tokens_max,
        depth_max=settings.depth_max,
        aliases_max=settings.aliases_max,
        cost_max=settings.cost_max,
    )
    return GraphQLRunner(
        schema,
        backend,
        feed,
        limits=limits,
        operation_seconds_max=settings.operation_timeout_seconds,
    )


def web_settings(settings: Settings) -> WebSettings:
    return WebSettings(allowed_origins=settings.origins, body_bytes_max=settings.body_bytes_max)


def make_web_app(
    gateway: Gateway, *, authenticator: Authenticator | None = None
) -> web.Application:
    """The aiohttp application over a gateway; it starts and closes the gateway with itself."""
    directory = console_directory()
    app = create_app(
        runner=gateway.runner,
        authenticator=authenticator or DevelopmentAuthenticator(),
        pings={"log": _ping(gateway)},
        ids=request_id,
        settings=web_settings(gateway.settings),
        page=_page(directory),
        console_directory=directory,
    )

    async def start(_app: web.Application) -> None:
        await gateway.start()

    async def close(_app: web.Application) -> None:
        await gateway.close()

    app.on_startup.append(start)
    app.on_cleanup.append(close)
    return app


def _ping(gateway: Gateway) -> Ping:
    async def ping() -> None:
        await gateway.feed.oldest()

    return ping


def _page(directory: Path | None) -> bytes | None:
    return None if directory is None else (directory / "index.html").read_bytes()
