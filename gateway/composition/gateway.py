"""The composition root: the only file that knows every class. Tests build the app with it too.

It makes the graph and ties backends and events together with callables, as neither may import
the other. It holds no rule and reads no environment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import CacheStore
from gateway.backends.guarded import GuardedWrites
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import SOLE_OWNER, Dropped, JournaledWrites, nothing_cached
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Observe, Pacing, StripeApi, nobody_counts
from gateway.backends.stripe.reads.events import StripeEventReader
from gateway.backends.stripe.reads.intake_lookup import StripeLookup
from gateway.backends.supplier import Supplier
from gateway.callers.registry import Callers
from gateway.clock import Clock, Ids, RandomIds, SystemClock, request_id
from gateway.composition.background import BackgroundTasks
from gateway.composition.callers import (
    ReadOnlySwitch,
    Rereading,
    open_audit_trail,
    open_budget,
    open_callers,
)
from gateway.composition.graphql import open_runner
from gateway.composition.outside import Outside
from gateway.composition.stores import (
    Stores,
    forget_for_ever,
    open_cache,
    open_stores,
    publisher,
    rate_budget,
)
from gateway.console import console_directory
from gateway.events.catch_up import CatchUp
from gateway.events.feed import Feed
from gateway.events.intake import CallerOf, Drop, Intake, Lookup, Touched
from gateway.events.log import LogEntry
from gateway.events.webhook import WebhookReader
from gateway.execution.cost_budget import CostBudgetRunner
from gateway.execution.operation import Runner
from gateway.sandbox.deliveries import EventDeliveries, TwinLookup
from gateway.sandbox.fixtures import seed
from gateway.settings import Settings
from gateway.storage.redis_store import RedisStore
from gateway.web.app import create_app
from gateway.web.authentication import Authenticator, BearerAuthenticator, DevelopmentAuthenticator
from gateway.web.metrics import Metrics
from gateway.web.request_body import asked_later
from gateway.web.webhook_endpoint import WebhookEndpoint
from schema.ports import BackendDescription, EventOrigin, Outcome, Reads

log = logging.getLogger(__name__)

WEBHOOK_PATH = "/webhooks/stripe"
SETTLE_SECONDS = 30
"""How often open writes are looked at."""


@dataclass(slots=True)
class Gateway:
    """One gateway without its sockets. Made by `opened_gateway`, which also ends it."""

    settings: Settings
    reads: Reads
    writes: JournaledWrites
    settling: Settling
    feed: Feed
    intake: Intake
    runner: Runner
    stores: Stores
    rereading: Rereading
    callers: Callers | None = None
    twin: Twin | None = None
    deliveries: EventDeliveries | None = None
    webhooks: WebhookReader | None = None
    catch_up: CatchUp | None = None
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class _Upstream:
    """What supplies the objects, how they are read, and what drops what is cached of them."""

    supplier: Supplier
    reads: Reads
    lookup: Lookup
    drop: Drop
    drop_after: Dropped = nothing_cached
    twin: Twin | None = None
    api: StripeApi | None = None


def entry_of(
    record: WriteRecord, outcome: Outcome, description: BackendDescription, now: int
) -> LogEntry:
    """A write that has succeeded, as an entry of the log."""
    return LogEntry(
        type=record.command.event_type.value,
        raw_type=record.command.raw_type,
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


def callers_of(journal: JournalStore) -> CallerOf:
    """Who sent Stripe a key, as the journal knows it."""

    async def caller_of(stripe_key: str) -> tuple[str, str] | None:
        record = await journal.by_stripe_key(stripe_key)
        return None if record is None else (record.tenant, record.key)

    return caller_of


@asynccontextmanager
async def opened_gateway(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    with_background: bool = True,
    outside: Outside = Outside(),
) -> AsyncIterator[Gateway]:
    """A running gateway; without background, for one task by hand.

    Raises `FixturesRefused`, `ClientsRefused`, `ManifestRefused`, `StoreRefused`, `StoreInUse`,
    `OSError`.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    rereading = Rereading()
    async with AsyncExitStack() as stack:
        callers = await open_callers(settings, clock, rereading, stack)
        trail = open_audit_trail(settings, clock, stack)
        stores = outside.stores or await open_stores(settings, clock, ids, stack)
        metrics = Metrics()
        metrics.watch_log(stores.unreadable)
        upstream = _upstream(settings, clock, ids, stores, metrics, outside)
        feed = Feed(
            stores.log,
            queue_max=settings.stream_queue_max,
            heartbeat_seconds=settings.stream_heartbeat_seconds,
        )
        await feed.start()
        description = upstream.supplier.describe()
        intake = Intake(
            log=stores.log,
            lookup=upstream.lookup,
            drop=upstream.drop,
            publish=publisher(stores, feed, stack),
            caller_of=callers_of(stores.journal),
            account=description.account,
            livemode=description.livemode,
        )

        async def announce(record: WriteRecord, outcome: Outcome) -> None:
            entry = entry_of(record, outcome, description, clock.now())
            await intake.announce(entry, record.stripe_key)

        writes = JournaledWrites(
            upstream.supplier,
            stores.journal,
            announce,
            clock.now,
            owner=ids.new("owner") if stores.is_shared else SOLE_OWNER,
            dropped=upstream.drop_after,
        )
        stack.push_async_callback(upstream.supplier.close)
        if isinstance(upstream.reads, CachingReads):
            stack.push_async_callback(upstream.reads.close)
        stack.push_async_callback(writes.close)
        read_only = ReadOnlySwitch(settings)
        read_only.look()
        rereading.add(str(settings.read_only_flag), read_only.look)
        runner = CostBudgetRunner(
            open_runner(
                settings,
                upstream.reads,
                GuardedWrites(writes, trail, read_only),
                feed,
                on_exceeded=metrics.limit_exceeded,
                rereading=rereading,
                outside=outside,
            ),
            open_budget(settings, stack),
            default_per_minute=settings.cost_per_minute,
        )
        settling = Settling(writes, stores.journal, trail, read_only)
        metrics.watch_writes(settling.open_writes_by_state)
        gateway = Gateway(
            settings,
            upstream.reads,
            writes,
            settling,
            feed,
            intake,
            runner,
            stores,
            rereading,
            callers,
            metrics=metrics,
        )
        background = BackgroundTasks(monotonic=asyncio.get_running_loop().time)
        stack.callback(background.stop)
        metrics.watch_tasks(background.failures)
        if upstream.twin is not None:
            _deliver(gateway, upstream.twin, background)
        if upstream.api is not None:
            _listen_to_stripe(gateway, upstream.api, clock)
        if with_background:
            _start_background(gateway, background)
        yield gateway


def _start_background(gateway: Gateway, background: BackgroundTasks) -> None:
    """What is done again and again beside the serving."""
    background.start("settle", partial(_settle_for_ever, gateway.settling))
    background.start("forget", partial(forget_for_ever, gateway.stores))
    if gateway.catch_up is not None:
        seconds = gateway.settings.catch_up_seconds
        background.start("catch_up", partial(gateway.catch_up.every, seconds))


def _listen_to_stripe(gateway: Gateway, api: StripeApi, clock: Clock) -> None:
    """Webhooks, where there is a secret to know them by, and what they may have missed."""
    settings, description = gateway.settings, gateway.reads.describe()
    account, livemode = description.account, description.livemode
    if settings.webhook_secrets:
        gateway.webhooks = WebhookReader(
            settings.webhook_secrets, now=clock.now, account=account, livemode=livemode
        )
        gateway.metrics.watch_webhooks(gateway.webhooks.counts)
    catch_up = gateway.catch_up = CatchUp(
        read_events=StripeEventReader(api).events_since,
        receive=gateway.intake.receive,
        progress=gateway.stores.progress,
        now=clock.now,
        sleep=asyncio.sleep,
        account=account,
        livemode=livemode,
    )
    gateway.metrics.watch_catch_up(lambda: (catch_up.passed_over, catch_up.given_up))


async def _settle_for_ever(settling: Settling) -> None:
    """Finish what earlier processes have left open, then what this one leaves."""
    while True:
        try:
            await settling.settle()
        except OSError as trouble:
            log.warning("open writes could not be looked at: %s", trouble)
        await asyncio.sleep(SETTLE_SECONDS)


def _upstream(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    stores: Stores,
    metrics: Metrics,
    outside: Outside,
) -> _Upstream:
    if settings.backend == "memory":
        twin = Twin(now=clock.now, new_id=ids.new)
        seed(twin, settings.fixtures)
        memory = MemoryBackend(twin)
        return _Upstream(memory, memory, TwinLookup(twin), nothing_to_drop, twin=twin)
    api = stripe_api(settings, stores.redis, metrics.upstream_called, outside)
    stripe = StripeBackend(
        api,
        account=settings.stripe_account,
        livemode=settings.is_live,
        preview_version=settings.stripe_preview_version,
    )
    cache = outside.cache or open_cache(settings, clock)
    caching = CachingReads(
        stripe,
        CacheStore(cache),
        partial(ids.new, "tok"),
        is_shared=outside.cache is not None or settings.cache_url is not None,
    )

    async def drop(touched: Touched) -> None:
        await caching.drop(touched.invoice_id, touched.customer_id, touched.payment_intent_id)

    return _Upstream(stripe, caching, StripeLookup(api), drop, caching.drop_after, api=api)


async def nothing_to_drop(touched: Touched) -> None:
    """The drop of a gateway without a cache: the twin is always as new as it gets."""


def stripe_api(
    settings: Settings,
    redis: RedisStore | None = None,
    observe: Observe = nobody_counts,
    outside: Outside = Outside(),
) -> StripeApi:
    """The one connection to the account, inside its rate budget."""
    assert settings.stripe_api_key is not None
    monotonic = asyncio.get_running_loop().time
    return StripeApi(
        settings.stripe_api_key.get_secret_value(),
        budget=rate_budget(settings, redis),
        pacing=Pacing(sleep=asyncio.sleep, random=outside.random, monotonic=monotonic),
        stripe_version=settings.stripe_version,
        api_base=settings.stripe_api_base,
        observe=observe,
        http_client=outside.http_client,
    )


def _deliver(gateway: Gateway, twin: Twin, background: BackgroundTasks) -> None:
    """Let the twin's events in, in process."""
    deliveries = EventDeliveries(gateway.intake, gateway.reads.describe().account)
    twin.listeners.append(deliveries.offer)
    deliveries.idle.set()
    background.start("deliver", deliveries.run)
    gateway.twin, gateway.deliveries = twin, deliveries


def _authenticator(gateway: Gateway) -> Authenticator:
    if gateway.callers is None:
        return DevelopmentAuthenticator()
    return BearerAuthenticator(gateway.callers)


def make_web_app(
    gateway: Gateway, *, authenticator: Authenticator | None = None
) -> web.Application:
    """The aiohttp application over a running gateway."""
    directory = console_directory()

    app = create_app(
        runner=gateway.runner,
        authenticator=authenticator or _authenticator(gateway),
        callers=gateway.callers,
        pings={"log": gateway.stores.ping},
        ids=request_id,
        settings=gateway.settings,
        page=None if directory is None else (directory / "index.html").read_bytes(),
        console_directory=directory if gateway.settings.gives_page else None,
        metrics=gateway.metrics,
    )
    if gateway.webhooks is not None:
        endpoint = WebhookEndpoint(
            gateway.webhooks,
            gateway.intake.receive,
            body_bytes_max=gateway.settings.webhook_body_bytes_max,
        )
        app.router.add_route("*", WEBHOOK_PATH, endpoint.handle, expect_handler=asked_later)
    return app
