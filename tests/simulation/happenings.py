"""What the plan lets happen beside the writes: to gateways, to clocks, and at Stripe by others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from schema.ports import Refused
from tests.simulation.gateways import Host
from tests.simulation.plan import Happening

if TYPE_CHECKING:
    from tests.simulation.world import World


async def happen(world: World, one: Happening) -> None:
    """Let it happen at its time, to its end."""
    await world.until(one.at)
    host = world.hosts[one.gateway % len(world.hosts)]
    match one.kind:
        case "kill":
            host.die()
            await asyncio.sleep(one.seconds)
            if host.process is None or not host.process.is_alive:
                host.start()
        case "stop":
            await host.stop()
            await asyncio.sleep(one.seconds)
            if host.process is None or not host.process.is_alive:
                host.start()
        case "freeze":
            await _freeze(world, host, one.seconds)
        case "skew":
            world.boundary.tell("{}: its clock is off by {} s", host.name, one.amount)
            host.skew = one.amount
            await asyncio.sleep(one.seconds)
            host.skew = 0
        case "read_only":
            await _read_only(world, one.seconds)
        case "leap":
            await _leap(world, one)
        case _:
            _at_stripe(world, one)


async def _freeze(world: World, host: Host, seconds: float) -> None:
    """The process stands still, with all that it is in the middle of."""
    if host.process is None:
        return
    world.boundary.tell("{}: stands still for {} s", host.process.name, seconds)
    host.process.frozen_until = asyncio.get_running_loop().time() + seconds
    await asyncio.sleep(seconds)


async def _read_only(world: World, seconds: float) -> None:
    if world.read_only_file is None:
        return
    world.boundary.tell("all: read-only for {} s", seconds)
    world.read_only_file.touch()
    _look_again(world)
    await asyncio.sleep(seconds)
    world.read_only_file.unlink(missing_ok=True)
    _look_again(world)


def _look_again(world: World) -> None:
    for host in world.hosts:
        if host.gateway is not None:
            host.gateway.rereading.again()


async def _leap(world: World, one: Happening) -> None:
    """Hours pass: with the gateways down, or with the whole machine asleep."""
    goes_down = one.amount == 0
    if goes_down:
        for host in world.hosts:
            host.die()
    world.boundary.tell("all: {} h pass", one.seconds / 3600)
    world.leapt += int(one.seconds)
    world.history.leaps.append(one.seconds)
    if goes_down:
        await asyncio.sleep(1.0)
        for host in world.hosts:
            if host.process is None or not host.process.is_alive:
                host.start()


def _at_stripe(world: World, one: Happening) -> None:
    """Others do something at Stripe; what is not possible any more is left."""
    twin = world.side.twin
    try:
        match one.kind:
            case "settles":
                world.boundary.tell("Stripe: {} succeeds", world.sources[one.amount])
                twin.progress(world.sources[one.amount], "succeeded")
            case "paid_elsewhere":
                for _ in range(one.amount):
                    intent_id = world.others.pop()
                    invoice_id = world.invoice_ids[one.gateway % world.plan.invoices]
                    twin.attach(invoice_id, intent_id)
                    world.elsewhere.append((invoice_id, intent_id))
            case "taken_elsewhere":
                if world.elsewhere:
                    twin.detach(*world.elsewhere.pop())
            case "closes":
                return  # Stripe's side waits for the moment.
            case _:
                raise AssertionError(one.kind)
    except Refused as refused:
        world.boundary.tell("Stripe: not possible: {}", refused.message)
