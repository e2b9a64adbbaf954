"""Stripe's deliveries: signed anew for each try, to any gateway, again until one takes them.

The plan says in which manner: prompt, doubled, shuffled, withheld until the faults are over, or
lost, so that only catch-up can find them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from gateway.ledger.facts import NO_THIN
from gateway.sandbox.stripe_api.account import StoredEvent, ThinEvent
from gateway.sandbox.stripe_api.thin_events import notification
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
        """Send it in the manner of the plan, where it is in a form that is asked for."""
        world = self.world
        if event.payload not in world.plan.sends:
            if event.payload == "snapshot" and event.type in NO_THIN:
                self._never_sent(event)
            return
        match world.plan.webhooks:
            case "withheld" if not world.boundary.is_quiet:
                self.withheld.append(event)
            case "lost" if not world.boundary.is_quiet and (
                world.boundary.draw("lost", 4) < LOST_OF_FOUR
            ):
                self._never_sent(event)
            case "doubled":
                self._send(event)
                self._send(event)
            case _:
                self._send(event)

    def _never_sent(self, event: StoredEvent) -> None:
        self.lost_at = asyncio.get_running_loop().time()
        self.world.boundary.tell("Stripe: no webhook is ever sent for {}", event.id)

    def release(self) -> None:
        for event in self.withheld:
            self._send(event)
        self.withheld.clear()

    def _send(self, event: StoredEvent) -> None:
        task = asyncio.get_running_loop().create_task(self._delivered(event))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    def _payload(self, event: StoredEvent) -> bytes:
        if not isinstance(event, ThinEvent):
            return event.body
        boundary, plan = self.world.boundary, self.world.plan
        is_said = boundary.draw("said", 4) >= plan.unsaid_of_four
        return orjson.dumps(notification(event, names_snapshot_event=is_said))

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
            payload = self._payload(event)
            header = signature(SECRET, payload, world.true_now())
            status = await host.deliver(payload, header)
            world.boundary.tell("webhook {} to {}: {}", event.id, host.name, status)
            if status == 200:
                return
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1
