"""The killer: a gateway dies in the middle of writes and webhooks, again and again."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from dataclasses import dataclass

import pytest

from gateway.backends.memory.twin import TwinEvent
from tests.crash.checker import check_log, check_state, check_stream, missing
from tests.crash.processes import GatewayProcess
from tests.crash.waiting import WAIT_SECONDS_MAX, until, until_true
from tests.crash.watcher import Event, Watcher, log_events, watching
from tests.crash.world import World
from tests.crash.writers import History, Mover, Stranger, Writer

ROUNDS = int(os.environ.get("GATEWAY_CRASH_ROUNDS", "2"))
SEED = int(os.environ.get("GATEWAY_CRASH_SEED", random.randrange(10**6)))
"""Of the first round; each further one has the next number."""
KILLS = 2
MOMENTS = ("applied", "acknowledged", "delivered")
AMOUNT = 1000
INVOICES = 2
WRITERS_PER_INVOICE = 3
WRITES = 6
"""Of each writer."""
SLICE_SECONDS_MAX = 0.03
"""About as long as a write takes, so that the kill falls anywhere in it."""


class Killer:
    """Kills the gateway at a moment that chance has chosen beforehand."""

    def __init__(self, world: World, gateway: GatewayProcess, history: History) -> None:
        self._world = world
        self._gateway = gateway
        self._history = history

    async def strike(self, moment: str, count: int, delay_seconds: float) -> None:
        """Kill it at the `count`th of these moments from now on, and start it again."""
        if moment == "applied":
            await self._amid_a_write(count)
        else:
            await self._after(moment, count, delay_seconds)
        self._gateway.kill()
        await self._gateway.ended()
        await self._gateway.start()

    async def _amid_a_write(self, count: int) -> None:
        """Stripe has done it, and the gateway never reads the answer."""
        seen = 0

        def applied(event: TwinEvent) -> None:
            nonlocal seen
            seen += event.request.idempotency_key is not None
            if seen == count:
                self._gateway.kill()

        self._world.twin.listeners.append(applied)
        await until_true(lambda: seen >= count, f"{count} events of writes")
        self._world.twin.listeners.remove(applied)

    async def _after(self, moment: str, count: int, delay_seconds: float) -> None:
        def reached() -> int:
            if moment == "acknowledged":
                return len(self._history.acknowledged)
            return sum(one.status == 200 for one in self._world.sandbox.webhooks.deliveries)

        begun = reached()
        await until_true(lambda: reached() >= begun + count, f"{count} times {moment}")
        await asyncio.sleep(delay_seconds)


@dataclass(slots=True)
class Round:
    """Who takes part in one round."""

    history: History
    writers: list[Writer]
    strangers: list[Stranger]


def staged(world: World, gateway: GatewayProcess) -> Round:
    """On each invoice several writers and a stranger, and one who moves a payment between two;
    each with an intent of its own."""
    history = History()
    writers, strangers = list[Writer](), list[Stranger]()
    for at in range(INVOICES):
        invoice_id = world.open_invoice(AMOUNT * (WRITERS_PER_INVOICE + 2))
        strangers.append(Stranger(world, invoice_id, world.succeeded(AMOUNT)))
        for of_invoice in range(WRITERS_PER_INVOICE):
            intent_id = world.succeeded(AMOUNT)
            name = f"{at}-{of_invoice}"
            writers.append(Writer(name, world, gateway, history, invoice_id, intent_id))
    ends = [one.invoice_id for one in strangers]
    intent_id = world.succeeded(AMOUNT)
    writers.append(Mover("moving", world, gateway, history, ends[0], intent_id, ends[1]))
    return Round(history, writers, strangers)


async def write_and_disturb(part: Round, chance: random.Random) -> None:
    """All writers at once, and a stranger's change after every other write."""
    noted = 0

    def disturb() -> None:
        nonlocal noted
        noted += 1
        if noted % 2 == 0:
            chance.choice(part.strangers).change()

    part.history.noted = disturb
    await asyncio.gather(
        *(writer.write(chance.randint(WRITES - 1, WRITES + 1)) for writer in part.writers)
    )


async def settled(
    world: World, gateway: GatewayProcess, part: Round, watcher: Watcher
) -> list[Event]:
    """The log once all webhooks were taken and it holds what it owes, and the stream has come as
    far."""
    log: list[Event] = []

    async def is_settled() -> bool:
        log[:] = await log_events(world.session, gateway.url, watcher.first_cursor)
        is_owed = missing(world, part.history, log)
        return not is_owed and watcher.cursors[-1:] == [event["cursor"] for event in log][-1:]

    async with asyncio.timeout(WAIT_SECONDS_MAX):
        await world.sandbox.webhooks.idle()
    with suppress(AssertionError):  # the checker says better what is missing
        await until(is_settled, "a log that holds everything")
    return log


@pytest.mark.parametrize("of_round", range(ROUNDS))
async def test_killer(of_round: int, world: World, gateway: GatewayProcess) -> None:
    """Every acknowledged write and every event of Stripe's is there exactly once after kills at
    any moment, and a stream that resumes by its cursor sees each once and in order."""
    seed = SEED + of_round  # Not in the name, which must be the same in each parallel worker.
    print(f"repeat with GATEWAY_CRASH_ROUNDS=1 GATEWAY_CRASH_SEED={seed}")  # noqa: T201
    chance = random.Random(seed)
    part = staged(world, gateway)
    killer = Killer(world, gateway, part.history)
    await gateway.start()

    async with watching(world.session, gateway.url) as watcher:
        load = asyncio.create_task(write_and_disturb(part, chance))
        for _ in range(KILLS):
            moment = chance.choice(MOMENTS)
            await killer.strike(moment, chance.randint(1, 4), chance.uniform(0, SLICE_SECONDS_MAX))
        await load
        log = await settled(world, gateway, part, watcher)

    check_state(world, part.history, part.strangers)
    check_log(world, part.history, log)
    check_stream(watcher, log)
