"""A shared cache that stops answering: reads go round it, webhooks are put off, nothing is stale.

The whole gateway on a sandbox and a real Redis that is stopped, as a machine may be that swaps or
a network that swallows packets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import pytest_asyncio

from tests.storage.redis_server import RedisServer
from tests.stripe_mode.world import World, stripe_world

READS = 400
"""At 50 ms each they would take 20 s, longer than they may; they take a tenth of it, so that a busy
machine changes nothing."""
READS_SECONDS_MAX = 15.0
OTHERS = 40
"""Events of their own, as repeats would wait for one another anyway: at half a second each, one
after the other, they would take three times as long as they may."""
ANSWER_SECONDS_MAX = 6.0


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest_asyncio.fixture
async def world(redis: RedisServer) -> AsyncIterator[World]:
    """A gateway whose cache is in a Redis of its own."""
    async with stripe_world(cache_url=redis.url) as opened:
        yield opened


async def test_reads_do_not_wait_for_a_frozen_cache(world: World, redis: RedisServer) -> None:
    """The first few find out, and the rest is answered by Stripe alone."""
    invoice_id, _ = world.stage.paid_by(1000)
    await world.status(invoice_id)

    redis.freeze()
    began = perf_counter()
    statuses = {await world.status(invoice_id) for _ in range(READS)}
    seconds = perf_counter() - began

    assert statuses == {"PAID"}
    assert seconds < READS_SECONDS_MAX


async def test_webhooks_are_put_off_soon_and_nothing_is_stale(
    world: World, redis: RedisServer
) -> None:
    """Each is answered 503 without waiting for the others. When the cache is back, it holds what
    the failed drops should have dropped, and nobody is shown it."""
    invoice_id, (intent_id,) = world.stage.paid_by(1000)
    for _ in range(OTHERS):
        world.stage.succeeded(1000)
    before = await world.status(invoice_id)

    redis.freeze()
    for _ in range(5):
        await world.status(invoice_id)
    world.stage.twin.detach(invoice_id, intent_id)
    bodies = world.bodies("invoice_payment.detached", "payment_intent.succeeded")
    began = perf_counter()
    answers = await asyncio.gather(*(world.webhook(body) for body in bodies))
    seconds = perf_counter() - began
    during = await world.status(invoice_id)
    redis.thaw()
    after = await world.cached_status(invoice_id)

    assert (before, during, after) == ("PAID", "OPEN", "OPEN")
    assert set(answers) == {503}
    assert seconds < ANSWER_SECONDS_MAX
    assert await world.webhook(bodies[0]) == 200
