"""The composition root: the only file that knows every class. Tests build the app with it too.

It makes the graph and ties backends and events together with callables, as neither may import
the other. It holds no rule and reads no environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.backends.guarded import GuardedWrites
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import SOLE_OWNER, Announce, JournaledWrites
from gateway.callers.registry import Callers
from gateway.clock import Clock, Ids, RandomIds, SystemClock, request_id
from gateway.composition.background import BackgroundTasks, every
from gateway.composition.callers import (
    ReadOnlySwitch,
    Rereading,
    open_audit_trail,
    open_callers,
    open_quotas,
    schema_of,
    sdl_of,
    trust_documents,
)
from gateway.composition.event_lists import open_catch_up
from gateway.composition.stores import Stores, forget_for_ever, open_stores, publisher
from gateway.composition.upstream import Outside, Upstream, open_upstream
from gateway.console import console_directory, console_page
from gateway.events.all_lists import CatchUp
from gateway.events.arrivals import CallerOf
from gateway.events.feed import Feed
from gateway.events.intake import Intake, Publish
from gateway.events.log import LogEntry
from gateway.events.webhook import WebhookReader
from gateway.execution.operation import Runner
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Settings
from gateway.web.app import create_app
from gateway.web.authentication import Authenticator, BearerAuthenticator, DevelopmentAuthenticator
from gateway.web.demo_endpoint import PATH as DEMO_PATH
from gateway.web.demo_endpoint import DemoEndpoint
from gateway.web.metrics import Metrics
from gateway.web.request_body import asked_later
from gateway.web.webhook_endpoint import WebhookEndpoint
from schema.ports import BackendDescription, EventOrigin, Outcome, Reads

if TYPE_CHECKING:
    from gateway.backends.memory.twin import Twin
    from gateway.backends.stripe.client import StripeApi
    from gateway.sandbox.twin_events import EventDeliveries

WEBHOOK_PATH = "/webhooks/stripe"
SETTLE_SECONDS = 30
"""How often open writes are looked at."""


@dataclass(slots=True)
class Gateway:
    """One gateway without its sockets. Made by `opened_gateway`, which also ends it."""

    settings: Settings
    reads: Reads
    settling: Settling
    feed: Feed
    intake: Intake
    runner: Runner
    stores: Stores
    rereading: Rereading
    metrics: Metrics
    callers: Callers | None
    background: BackgroundTasks
    twin: Twin | None
    deliveries: EventDeliveries | None = None
    webhooks: WebhookReader | None = None
    catch_up: CatchUp | None = None

    def start_background(self) -> None:
        """What is done again and again beside the serving: among it, to finish the writes that
        earlier processes have left open, then what this one leaves."""
        settle = partial(
            every, SETTLE_SECONDS, self.settling.settle, "open writes could not be looked at: %s"
        )
        self.background.start("settle", settle)
        self.background.start("forget", partial(forget_for_ever, self.stores))
        if self.catch_up is not None:
            seconds = self.settings.catch_up_seconds
            self.background.start("catch_up", partial(self.catch_up.every, seconds))


def entry_of(
    record: WriteRecord, outcome: Outcome, description: BackendDescription, now: int
) -> LogEntry:
    """A write that has succeeded, as an entry of the log."""
    command = record.command
    assert command.event_type is not None, "the steps of a write are told, and not the whole"
    return LogEntry(
        type=command.event_type.value,
        raw_type=command.raw_type,
        origin=EventOrigin.MUTATION.value,
        occurred_at=now,
        account=description.account,
        livemode=description.livemode,
        invoice_id=outcome.invoice_id,
        customer_id=outcome.customer_id,
        invoice_payment_id=getattr(outcome, "invoice_payment_id", None) or None,
        payment_intent_id=getattr(outcome, "payment_intent_id", None),
        tenant=record.tenant,
        idempotency_key=record.key,
    )


@asynccontextmanager
async def opened_gateway(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    with_background: bool = True,
    outside: Outside = Outside(),
) -> AsyncIterator[Gateway]:
    """A running gateway; without background, for one task by hand, or to start it later.

    Raises `SettingsRefused`, `ClientsRefused`, `ManifestRefused`, `StoreRefused`, `StoreInUse`,
    `OSError`.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    rereading, metrics = Rereading(), Metrics()
    async with AsyncExitStack() as stack:
        callers = open_callers(settings, clock, rereading, stack)
        trail = open_audit_trail(settings, clock, stack)
        stores = outside.stores or await open_stores(settings, clock, ids, stack)
        metrics.watch_log(stores.unreadable)
        upstream = open_upstream(
            settings, clock, ids, stores.redis, metrics.upstream_called, outside, stack
        )
        feed = Feed(
            stores.log,
            queue_max=settings.stream_queue_max,
            heartbeat_seconds=settings.stream_heartbeat_seconds,
        )
        await feed.start()
        owner = ids.new("owner") if stores.is_shared else SOLE_OWNER
        intake = _intake(stores, upstream, feed, publisher(stores, feed, stack), owner)
        writes = JournaledWrites(
            upstream.supplier,
            stores.journal,
            _announcing(intake, upstream.supplier.describe(), clock),
            clock.now,
            owner=owner,
            dropped=upstream.drop_after,
        )
        stack.push_async_callback(writes.close)
        read_only = ReadOnlySwitch(settings)
        rereading.start(settings.read_only_flag, read_only.look)
        runner = GraphQLRunner(
            outside.schema or schema_of(settings),
            upstream.reads,
            GuardedWrites(writes, trail, read_only),
            feed,
            limits=settings,
            quotas=open_quotas(settings, stack),
            operation_seconds_max=settings.operation_timeout_seconds,
            upstream_calls_max=settings.upstream_calls_max,
            on_exceeded=metrics.limit_exceeded,
            documents=outside.documents,
            compiled_plans=settings.compiled_plans,
            warm_answers=settings.warm_answers,
            on_fallback=metrics.plan_fell_back,
        )
        trust_documents(settings, runner, rereading)
        settling = Settling(writes, stores.journal, trail, read_only)
        metrics.watch_writes(settling.open_writes_by_state)
        gateway = Gateway(
            settings=settings,
            reads=upstream.reads,
            settling=settling,
            feed=feed,
            intake=intake,
            runner=runner,
            stores=stores,
            rereading=rereading,
            metrics=metrics,
            callers=callers,
            background=BackgroundTasks(monotonic=asyncio.get_running_loop().time),
            twin=upstream.twin,
        )
        stack.callback(gateway.background.stop)
        metrics.watch_tasks(gateway.background.failures)
        if upstream.twin is not None:
            _deliver(gateway, upstream.twin)
        if upstream.api is not None:
            _listen_to_stripe(gateway, upstream.api, clock)
        if with_background:
            gateway.start_background()
        yield gateway


def _intake(stores: Stores, upstream: Upstream, feed: Feed, publish: Publish, owner: str) -> Intake:
    """What other replicas' subscribers want is not known here, so that all is read for them."""
    description, is_shared = upstream.supplier.describe(), stores.is_shared
    return Intake(
        log=stores.log,
        lookup=upstream.lookup,
        cache=upstream.cache,
        publish=publish,
        caller_of=callers_of(stores.journal),
        account=description.account,
        livemode=description.livemode,
        is_heard=lambda: is_shared or feed.subscriber_count > 0,
        owner=owner,
    )


def callers_of(journal: JournalStore) -> CallerOf:
    """Who sent Stripe a key, as the journal knows it. A step of a write has a key of its own: the
    write's and, behind a hyphen, which step it is."""

    async def caller_of(stripe_key: str) -> tuple[str, str] | None:
        record = await journal.by_stripe_key(stripe_key.partition("-")[0])
        return None if record is None else (record.tenant, record.key)

    return caller_of


def _announcing(intake: Intake, description: BackendDescription, clock: Clock) -> Announce:
    async def announce(record: WriteRecord, outcome: Outcome) -> None:
        entry = entry_of(record, outcome, description, clock.now())
        await intake.announce(entry, record.stripe_key)

    return announce


def _listen_to_stripe(gateway: Gateway, api: StripeApi, clock: Clock) -> None:
    """Webhooks, where there is a secret to know them by, and what they may have missed."""
    settings, description = gateway.settings, gateway.reads.describe()
    account, livemode = description.account, description.livemode
    if settings.webhook_secrets:
        gateway.webhooks = WebhookReader(
            settings.webhook_secrets, now=clock.now, account=account, livemode=livemode
        )
        gateway.metrics.watch_webhooks(gateway.webhooks.counts)
    catch_up = gateway.catch_up = open_catch_up(api, gateway.intake, gateway.stores, clock)
    gateway.feed.complete_until = catch_up.last_complete
    gateway.metrics.watch_catch_up(lambda: (catch_up.passed_over, catch_up.given_up))
    gateway.metrics.watch_complete(lambda: catch_up.complete_by_list)


def _deliver(gateway: Gateway, twin: Twin) -> None:
    """Let the twin's events in, in process."""
    from gateway.sandbox.twin_events import EventDeliveries

    deliveries = EventDeliveries(gateway.intake, gateway.reads.describe().account)
    twin.listeners.append(deliveries.offer)
    deliveries.idle.set()
    gateway.background.start("deliver", deliveries.run)
    gateway.deliveries = deliveries


def make_web_app(
    gateway: Gateway, *, authenticator: Authenticator | None = None, twin: Twin | None = None
) -> web.Application:
    """The aiohttp application over a running gateway. `twin` is the account of a sandbox in this
    process: with it, or a twin of the gateway's own, the console is that of a demo."""
    settings, directory, twin = gateway.settings, console_directory(), twin or gateway.twin
    if authenticator is None:
        callers = gateway.callers
        authenticator = (
            DevelopmentAuthenticator() if callers is None else BearerAuthenticator(callers)
        )
    console = None
    if settings.gives_console:
        console = console_page(has_callers=settings.has_callers, is_demo=twin is not None)
    app = create_app(
        runner=gateway.runner,
        authenticator=authenticator,
        callers=gateway.callers,
        pings={"log": gateway.stores.ping},
        ids=request_id,
        settings=settings,
        page=None if directory is None else (directory / "index.html").read_bytes(),
        console_directory=directory if settings.gives_page or settings.gives_console else None,
        console_page=console,
        metrics=gateway.metrics,
        sdl=partial(sdl_of, gateway.settings),
    )
    if console is not None and twin is not None:
        from gateway.sandbox.demo import act

        demo = DemoEndpoint(partial(act, twin), authenticator, settings)
        app.router.add_route("*", DEMO_PATH, demo.handle, expect_handler=asked_later)
    if gateway.webhooks is not None:
        endpoint = WebhookEndpoint(
            gateway.webhooks,
            gateway.intake.receive,
            body_bytes_max=settings.webhook_body_bytes_max,
        )
        app.router.add_route("*", WEBHOOK_PATH, endpoint.handle, expect_handler=asked_later)
    return app
