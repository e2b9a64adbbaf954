"""Those who use the gateways in a history: callers who write, subscribers, and who reads after.

They know the API and nothing else. Each notes what it was told.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.execution.operation import Answer
from tests.simulation.documents import (
    EVENTS,
    INVOICE,
    document_of,
    seen_of,
    state_of,
    told,
    variables_of,
)
from tests.simulation.gateways import Host, Lost
from tests.simulation.history import GONE, LOST, OK, Call, Read, Seen, Subscriber
from tests.simulation.plan import REALLOCATE, TICK, Reading, Write
from tests.support.running import as_sent

if TYPE_CHECKING:
    from tests.simulation.world import World

GIVES_UP_AFTER = 90.0
"""A caller does not wait longer; the checker holds the gateway to less."""
STEPS_MAX = 3
"""Of one who moves a payment: it is taken off, not taken, and put back."""
LAST_TRIES_MAX = 36
"""Longer than what was sent can be on its way: in the end it is known that it never came."""
LAST_WAIT = 20.0
ENDS = frozenset({OK})
OPEN = frozenset(
    {
        LOST,
        GONE,
        "PENDING",
        "UPSTREAM_OUTCOME_UNKNOWN",
        "IDEMPOTENCY_IN_PROGRESS",
        "UPSTREAM_RATE_LIMITED",
        "UPSTREAM_UNAVAILABLE",
        "READ_ONLY",
    }
)


def is_final(call: Call) -> bool:
    """Whether a caller has nothing more to ask."""
    if call.code in OPEN:
        return call.code == "UPSTREAM_OUTCOME_UNKNOWN" and not call.retryable
    return not call.code.startswith("ERROR")


@dataclass(slots=True)
class Writer:
    """The caller of one write."""

    world: World
    write: Write
    calls: list[Call] = field(default_factory=list)

    async def run(self) -> None:
        write, world = self.write, self.world
        await world.until(write.at)
        doubled = None
        if write.doubles is not None:
            doubled = asyncio.create_task(self._doubled(write.doubles))
        await self._try(write.gateway, cancels_after=write.cancels_after)
        for number, (wait, gateway) in enumerate(write.tries):
            last = self.calls[-1]
            if is_final(last) and not (last.code == OK and write.repeats_success):
                break
            await asyncio.sleep(wait)
            other = write.changes_mind and number == 0
            await self._try(gateway, other=other)
        if doubled is not None:
            await doubled

    async def _doubled(self, wait: float) -> None:
        await asyncio.sleep(wait)
        await self._try((self.write.gateway + 1) % len(self.world.hosts))

    async def finish(self) -> None:
        """Now that nothing goes wrong any more: repeat until there is an answer that stays."""
        for number in range(LAST_TRIES_MAX):
            mine = [one for one in self.calls if not one.other_input]
            if mine and is_final(mine[-1]) and (number > 0 or mine[-1].code != OK):
                if number > 0 or not self._has_doubt():
                    return
            elif mine and mine[-1].code == OK and not self.write.repeats_success:
                return
            if number:
                await asyncio.sleep(LAST_WAIT)
            await self._try(self.write.gateway)

    def _has_doubt(self) -> bool:
        """Whether a try ended openly after the last that ended for good, or at the same time."""
        codes = [one.code for one in self.calls]
        return any(code in OPEN for code in codes)

    async def _try(
        self, number: int, *, other: bool = False, cancels_after: float | None = None
    ) -> None:
        world, write = self.world, self.write
        host = world.hosts[number % len(world.hosts)]
        loop = asyncio.get_running_loop()
        call = Call(write.number, host.name, loop.time(), world.true_now(), other_input=other)
        self.calls.append(call)
        world.history.calls.append(call)
        source = world.sources[write.number]
        invoice_id = world.invoice_ids[write.invoice]
        to = world.invoice_ids[world.plan.target(write)]
        variables = variables_of(write, invoice_id, source, to=to, other=other)
        world.boundary.tell(
            "caller {}: {} at {}{}", write.key, write.kind, host.name, " (other)" if other else ""
        )
        words = ""
        patience = GIVES_UP_AFTER * (STEPS_MAX if write.kind == REALLOCATE else 1)
        limit = patience if cancels_after is None else cancels_after
        try:
            async with asyncio.timeout(limit):
                answer = await host.ask(document_of(write), variables, call)
            words = told(call, answer.body)
        except TimeoutError:
            call.code = GONE
            if cancels_after is None and not world.is_frozen_for_long:
                world.history.trouble.append(f"{write.key} got no answer within {limit:g} s")
        except Lost:
            call.code = LOST
        call.ended = loop.time()
        world.boundary.tell("caller {}: told {} {}", write.key, call.code, words)


@dataclass(slots=True)
class Listener:
    """One subscriber over all its connections."""

    world: World
    reading: Reading
    subscriber: Subscriber
    connected: bool = False
    connections: int = 0
    first: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0

    async def run(self) -> None:
        """Listen for ever, from where it was; cut off when the plan says so."""
        await self.world.until(self.reading.at)
        self._number = self.reading.gateway
        cuts = list(self.reading.cuts)
        while True:
            cut_at, goes_to = cuts[0] if cuts else (None, self._number)
            try:
                await self._connected(cut_at)
            except TimeoutError:
                cuts.pop(0)
                self._number = goes_to
                self.world.boundary.tell("{}: is cut off", self.subscriber.name)
            except (Lost, OSError):
                self._number = (self._number + 1) % len(self.world.hosts)
            self.connected = False
            await asyncio.sleep(4 * TICK)

    async def _connected(self, cut_at: float | None) -> None:
        host = self.world.hosts[self._number % len(self.world.hosts)]
        at = None if cut_at is None else self.world.since(cut_at)
        self.connections += 1
        async with asyncio.timeout_at(at):
            await host.listen(EVENTS, {"after": self.subscriber.cursor}, self._take)

    def _take(self, answer: Answer) -> float:
        """One item; the pause before the next."""
        world, subscriber = self.world, self.subscriber
        data = answer.body.get("data") or {}
        item: dict[str, Any] | None = data.get("invoicePaymentEvents")
        if item is None:
            world.boundary.tell("{}: stream error {}", subscriber.name, answer.body)
            return 0.0
        if item["__typename"] == "InvoicePaymentEvent":
            now = asyncio.get_running_loop().time()
            has_errors = bool(answer.body.get("errors"))
            seen = seen_of(item, now, world.side.twin.version, has_errors)
            subscriber.seen.append(seen)
            subscriber.cursor = seen.cursor
            world.boundary.tell(
                "{}: got {} {} {} paid={}",
                subscriber.name,
                seen.raw_type,
                seen.source_event_id,
                seen.payment_id,
                seen.state and seen.state[1:3],
            )
            world.has_seen(seen)
            return self.reading.slow
        if item["__typename"] == "StreamGap":
            subscriber.gaps.append(item["reason"])
            world.boundary.tell("{}: gap {}", subscriber.name, item)
            if item["reason"] != "SLOW_CONSUMER":
                subscriber.cursor = item["resumesAt"]
            return 0.0
        self.connected = True
        if subscriber.begins is None:
            subscriber.begins = item["cursor"]
            self.first.set()
        subscriber.cursor = item["cursor"]
        return 0.0


async def read_after(world: World, host: Host, seen: Seen) -> None:
    """A reader who has heard of the event asks for its invoice, wherever it may."""
    try:
        answer = await host.ask(INVOICE, {"id": seen.invoice_id})
    except Lost:
        return
    invoice = (as_sent(answer).get("data") or {}).get("invoice")
    state = state_of(invoice)
    if invoice is None or state is None or invoice.get("payments") is None:
        return
    payments = frozenset((one["id"], one["status"].lower()) for one in invoice["payments"]["nodes"])
    now = asyncio.get_running_loop().time()
    world.history.reads.append(Read(now, host.name, seen.invoice_id, seen, state, payments))
