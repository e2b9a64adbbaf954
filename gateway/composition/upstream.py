"""What supplies the objects, how they are read, and what drops what is cached of them.

Part of the composition root: it knows classes and no rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import strawberry

from gateway.backends.journal.writes import Dropped, nothing_cached
from gateway.backends.supplier import Supplier
from gateway.clock import Clock, Ids, chance
from gateway.composition.stores import Stores
from gateway.events.intake_ports import Lookup, ObjectCache
from gateway.execution.documents import Documents
from gateway.settings import Settings, SettingsRefused
from schema.ports import Reads

if TYPE_CHECKING:
    from stripe import HTTPClient

    from gateway.backends.caching.store import Cache
    from gateway.backends.memory.twin import Twin
    from gateway.backends.stripe.client import Observe, StripeApi
    from gateway.backends.stripe.rate_limit import RateBudget, Tokens
    from gateway.storage.redis_store import RedisStore

CACHE_ENTRY_BYTES = 1_300
"""Of an entry with its key, or of one of the tokens, about as many, which say what still counts."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What is outside of a gateway and may be handed to it; each part that is None is opened as
    the settings say. Whoever hands in something keeps it, and closes it.

    `schema` and `documents` belong together: many gateways in one process share what was parsed.
    """

    stores: Stores | None = None
    cache: Cache | None = None
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
    cache: ObjectCache
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
    """Loads the modules of the one backend that is used. Raises `SettingsRefused`."""
    if settings.backend == "memory":
        return _memory(settings, clock, ids, stack)
    return _stripe(settings, clock, ids, redis, observe, outside, stack)


def _memory(settings: Settings, clock: Clock, ids: Ids, stack: AsyncExitStack) -> Upstream:
    from gateway.backends.memory.backend import MemoryBackend
    from gateway.sandbox.twin_events import TwinLookup, Uncached

    twin = seeded_twin(settings.fixtures, clock, ids)
    memory = MemoryBackend(twin)
    stack.push_async_callback(memory.close)
    return Upstream(memory, memory, TwinLookup(twin), Uncached(), twin=twin)


def seeded_twin(fixtures: Path | None, clock: Clock, ids: Ids) -> Twin:
    """A twin with the state of a file, or of the demo. Raises `SettingsRefused`."""
    from gateway.backends.memory.twin import Twin
    from gateway.sandbox.fixtures import FixturesRefused, seed

    twin = Twin(now=clock.now, new_id=ids.new)
    try:
        seed(twin, fixtures)
    except FixturesRefused as refused:
        raise SettingsRefused(f"{fixtures} cannot be loaded:\n{refused}") from refused
    return twin


def _stripe(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    redis: RedisStore | None,
    observe: Observe,
    outside: Outside,
    stack: AsyncExitStack,
) -> Upstream:
    from gateway.backends.caching.reads import CachingReads
    from gateway.backends.caching.store import CacheStore
    from gateway.backends.stripe.backend import StripeBackend
    from gateway.backends.stripe.reads.event_reads import StripeLookup
    from gateway.composition.event_cache import EventCache

    api = stripe_api(settings, redis, observe, outside)
    stripe = StripeBackend(
        api,
        account=settings.stripe_account,
        livemode=settings.is_live,
        preview_version=settings.stripe_preview_version,
    )
    stack.push_async_callback(stripe.close)
    is_shared = outside.cache is not None or settings.cache_url is not None
    caching = CachingReads(
        stripe,
        CacheStore(outside.cache or _cache(settings, clock)),
        partial(ids.new, "tok"),
        clock.now if is_shared else clock.monotonic,
        is_shared=is_shared,
    )
    stack.push_async_callback(caching.close)
    lookup, cache = StripeLookup(api), EventCache(caching)
    return Upstream(stripe, caching, lookup, cache, caching.drop_after, api=api)


def _cache(settings: Settings, clock: Clock) -> Cache:
    """Shared where the settings give an address."""
    from gateway.backends.caching.store import BoundedMemoryCache

    if settings.cache_url is not None:
        # It brings redis-py along.
        from gateway.backends.caching.redis_cache import redis_cache

        return redis_cache(settings.cache_url.get_secret_value())
    return BoundedMemoryCache(
        clock.monotonic,
        entries_max=settings.cache_bytes_max // CACHE_ENTRY_BYTES,
        bytes_max=settings.cache_bytes_max,
    )


def stripe_api(
    settings: Settings,
    redis: RedisStore | None = None,
    observe: Observe | None = None,
    outside: Outside = Outside(),
) -> StripeApi:
    """The one connection to the account, inside its rate budget."""
    from gateway.backends.stripe.client import Pacing, StripeApi, nobody_counts

    assert settings.stripe_api_key is not None
    monotonic = asyncio.get_running_loop().time
    return StripeApi(
        settings.stripe_api_key.get_secret_value(),
        budget=_rate_budget(settings, redis),
        pacing=Pacing(sleep=asyncio.sleep, random=outside.random, monotonic=monotonic),
        stripe_version=settings.stripe_version,
        api_base=settings.stripe_api_base,
        observe=observe or nobody_counts,
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
    from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget

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
