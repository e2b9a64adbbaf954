"""A few facts at Stripe and every source that tells of them, at random, over replicas that share a
log: webhooks of both kinds, announcements of our own writes, and catch-up with both lists.

Time is virtual and every choice is drawn from the seed, so that a seed is one interleaving. The
intake, the feed, catch-up, the journal and the sandbox's printing of events are the real ones.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from gateway.backends.harvest import EventRead
from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import TwinEvent
from gateway.composition.gateway import callers_of, entry_of
from gateway.events.catch_up import ListCatchUp
from gateway.events.catch_up_progress import MemoryProgress, Progress
from gateway.events.event_ids import read_event
from gateway.events.feed import Feed, Follower
from gateway.events.hints import THIN_TYPES, Hint
from gateway.events.intake import Intake
from gateway.events.log import LogEntry, MemoryEventLog, encode_position
from gateway.sandbox.stripe_api.account import Account, StoredEvent, ThinEvent
from gateway.sandbox.stripe_api.events import EventBook
from gateway.sandbox.stripe_api.service import VERSION
from gateway.sandbox.stripe_api.thin_events import notification
from gateway.sandbox.twin_events import TwinLookup, Uncached
from schema.ports import (
    Command,
    CreateCreditNote,
    ErrorCode,
    EventOrigin,
    Failed,
    InvoicePaymentEvent,
    Meter,
    Outcome,
    StreamGap,
    Viewer,
)
from tests.events.channel import EPOCH, EVERYTHING, OPERATOR
from tests.simulation.boundary import PROCESS, Boundary, Process, task_factory
from tests.simulation.history import History
from tests.simulation.plan import Fault
from tests.simulation.stores import Appended, FollowedLogAcross
from tests.support.stage import Stage
from tests.support.time_and_ids import START

T = TypeVar("T")
ACCOUNT = "acct_1"
PARTNER = Viewer("partner")
RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0)
REST_SECONDS_MAX = 600.0
READING_SECONDS = 30.0
"""What readers have not heard by then, while nothing goes wrong, they never hear."""


@dataclass(slots=True)
class Attempt:
    """One source that brings a fact once; what it has asked Stripe, and whether that was in vain
    because it broke off afterwards."""

    fact_id: str
    calls: list[str] = field(default_factory=list)
    was_in_vain: bool = True


ATTEMPT: ContextVar[Attempt | None] = ContextVar("ATTEMPT", default=None)
"""Whoever arrives first of those who share a read has it made in its name."""


class AskedStripe:
    """What one process asks Stripe and has learned of it; each call that gets there is counted."""

    def __init__(self, inner: TwinLookup, boundary: Boundary) -> None:
        self._inner = inner
        self._boundary = boundary
        self._known: dict[str, str | None] = {}
        self.snapshot_named: Callable[[str], str | None]

    def customer_known(self, invoice_id: str) -> tuple[bool, str | None]:
        return invoice_id in self._known, self._known.get(invoice_id)

    async def turn(self, invoice_id: str | None) -> None:
        await asyncio.sleep(self._boundary.wait_of("http", "turn"))

    async def related_turn(self, kind: str, object_id: str) -> None:
        await self.turn(None)

    async def invoice(
        self, invoice_id: str, *, turned: Collection[str] = (), detached: Collection[str] = ()
    ) -> EventRead:
        reading = self._inner.invoice
        return self._learned(
            await self._asked(
                "invoice", lambda: reading(invoice_id, turned=turned, detached=detached)
            )
        )

    async def payments_of_intent(self, intent_id: str) -> EventRead:
        reading = self._inner.payments_of_intent
        return self._learned(await self._asked("intent's payments", lambda: reading(intent_id)))

    async def related(self, kind: str, object_id: str) -> EventRead:
        reading = self._inner.related
        return self._learned(await self._asked(kind, lambda: reading(kind, object_id)))

    async def customer_of_intent(self, intent_id: str) -> str | None:
        reading = self._inner.customer_of_intent
        return await self._asked("intent", lambda: reading(intent_id))

    async def snapshot_of(self, event_id: str) -> str | None:
        async def named() -> str | None:
            return self.snapshot_named(event_id)

        return await self._asked("event", named)

    def _learned(self, read: EventRead) -> EventRead:
        self._known.update(read.customers)
        return read

    async def _asked(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        async def at_stripe() -> T:
            attempt = ATTEMPT.get()
            assert attempt is not None
            attempt.calls.append(what)
            return await work()

        try:
            return await self._boundary.cross("http", what, at_stripe)
        except OSError as trouble:
            raise Failed(ErrorCode.UPSTREAM_ERROR, str(trouble)) from trouble


@dataclass(slots=True)
class Replica:
    """One gateway, as far as events go: killed, it comes again with nothing but the log."""

    number: int
    scene: Scene
    starts: int = 0
    process: Process = field(init=False)
    intake: Intake = field(init=False)
    heard: list[str] = field(default_factory=list)
    """The cursors of what its subscriber was told, over all its connections."""
    gaps: list[StreamGap] = field(default_factory=list)

    def start(self) -> None:
        scene, loop = self.scene, asyncio.get_running_loop()
        self.starts += 1
        name = f"{self.number}.{self.starts}"
        self.process = Process(name, self.number, lambda: 0, loop.create_future())
        log = FollowedLogAcross(scene.log, scene.boundary, scene.appended)
        lookup = AskedStripe(TwinLookup(scene.stage.twin), scene.boundary)
        lookup.snapshot_named = scene.snapshot_named
        self.intake = Intake(
            log=log,
            lookup=lookup,
            cache=Uncached(),
            publish=lambda entry: None,
            caller_of=scene.caller_of,
            account=ACCOUNT,
            livemode=False,
            is_heard=lambda: True,
            owner=name,
        )
        self.within(self._listen(log))

    async def _listen(self, log: FollowedLogAcross) -> None:
        feed = Feed(log, heartbeat_seconds=60.0)
        await self._until_had(feed.start)
        Follower(log, feed).start()
        while True:
            after = self.heard[-1] if self.heard else encode_position(EPOCH, 0)
            try:
                async for one in feed.subscribe(OPERATOR, after=after, where=EVERYTHING):
                    if isinstance(one, InvoicePaymentEvent):
                        self.heard.append(one.cursor)
                    elif isinstance(one, StreamGap):
                        self.gaps.append(one)
            except OSError:
                await asyncio.sleep(0.25)

    async def _until_had(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except OSError:
                await asyncio.sleep(0.25)

    def within(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        context = contextvars.copy_context()
        context.run(PROCESS.set, self.process)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def did(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether this process did it to the end; not if it is killed or meets trouble."""
        task = self.within(work)
        await asyncio.wait({task})
        if task.cancelled():
            return False
        trouble = task.exception()
        if trouble is not None and not isinstance(trouble, OSError | Failed):
            raise trouble
        return trouble is None

    def kill(self) -> None:
        self.process.kill()
        self.start()


class Scene:
    """Everything of one interleaving."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stage = Stage.empty()
        self.stage.clock.now = self.now  # type: ignore[method-assign]
        self.stage.twin.now = self.now
        self.boundary = Boundary(seed, self.chance.choice((0, 1, 1, 2)), self._faults(), History())
        self.log = MemoryEventLog(EPOCH)
        self.appended = Appended()
        self.store = MemoryJournalStore(self.now)
        self.memory = MemoryBackend(self.stage.twin)
        self.writes = JournaledWrites(self.memory, self.store, self._announce, self.now)
        self.caller_of = callers_of(self.store)
        self.account = Account(self.stage.twin)
        self.book = EventBook(self.account, VERSION, self._sent)
        self.progress: tuple[Progress, Progress] = (MemoryProgress(), MemoryProgress())
        self.replicas = [Replica(at, self) for at in range(self.chance.choice((1, 2, 2, 3)))]
        self.attempts: list[Attempt] = []
        self.facts: list[TwinEvent] = []
        self.credit_note_keys: list[str] = []
        self.unsaid: set[str] = set()
        """Facts whose thin event has not said which snapshot event tells the same."""
        self.deliveries: set[asyncio.Task[None]] = set()
        self.manner = self.chance.choice(("both", "both", "both", "thin", "snapshot"))
        self.lost_of_ten = self.chance.choice((0, 1, 4))

    def now(self) -> int:
        return START + int(asyncio.get_running_loop().time())

    def _faults(self) -> tuple[Fault, ...]:
        """The log, or Stripe, is away for a moment: before something is done, or after it."""
        chance = self.chance
        return tuple(
            Fault(
                chance.choice(("log", "log append", "http")).split()[0],
                "",
                chance.choice(("away", "fail after")),
                after=chance.randrange(8),
                times=chance.choice((1, 1, 2, 5)),
                at=chance.uniform(0, 8),
            )
            for _ in range(chance.choice((0, 1, 2, 3)))
        )

    async def begin(self) -> None:
        """Replicas that have caught up once: what was before is nobody's business."""
        asyncio.get_running_loop().set_task_factory(task_factory)
        self.boundary.is_quiet = True
        for one in self.replicas:
            one.start()
        assert await self._caught_up(self.replicas[0])
        self.boundary.is_quiet = False
        self.stage.twin.listeners[:] = [self.facts.append, self.book.take]

    def snapshot_named(self, event_id: str) -> str | None:
        """What Stripe answers to who asks for a thin event."""
        event = self.account.thin_events.get(event_id)
        return None if event is None else orjson.loads(event.body)["snapshot_event"]

    # What tells of a fact.

    def _sent(self, event: StoredEvent) -> None:
        if self.manner not in ("both", event.payload):
            return
        if self.chance.randrange(10) < self.lost_of_ten:
            return
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            if (hint := self._hint(event)) is not None:
                self._keep(self._delivered(hint))

    def _hint(self, event: StoredEvent) -> Hint | None:
        """As the route reads it. A thin one says which snapshot event tells the same, or nothing of
        it; of one that is known by its payment Stripe may also say that there is none."""
        if isinstance(event, ThinEvent):
            is_said = self.chance.random() < 0.6
            raw = notification(event, names_snapshot_event=is_said)
            if not is_said:
                self.unsaid.add(fact_id(event.id))
            if event.type == "v1.invoice_payment.paid" and self.chance.random() < 0.2:
                raw["snapshot_event"] = None
        else:
            raw = orjson.loads(event.body)
        read = read_event(raw, account=ACCOUNT, livemode=False)
        return read if isinstance(read, Hint) else None

    async def _delivered(self, hint: Hint) -> None:
        """Until one replica has taken it."""
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.0625, 0.25, 1.0, 3.0, 9.0, 30.0)))
        tries = 0
        while not await self._brought(
            lambda replica: replica.intake.receive(hint, EventOrigin.WEBHOOK), hint
        ):
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1

    async def _brought(self, work: Callable[[Replica], Awaitable[int]], hint: Hint) -> bool:
        replica = self.chance.choice(self.replicas)
        return await replica.did(self._attempted(work(replica), hint))

    async def _attempted(self, work: Awaitable[int], hint: Hint) -> int:
        attempt = Attempt(fact_id(hint.event_id))
        self.attempts.append(attempt)
        ATTEMPT.set(attempt)
        entries = await work
        attempt.was_in_vain = False
        return entries

    async def _announce(self, record: WriteRecord, outcome: Outcome) -> None:
        """The journal announces until it is done, whoever dies meanwhile."""
        entry = entry_of(record, outcome, self.memory.describe(), self.now())
        for _ in range(self.chance.choice((1, 1, 2))):
            self._keep(self._announced(entry, record.stripe_key))

    async def _announced(self, entry: LogEntry, stripe_key: str) -> None:
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.0625, 0.5, 5.0)))
        replica = self.chance.choice(self.replicas)
        while not await replica.did(replica.intake.announce(entry, stripe_key)):
            await asyncio.sleep(0.5)
            replica = self.chance.choice(self.replicas)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        # At Stripe, whoever's call has caused it.
        context = contextvars.copy_context()
        context.run(PROCESS.set, None)
        task = asyncio.get_running_loop().create_task(work, context=context)
        self.deliveries.add(task)
        task.add_done_callback(self.deliveries.discard)

    async def write(self, command: Command) -> None:
        """A write of ours."""
        await self.writes.write(PARTNER, command, Meter(PARTNER.tenant))
        if isinstance(command, CreateCreditNote):
            self.credit_note_keys.append(command.idempotency_key)

    # Catch-up, restarts, and the end.

    async def catch_up_now_and_then(self) -> None:
        for _ in range(self.chance.choice((0, 1, 2))):
            await asyncio.sleep(self.chance.uniform(0, 6))
            await self._caught_up(self.chance.choice(self.replicas))

    async def kill_now_and_then(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            await asyncio.sleep(self.chance.uniform(0, 6))
            self.chance.choice(self.replicas).kill()

    async def _caught_up(self, replica: Replica) -> bool:
        async def receive(hint: Hint, origin: EventOrigin) -> int:
            return await self._attempted(replica.intake.receive(hint, origin), hint)

        async def runs() -> None:
            for at, progress in enumerate(self.progress):
                one = ListCatchUp(
                    read_events=(self._snapshots, self._thin)[at],
                    receive=receive,
                    progress=progress,
                    now=self.now,
                    account=ACCOUNT,
                    livemode=False,
                )
                await one.run()
                is_through.append(one.passed_over == 0)

        is_through: list[bool] = []
        return await replica.did(runs()) and all(is_through)

    async def _snapshots(self, since: int) -> AsyncGenerator[Mapping[str, Any], None]:
        for event in list(self.account.events):
            if event.created >= since:
                yield orjson.loads(event.body)

    async def _thin(self, since: int) -> AsyncGenerator[Mapping[str, Any], None]:
        for event in list(self.account.thin_events):
            if event.created >= since and event.type in THIN_TYPES:
                yield orjson.loads(event.body)

    async def come_to_rest(self) -> None:
        """Nothing goes wrong any more, and what no webhook has brought is caught up with."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + REST_SECONDS_MAX
        self.boundary.is_quiet = True
        while self.deliveries:
            assert loop.time() < ends, "deliveries do not end"
            await asyncio.wait(self.deliveries)
            for task in self.deliveries:
                task.result()
        while not await self._caught_up(self.chance.choice(self.replicas)):
            assert loop.time() < ends, "catch-up does not end"
        await asyncio.sleep(READING_SECONDS)


def fact_id(event_id: str) -> str:
    """The sandbox's thin events have the id of the fact's snapshot event in their own."""
    return event_id.replace("evt_test_", "evt_")
