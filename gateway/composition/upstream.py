"""What supplies the objects, how they are read, and what drops what is cached of them.

Part of the composition root: it knows classes and no rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import strawberry
from aiocache.base import BaseCache

from gateway.backends.caching.policy import dropped_by
from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.renewal import Renewal
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from gateway.backends.harvest import EventRead
from gateway.backends.journal.writes import Dropped, nothing_cached
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Observe, Pacing, StripeApi, nobody_counts
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget, Tokens
from gateway.backends.stripe.reads.event_reads import StripeLookup
from gateway.backends.supplier import Supplier
from gateway.clock import Clock, Ids, chance
from gateway.composition.stores import Stores
from gateway.events.intake_ports import Cache, Lookup, Touched
from gateway.execution.documents import Documents
from gateway.sandbox.deliveries import TwinLookup, Uncached
from gateway.sandbox.fixtures import seed
from gateway.settings import Settings
from gateway.storage.redis_store import RedisStore
from schema.ports import Reads

if TYPE_CHECKING:
    from stripe import HTTPClient

CACHE_ENTRY_BYTES = 1_300
"""Of an entry with its key, or of one of the tokens, about as many, which say what still counts."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What is outside of a gateway and may be handed to it; each part that is None is opened as
    the settings say. Whoever hands in something keeps it, and closes it.

    `schema` and `documents` belong together: many gateways in one process share what was parsed.
    """

    stores: Stores | None = None
    cache: BaseCache | None = None
    http_client: HTTPClient | None = None
    random: Callable[[], float] = chance
    schema: strawberry.Schema | None = None
    documents: Documents | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """The supplier and what belongs to it: a twin of its own, or the connection to Stripe."""

    supplier: Supplier
    reads: Reads
    lookup: Lookup
    cache: Cache
    drop_after: Dropped = nothing_cached
    twin: Twin | None = None
    api: StripeApi | None = None


def open_upstream(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    redis: RedisStore | None,
    observe: Observe,
    outside: Outside,
    stack: AsyncExitStack,
) -> Upstream:
    """Raises `FixturesRefused`."""
    if settings.backend == "memory":
        twin = Twin(now=clock.now, new_id=ids.new)
        seed(twin, settings.fixtures)
        memory = MemoryBackend(twin)
        stack.push_async_callback(memory.close)
        return Upstream(memory, memory, TwinLookup(twin), Uncached(), twin=twin)
    api = stripe_api(settings, redis, observe, outside)
    stripe = StripeBackend(
        api,
        account=settings.stripe_account,
        livemode=settings.is_live,
        preview_version=settings.stripe_preview_version,
    )
    stack.push_async_callback(stripe.close)
    caching = CachingReads(
        stripe,
        CacheStore(outside.cache or _cache(settings, clock)),
        partial(ids.new, "tok"),
        is_shared=outside.cache is not None or settings.cache_url is not None,
    )
    stack.push_async_callback(caching.close)
    lookup, cache = StripeLookup(api), EventCache(caching)
    return Upstream(stripe, caching, lookup, cache, caching.drop_after, api=api)


@dataclass(frozen=True, slots=True)
class EventCache:
    """See `gateway.events.intake_ports.Cache`: ids of events in the words of the cache."""

    caching: CachingReads

    async def drop(self, touched: Touched) -> None:
        await self.caching.drop(touched.invoice_id, touched.customer_id, touched.payment_intent_id)

    @asynccontextmanager
    async def renewing(self, touched: Sequence[Touched]) -> AsyncIterator[EventRenewal]:
        names = dict.fromkeys(name for one in touched for name in _names(one))
        coming = {pair for one in touched for pair in _objects(one)}
        async with self.caching.renewing(list(names), coming) as renewal:
            yield EventRenewal(renewal)


@dataclass(frozen=True, slots=True)
class EventRenewal:
    """See `gateway.events.intake_ports.Renewal`."""

    renewal: Renewal

    async def drop(self, touched: Touched) -> None:
        await self.renewal.drop(_names(touched))

    async def keep(self, brought: EventRead) -> None:
        await self.renewal.keep(brought.harvest)


def _names(touched: Touched) -> list[str]:
    return dropped_by(touched.invoice_id, touched.customer_id, touched.payment_intent_id)


def _objects(touched: Touched) -> Iterator[tuple[str, str]]:
    """What an event's read is going to bring of what it has touched."""
    for kind, object_id in (
        ("Invoice", touched.invoice_id),
        ("InvoicePayment", touched.invoice_payment_id),
        ("PaymentIntent", touched.payment_intent_id),
    ):
        if object_id is not None:
            yield kind, object_id


def _cache(settings: Settings, clock: Clock) -> BaseCache:
    """Shared where the settings give an address."""
    if settings.cache_url is not None:
        from gateway.backends.caching.store import redis_cache

        return redis_cache(settings.cache_url.get_secret_value())
    return BoundedMemoryCache(
        clock.monotonic,
        entries_max=settings.cache_bytes_max // CACHE_ENTRY_BYTES,
        bytes_max=settings.cache_bytes_max,
    )


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
        budget=_rate_budget(settings, redis),
        pacing=Pacing(sleep=asyncio.sleep, random=outside.random, monotonic=monotonic),
        stripe_version=settings.stripe_version,
        api_base=settings.stripe_api_base,
        observe=observe,
        http_client=outside.http_client,
    )


@asynccontextmanager
async def connected(
    settings: Settings, redis: RedisStore | None = None
) -> AsyncIterator[StripeApi]:
    """The connection by itself, closed after its use."""
    api = stripe_api(settings, redis)
    try:
        yield api
    finally:
        await api.close()


def _rate_budget(settings: Settings, redis: RedisStore | None) -> RateBudget:
    """The account's allowance, shared where there is a Redis."""
    monotonic = asyncio.get_running_loop().time
    tokens: Tokens = LocalTokens(
        account_per_second=settings.account_calls_per_second,
        endpoint_per_second=settings.stripe_endpoint_calls_per_second,
        monotonic=monotonic,
    )
    if redis is not None:
        from gateway.backends.stripe.redis_rate_limit import RedisTokens

        tokens = RedisTokens(
            redis,
            account=settings.stripe_account,
            account_per_second=settings.account_calls_per_second,
            endpoint_per_second=settings.stripe_endpoint_calls_per_second,
            fallback=tokens,
            monotonic=monotonic,
        )
    return RateBudget(tokens, sleep=asyncio.sleep, monotonic=monotonic)
