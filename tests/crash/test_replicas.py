"""Replicas: two gateways on one Redis are one gateway to their clients, and either can die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash.checker import check_stream, repeated
from tests.crash.processes import GatewayProcess, data
from tests.crash.waiting import until_true
from tests.crash.watcher import Watcher, log_events, watching
from tests.crash.world import World
from tests.crash.writers import History, Writer
from tests.storage.redis_server import RedisServer

AMOUNT = 100
VERSIONS = 12
AMOUNT_PAID = "query ($id: ID!) { invoice(id: $id) { amountPaid { minorUnits } status } }"


@pytest.fixture
async def replicas(
    world: World, gateway: GatewayProcess, tmp_path: Path
) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess]]:
    """Both on one Redis; Stripe's webhooks go to the first."""
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = RedisServer(folder)
    await asyncio.to_thread(redis.start)
    other = GatewayProcess(tmp_path, "other")
    world.introduce(other)
    try:
        for one in (gateway, other):
            one.configure(redis_url=redis.url, cache_url=redis.url)
        await asyncio.gather(gateway.start(), other.start())
        yield gateway, other
    finally:
        await other.close()
        await gateway.close()
        await asyncio.to_thread(redis.stop)


@dataclass(slots=True)
class Readers:
    """Reads one invoice on all replicas without pause. Its amount paid only grows, so it is the
    version; `floor` is the newest one that an event has told of. What a read alone has shown is
    none: before its event, another replica may still hold what was before."""

    world: World
    invoice_id: str
    urls: list[str]
    floor: int = 0
    reads: int = 0
    stale: list[tuple[str, int, int]] = field(default_factory=list)

    async def read_for_ever(self, url: str) -> None:
        while True:
            await self.read(url)

    async def read(self, url: str) -> None:
        floor = self.floor
        answer = await data(self.world.session, url, AMOUNT_PAID, id=self.invoice_id)
        version = int(answer["invoice"]["amountPaid"]["minorUnits"])
        if version < floor:
            self.stale.append((url, version, floor))
        self.reads += 1


async def follow(watcher: Watcher, readers: Readers, versions: dict[str, int]) -> None:
    """Raise the floor with every event that the watcher sees, and read everywhere at once."""
    for at in range(VERSIONS):
        await until_true(
            lambda: sum(one["type"] == "PAID" for one in watcher.events) > at,  # noqa: B023
            f"payment {at}",
        )
        event = [one for one in watcher.events if one["type"] == "PAID"][at]
        version = versions[event["invoicePaymentId"]]
        shown = int(event["invoice"]["amountPaid"]["minorUnits"])
        if shown < version:
            readers.stale.append(("stream", shown, version))
        readers.floor = max(readers.floor, version)
        await asyncio.gather(*(readers.read(url) for url in readers.urls))


async def test_nobody_reads_older_state_on_any_replica(
    world: World, replicas: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """What one replica takes in reaches the streams of all, and after it no replica answers with
    what was before, while readers keep the shared cache full."""
    first, second = replicas
    invoice_id = world.open_invoice(AMOUNT * VERSIONS)
    readers = Readers(world, invoice_id, [first.url, second.url])
    versions: dict[str, int] = {}
    intents = [world.succeeded(AMOUNT) for _ in range(VERSIONS)]

    async with (
        watching(world.session, first.url) as near,
        watching(world.session, second.url) as far,
    ):
        reading = [asyncio.create_task(readers.read_for_ever(url)) for url in readers.urls]
        following = [asyncio.create_task(follow(one, readers, versions)) for one in (near, far)]
        for at, intent_id in enumerate(intents, start=1):
            world.twin.attach(invoice_id, intent_id)
            (payment,) = world.twin.invoice_payments.matching("source_id", intent_id)
            versions[payment.id] = AMOUNT * at
            reached = readers.reads + 4
            await until_true(lambda: readers.reads >= reached, "reads")  # noqa: B023
        await asyncio.gather(*following)
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)

    assert readers.stale == []
    assert all(task.cancelled() for task in reading)
    assert near.problems == far.problems == []


async def test_one_replica_is_killed_and_the_other_goes_on(
    world: World, replicas: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """The survivor serves reads, writes and streams, takes the webhooks that come again, and its
    log holds everything once; the dead one resumes with it."""
    first, second = replicas
    invoice_id, intent_id = world.paid_by_two(AMOUNT)
    history = History()
    writer = Writer("survivor", world, second, history, invoice_id, world.succeeded(AMOUNT))

    async with watching(world.session, second.url) as watcher:
        first.kill()
        await first.ended()
        world.twin.detach(invoice_id, intent_id)
        (lost,) = world.event_ids("invoice_payment.detached")
        await until_true(lambda: None in world.answers(lost), "a webhook that nobody takes")
        await world.point_webhooks_at(second)
        await until_true(lambda: watcher.saw(sourceEventId=lost), "it on the other replica")
        await writer.write(2)
        await first.start()
        await world.sandbox.webhooks.idle()
        log = await log_events(world.session, first.url, watcher.first_cursor)
        await until_true(lambda: len(watcher.events) >= len(log), "the whole log")

    assert history.refused == []
    assert [write.key for write in history.acknowledged] == ["survivor-0", "survivor-1"]
    assert repeated(one["sourceEventId"] for one in log if one["sourceEventId"]) == []
    check_stream(watcher, log)
