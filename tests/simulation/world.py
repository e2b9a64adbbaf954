"""One history from its plan: everybody is set up, things happen, and then it has to come to rest.

After the last thing of the plan nothing goes wrong any more. Then every caller must get an answer
that stays, every gateway must write and deliver, and every subscriber must have everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gateway.backends.caching.store import BoundedMemoryCache
from gateway.composition.stores import Stores, open_stores
from gateway.events.log import encode_position
from gateway.settings import Settings
from tests.simulation.boundary import PROCESS, Boundary, Process, task_factory
from tests.simulation.callers import Listener, Writer, read_after
from tests.simulation.documents import LOG, seen_of
from tests.simulation.gateways import Host, Lost
from tests.simulation.happenings import happen
from tests.simulation.history import History, Seen, Subscriber
from tests.simulation.people import decided
from tests.simulation.plan import CREDIT_NOTE, Plan, Write
from tests.simulation.setting import PROBE_INVOICE, set_the_stage
from tests.simulation.stores import Durable
from tests.simulation.stripe_side import StripeSide
from tests.simulation.virtual_time import NothingLeft, Spinning, VirtualLoop, run
from tests.simulation.webhooks import Webhooks
from tests.support.running import as_sent
from tests.support.time_and_ids import START, CountingIds

ACTING_SECONDS_MAX = 900.0
"""Longer than all tries of all callers can take together."""
RESTING_SECONDS_MAX = 900.0
"""For settling, webhooks that come again, and catch-up."""
PROBES_FROM = 900
PROBE_AMOUNT = 7
PROBED_OF = 5


@cache
def in_memory() -> Settings:
    return Settings(log="memory")


@dataclass(frozen=True, slots=True)
class Twist:
    """What a test plants: something of its own around the stores, or into each host."""

    stores: Callable[[Stores], Stores] = lambda stores: stores
    host: Callable[[Host], None] = lambda host: None


class World:
    """Everything of one history."""

    def __init__(self, plan: Plan, history: History, twist: Twist, folder: Path | None) -> None:
        self.plan, self.history, self.twist = plan, history, twist
        self.boundary = Boundary(plan.seed, plan.tempo, plan.faults, history)
        self.boundary.is_quiet = True
        self.leapt = 0
        self.ids = CountingIds()
        self.side = StripeSide(history, self.boundary, self.true_now, self.ids.new)
        self.hosts: list[Host] = []
        self.sources: dict[int, str] = {}
        self.invoice_ids: list[str] = []
        self.others: list[str] = []
        self.elsewhere: list[tuple[str, str]] = []
        self.webhooks = Webhooks(self)
        self.readers: set[asyncio.Task[Any]] = set()
        self.read_only_file = None if folder is None else folder / "read-only"

    def true_now(self) -> int:
        return START + self.leapt + int(asyncio.get_running_loop().time())

    async def until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))

    def since(self, at: float) -> float:
        return at

    @property
    def is_frozen_for_long(self) -> bool:
        """Whether a gateway stands still, so that its callers give up on it."""
        return any(one.kind == "freeze" for one in self.plan.happenings)

    def has_seen(self, seen: Seen) -> None:
        """Now and then somebody who has seen an event asks another gateway."""
        if self.boundary.draw("reads", 7):
            return
        host = self.hosts[self.boundary.draw("reads at", len(self.hosts))]
        token = PROCESS.set(None)
        try:
            task = asyncio.get_running_loop().create_task(read_after(self, host, seen))
        finally:
            PROCESS.reset(token)
        self.readers.add(task)
        task.add_done_callback(self._read)

    def _read(self, task: asyncio.Task[Any]) -> None:
        """A reader that falls over has compared nothing, which is a finding."""
        self.readers.discard(task)
        if not task.cancelled() and (trouble := task.exception()) is not None:
            self.history.trouble.append(f"a reader fell over: {trouble!r}")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        self.boundary.on_crash = self._crashed
        async with AsyncExitStack() as stack:
            await self._set_up(stack)
            listeners = [await self._listening(number) for number in range(len(self.plan.readings))]
            writers = [Writer(self, one) for one in self.plan.writes]
            self.boundary.is_quiet = False
            try:
                await self._act(writers)
                await self._come_to_rest(writers, listeners)
            finally:
                for host in self.hosts:
                    host.die()

    async def _set_up(self, stack: AsyncExitStack) -> None:
        set_the_stage(self)
        clock = _ContextClock(self)
        stores = await open_stores(in_memory(), clock, self.ids, stack)
        cache = BoundedMemoryCache(asyncio.get_running_loop().time)
        durable = Durable(
            stores, cache, self.plan.is_shared, self.boundary, wraps=self.twist.stores
        )
        self.durable = durable
        for number in range(self.plan.gateways):
            host = Host(
                number,
                self.plan,
                self.side,
                durable,
                self.boundary,
                self.ids,
                self.true_now,
                self.read_only_file,
            )
            self.twist.host(host)
            self.hosts.append(host)
            host.start()
        for host in self.hosts:
            await host.came_up.wait()
        self.side.open_for_business()
        self.side.on_event = self.webhooks.offer

    async def _listening(self, number: int) -> Listener:
        reading = self.plan.readings[number]
        subscriber = Subscriber(f"subscriber {number}")
        self.history.subscribers.append(subscriber)
        listener = Listener(self, reading, subscriber)
        self._keep(listener.run())
        if reading.at == 0:
            await listener.first.wait()
        return listener

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.readers.add(task)
        task.add_done_callback(self.readers.discard)

    def _crashed(self, process: Process) -> None:
        host = self.hosts[process.number]
        if host.process is process:
            host.die()
            loop = asyncio.get_running_loop()
            loop.call_later(2.0, self._start_again, host)

    def _start_again(self, host: Host) -> None:
        if host.process is None or not host.process.is_alive:
            host.start()

    async def _act(self, writers: list[Writer]) -> None:
        acts = [one.run() for one in writers]
        acts += [happen(self, one) for one in self.plan.happenings]
        try:
            async with asyncio.timeout(ACTING_SECONDS_MAX):
                await asyncio.gather(*acts)
        except TimeoutError:
            self.history.trouble.append(f"callers were not through after {ACTING_SECONDS_MAX:g} s")

    async def _come_to_rest(self, writers: list[Writer], listeners: list[Listener]) -> None:
        loop = asyncio.get_running_loop()
        self.boundary.is_quiet = True
        self.history.faults_end = loop.time()
        self.boundary.tell("--- from here on nothing goes wrong")
        if self.read_only_file is not None:
            self.read_only_file.unlink(missing_ok=True)
        for host in self.hosts:
            host.skew = 0
            if host.process is None or not host.process.is_alive:
                host.start()
        for host in self.hosts:
            async with asyncio.timeout(60):
                await host.came_up.wait()
            assert host.gateway is not None
            host.gateway.rereading.again()
        self.webhooks.release()
        await asyncio.gather(*(one.finish() for one in writers))
        if await decided(self.durable.stores.journal, self.side.twin):
            await asyncio.gather(*(one.finish() for one in writers))
        await self._probe()
        await self._drain(listeners)

    def _probed(self) -> list[Host]:
        """All of them, in some histories only: each costs as much as a write."""
        return self.hosts if self.plan.seed % PROBED_OF == 0 else []

    async def _probe(self) -> None:
        """A gateway must still be able to write."""
        probes = []
        for host in self._probed():
            number = PROBES_FROM + host.number
            write = Write(
                number, CREDIT_NOTE, len(self.invoice_ids), PROBE_AMOUNT, 0.0, host.number
            )
            self.sources[number] = ""
            probes.append(Writer(self, write))
        self.invoice_ids.append(PROBE_INVOICE)
        await asyncio.gather(*(one.finish() for one in probes))
        for probe in probes:
            if probe.calls[-1].code != "OK":
                self.history.trouble.append(
                    f"gateway {probe.calls[-1].gateway} cannot write at the end: "
                    f"{probe.calls[-1].code}"
                )

    async def _drain(self, listeners: list[Listener]) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + RESTING_SECONDS_MAX
        while loop.time() < ends:
            await asyncio.sleep(1.0)
            if await self._is_at_rest(listeners):
                await self._read_log()
                if self.history.trouble or await self._is_read(listeners):
                    self.history.drained = True
                    break
        else:
            await self._read_log()
        self.history.unfinished = await self.durable.unfinished()

    async def _is_read(self, listeners: list[Listener]) -> bool:
        """Whether nothing was told while the log was read, as by a catch-up that was under way."""
        last = (await self.durable.stores.log.bounds()).last
        return len(self.history.log) == last and await self._is_at_rest(listeners)

    async def _is_at_rest(self, listeners: list[Listener]) -> bool:
        if self.webhooks.under_way or any(one.subscriber.begins is None for one in listeners):
            return False
        now = asyncio.get_running_loop().time()
        if now <= self.boundary.last_arrival + 1.0:
            return False
        lost_at = self.webhooks.lost_at
        waits_until = max(lost_at or 0.0, self.history.faults_end) + self.plan.catch_up_seconds + 20
        if lost_at is not None and now < waits_until:
            return False
        if await self.durable.unfinished():
            return False
        last = (await self.durable.stores.log.bounds()).last
        entries = await self.durable.stores.log.read(last - 1, 1)
        if not entries:
            return True
        at_end = encode_position(self.durable.stores.log.epoch, last)
        return all(one.subscriber.cursor == at_end for one in listeners)

    async def _read_log(self) -> None:
        """The whole log, by the API."""
        self.history.log.clear()
        self.history.log.clear()
        await self.hosts[0].came_up.wait()  # it may have died of the last fault, too late to count
        after: str | None = None
        while True:
            try:
                answer = await self.hosts[0].ask(LOG, {"after": after})
            except Lost:
                self.history.trouble.append("the log cannot be read at the end")
                return
            page = as_sent(answer)["data"]["invoicePaymentEvents"]
            for node in page["nodes"]:
                self.history.log.append(seen_of({**node}, 0.0, 0, False))
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]


@dataclass(slots=True)
class _ContextClock:
    """The wall clock of whichever gateway asks: a store in it has no other."""

    world: World

    def now(self) -> int:
        process = PROCESS.get()
        return self.world.true_now() + (0 if process is None else process.clock_skew())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def play(
    plan: Plan, *, with_story: bool = False, twist: Twist = Twist(), folder: Path | None = None
) -> History:
    """The history of this plan."""
    history = History(story=[] if with_story else None)

    async def whole() -> None:
        await World(plan, history, twist, folder).run()

    try:
        run(whole(), VirtualLoop())
    except (NothingLeft, Spinning, TimeoutError) as trouble:
        history.trouble.append(f"it does not end: {type(trouble).__name__} {trouble}")
    return history
