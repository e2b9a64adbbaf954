"""Whoever asks learns up to when all is known to be in the log: in GraphQL, and in the metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.backends.stripe.reads.intake_reads import THIN_PATH
from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.stripe_mode.world import World, stripe_world

QUERY = "{ gateway { lastCompleteCatchUp } }"
METRIC = "gateway_catch_up_complete_timestamp_seconds"


async def told(world: World) -> Any:
    answer = await world.served.data(QUERY)
    return answer["gateway"]["lastCompleteCatchUp"]


async def run(world: World) -> None:
    assert world.served.gateway.catch_up is not None
    await world.served.gateway.catch_up.run()


def metrics(world: World) -> dict[str, float]:
    """By their lists."""
    page = world.served.gateway.metrics.page().decode()
    lines = [line for line in page.splitlines() if line.startswith(METRIC)]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


async def test_it_is_told_after_each_run() -> None:
    """As the time from which on something may still be missing."""
    async with stripe_world() as world:
        await run(world)
        first, now = await told(world), world.served.clock.now()
        world.served.clock.advance(300)
        await run(world)
        second = await told(world)

        assert (first, second) == (iso(now), iso(now + 300))
        assert metrics(world) == {"snapshot": now + 300, "thin": now + 300}


async def test_a_list_that_the_key_may_not_read_does_not_count() -> None:
    """It would be null for ever, and mean nothing."""
    async with stripe_world() as world:
        refused = Fault(FaultKind.ANSWER, status=403, body={"error": {}})
        world.sandbox.faults.add(refused, path=THIN_PATH, times=None)
        await run(world)

        assert await told(world) == iso(world.served.clock.now())


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
