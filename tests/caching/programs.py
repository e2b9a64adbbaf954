"""What goes on at the same time: readers, writers, events and evictions, on one or two replicas.

A program runs over gated caches and backends, so that at every await any other part of it can
move. Every answer is checked against what its reader had a right to when it began; in the end,
all replicas must know the last version of everything.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product

from hypothesis import strategies as st

from gateway.backends.caching.policy import dropped_by
from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import Cache, CacheStore
from schema.ports import Meter, Viewer
from tests.caching.gated import GatedBackend, GatedCache, Trouble
from tests.caching.stepping import Schedule, Switch
from tests.caching.world import CUSTOMERS, INVOICES, OPERATOR, PARTNER, READS, World

NEVER = 1e9
"""No time limit: the schedule decides what is late."""
TRIES_MAX = 20
"""Whoever brought an event brings it again until its drop succeeds."""
EVERYTHING = tuple(range(len(READS)))


@dataclass(frozen=True, slots=True)
class Read:
    """One reader, who asks `times` times, and perhaps goes away before a first answer."""

    replica: int
    needs: int
    viewer: Viewer = OPERATOR
    times: int = 1
    goes_away: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One change behind the cache, and the event about it."""

    replica: int
    invoice_id: str
    detaches: bool = False


class Late(enum.Enum):
    """What an event's read has to find out before it can be dropped."""

    NOTHING = "nothing"
    CUSTOMER = "whose the invoice is"
    INVOICE = "which invoice it is about"


@dataclass(frozen=True, slots=True)
class Event:
    """One change behind the cache, whose event reads the invoice once and keeps what it brings."""

    replica: int
    invoice_id: str
    detaches: bool = False
    late: Late = Late.NOTHING


@dataclass(frozen=True, slots=True)
class Evict:
    """The cache forgets one of its keys."""

    replica: int
    key: int


Part = Read | Write | Event | Evict
VIEWERS = st.sampled_from((OPERATOR, OPERATOR, PARTNER))
REPLICAS = st.integers(0, 1)
READERS = st.builds(
    Read, REPLICAS, st.sampled_from(EVERYTHING), VIEWERS, st.integers(1, 3), st.booleans()
)
WRITERS = st.builds(Write, REPLICAS, st.sampled_from(INVOICES), st.booleans())
EVICTIONS = st.builds(Evict, REPLICAS, st.integers(0, 30))
EVENTS = st.builds(Event, REPLICAS, st.sampled_from(INVOICES), st.booleans(), st.sampled_from(Late))
PROGRAMS = st.lists(READERS | WRITERS | EVENTS | READERS | EVICTIONS, min_size=2, max_size=7)
SWITCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=8)
TROUBLES = st.lists(st.sampled_from([Trouble.NONE] * 9 + list(Trouble)), max_size=80)


@dataclass(slots=True)
class Stand:
    """One world, and the replicas that look at it."""

    schedule: Schedule
    caches: list[GatedCache]
    world: World = field(default_factory=World)
    is_shared: bool = True
    replicas: list[CachingReads] = field(init=False)

    def __post_init__(self) -> None:
        self.replicas = [
            CachingReads(
                GatedBackend(self.world.stage.twin, self.schedule),
                CacheStore(cache, seconds_max=NEVER),
                lambda: self.world.stage.ids.new("tok"),
                self.world.stage.clock.now,
                is_shared=self.is_shared,
            )
            for cache in self.caches
        ]

    async def perform(self, program: Sequence[Part], finals: Sequence[int]) -> list[int]:
        """Run all parts at once, then see that everybody has heard of everything; how many could
        have gone on at each step of the parts."""
        await asyncio.gather(*(self._part(part) for part in program))
        await asyncio.gather(*(late for cache in self.caches for late in cache.late))
        choices = self.schedule.choices[:]
        self.schedule.settle()
        for replica, needs in product(range(len(self.replicas)), finals):
            await self._ask(Read(replica, needs))
        for backend in self.replicas:
            await backend.close()
        return choices

    async def _part(self, part: Part) -> None:
        await self.schedule.step()
        match part:
            case Read():
                await self._read(part)
            case Write():
                await self._write(part)
            case Event():
                await self._event(part)
            case Evict():
                await self.caches[part.replica % len(self.caches)].evict(part.key)

    async def _read(self, read: Read) -> None:
        if read.goes_away:
            going = asyncio.ensure_future(self._ask(read))
            await self.schedule.step()
            going.cancel()
            await asyncio.wait([going])
            assert going.cancelled() or going.exception() is None
        for _ in range(read.times):
            await self._ask(read)

    async def _ask(self, read: Read) -> None:
        rights = self.world.rights()
        needs = READS[read.needs]
        tree = await self._backend(read.replica).load(read.viewer, needs, Meter("reader"))
        self.world.check(rights, needs, tree, read.viewer)

    async def _event(self, event: Event) -> None:
        """As the intake takes it in: drop, read, drop what the read has shown, keep, and append."""
        move_on = self.world.detach if event.detaches else self.world.change
        change, customer_id = move_on(event.invoice_id), CUSTOMERS[event.invoice_id]
        first = (
            None if event.late is Late.INVOICE else event.invoice_id,
            None if event.late is Late.CUSTOMER else customer_id,
        )
        coming = [
            ("Invoice", event.invoice_id),
            *(("InvoicePayment", one) for one in change.removed),
        ]
        await self.schedule.step()
        for _ in range(TRIES_MAX):
            try:
                async with self._backend(event.replica).renewing(
                    dropped_by(*first, None), coming
                ) as renewal:
                    await self.schedule.step()
                    harvest = self.world.harvest(event.invoice_id, change.removed)
                    await self.schedule.step()
                    if event.late is Late.INVOICE:
                        await renewal.drop(dropped_by(event.invoice_id, None, None))
                    if event.late is Late.CUSTOMER:
                        await renewal.drop(dropped_by(None, customer_id, None))
                    await renewal.keep(harvest)
            except OSError:
                continue
            self.world.dropped(change)
            return

    async def _write(self, write: Write) -> None:
        move_on = self.world.detach if write.detaches else self.world.change
        change, customer_id = move_on(write.invoice_id), CUSTOMERS[write.invoice_id]
        await self.schedule.step()
        for _ in range(TRIES_MAX):
            try:
                await self._backend(write.replica).drop(write.invoice_id, customer_id, None)
            except OSError:
                continue
            self.world.dropped(change)
            return

    def _backend(self, replica: int) -> CachingReads:
        return self.replicas[replica % len(self.replicas)]


def perform(
    program: Sequence[Part],
    switches: Iterable[Switch],
    caches: Callable[[], list[Cache]],
    *,
    troubles: Iterable[Trouble] = (),
    is_shared: bool = True,
    finals: Sequence[int] = EVERYTHING,
) -> list[int]:
    """Run a program on a schedule; how many could have gone on at each step. Raises
    `AssertionError` if stale.

    `caches` are what the replicas hold: one for each, or one that they share, or one process's own.
    """
    schedule, trouble = Schedule(switches), iter(troubles)

    async def main() -> list[int]:
        given = caches()
        gated = {id(cache): GatedCache(cache, schedule, trouble) for cache in given}
        stand = Stand(schedule, [gated[id(cache)] for cache in given], is_shared=is_shared)
        return await stand.perform(program, finals)

    return schedule.run(main)


def with_every_switch(parts: int, perform: Callable[[list[Switch]], list[int]]) -> int:
    """Perform with every schedule of up to two switches, each once; how many there are."""
    count = 1
    for first, one in _switches(parts, perform([])):
        count += 1
        for second, other in _switches(parts, perform([(first, one)])[first + 1 :]):
            perform([(first, one), (second, other)])
            count += 1
    return count


def _switches(parts: int, choices: list[int]) -> list[Switch]:
    """Those that change anything: there is somebody else to go on, and each of them once."""
    return [
        (step, turn)
        for step, waiting in enumerate(choices)
        for turn in range(1, min(parts, waiting))
    ]
