"""Redis gone for a while: writes and webhooks wait, reads go on, streams resume by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.checker import check_stream
from tests.crash.processes import GatewayProcess, ask, data
from tests.crash.waiting import until, until_true
from tests.crash.watcher import log_events, watching
from tests.crash.world import World
from tests.crash.writers import DETACH
from tests.storage.redis_server import OUTLIVES_ITS_PROCESS, RedisServer

STATUS = "query ($id: ID!) { invoice(id: $id) { status } }"


@pytest.fixture
async def redis(gateway: GatewayProcess, tmp_path: Path) -> AsyncIterator[RedisServer]:
    """The Redis of the gateway, which keeps its file over its lives."""
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = RedisServer(folder, OUTLIVES_ITS_PROCESS)
    await asyncio.to_thread(redis.start)
    gateway.configure(redis_url=redis.url, cache_url=redis.url)
    yield redis
    await gateway.close()
    await asyncio.to_thread(redis.stop)


async def gone(redis: RedisServer, how: str) -> None:
    await asyncio.to_thread(redis.kill if how == "killed" else redis.freeze)


async def back(redis: RedisServer, how: str) -> None:
    await asyncio.to_thread(redis.start if how == "killed" else redis.thaw)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_nothing_is_lost_while_redis_is_away(
    how: str, world: World, gateway: GatewayProcess, redis: RedisServer
) -> None:
    """Webhooks are put off with 503 and writes are refused before Stripe hears of them; reads and
    open streams live, and everything comes once Redis is back."""
    invoice_id, intent_id = world.paid_by_two(1000)
    other_id, other_intent_id = world.paid_by_two(1000)
    variables = {"invoice": other_id, "intent": other_intent_id, "key": "refused"}
    await gateway.start()
    await world.sandbox.webhooks.idle()

    async def is_ready() -> bool:
        async with world.session.get(f"{gateway.url}/readyz") as response:
            return response.status == 200

    async def is_unready() -> bool:
        return not await is_ready()

    async with watching(world.session, gateway.url) as watcher:
        await gone(redis, how)
        world.twin.detach(invoice_id, intent_id)
        (event_id,) = world.event_ids("invoice_payment.detached")
        await until_true(lambda: 503 in world.answers(event_id), "a webhook that is put off")
        await until(is_unready, "a gateway that is not ready")
        read = await data(world.session, gateway.url, STATUS, id=invoice_id)
        refused = await ask(world.session, gateway.url, DETACH, **variables)
        answers = world.answers(event_id)
        await back(redis, how)
        await until(is_ready, "a gateway that is ready again")
        await until_true(lambda: watcher.saw(sourceEventId=event_id), "what was put off")
        await world.sandbox.webhooks.idle()
        log = await log_events(world.session, gateway.url, watcher.first_cursor)
        await until_true(lambda: len(watcher.events) >= len(log), "the whole log")

    assert set(answers) == {503}
    assert read["invoice"]["status"] == "OPEN"
    assert refused["data"]["detachPayment"]["errors"][0]["code"] == "UPSTREAM_UNAVAILABLE"
    assert len(world.attached(other_id)) == 2
    assert watcher.connections == 1
    check_stream(watcher, log)
