"""Stripe's deliveries: signed anew for each try, to any gateway, again until one takes them.

The plan says in which manner: prompt, doubled, shuffled, withheld until the faults are over, or
lost, so that only catch-up can find them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.sandbox.stripe_api.account import StoredEvent
from gateway.sandbox.stripe_api.webhooks import signature
from tests.simulation.gateways import SECRET
from tests.simulation.plan import TICK

if TYPE_CHECKING:
    from tests.simulation.world import World

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
LOST_OF_FOUR = 2


@dataclass(slots=True)
class Webhooks:
    """The deliveries of one account."""

    world: World
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    withheld: list[StoredEvent] = field(default_factory=list)
    lost_at: float | None = None

    def offer(self, event: StoredEvent) -> None:
        world = self.world
        match world.plan.webhooks:
            case "withheld" if not world.boundary.is_quiet:
                self.withheld.append(event)
            case "lost" if not world.boundary.is_quiet and (
                world.boundary.draw("lost", 4) < LOST_OF_FOUR
            ):
                self.lost_at = asyncio.get_running_loop().time()
                world.boundary.tell("Stripe: no webhook is ever sent for {}", event.id)
            case "doubled":
                self._send(event)
                self._send(event)
            case _:
                self._send(event)

    def release(self) -> None:
        for event in self.withheld:
            self._send(event)
        self.withheld.clear()

    def _send(self, event: StoredEvent) -> None:
        task = asyncio.get_running_loop().create_task(self._delivered(event))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _delivered(self, event: StoredEvent) -> None:
        world = self.world
        tries = 0
        while True:
            fault = world.boundary.fate("webhook", event.type)
            wait = world.boundary.wait_of("webhook", "send")
            if world.plan.webhooks == "shuffled":
                wait += world.boundary.draw("shuffle", 16) * TICK
            await asyncio.sleep(wait if fault is None else wait + fault.seconds)
            host = world.hosts[world.boundary.draw("webhook to", len(world.hosts))]
            payload = event.body
            header = signature(SECRET, payload, world.true_now())
            status = await host.deliver(payload, header)
            world.boundary.tell("webhook {} to {}: {}", event.id, host.name, status)
            if status == 200:
                return
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1
