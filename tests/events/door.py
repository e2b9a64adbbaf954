"""The intake with real parts around it, each of which notes its step and can be broken.

Lookup is the twin's, the log is in memory, the feed publishes; nothing is pretended. What breaks
raises as the real part does when its store or its upstream is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.backends.harvest import EventRead
from gateway.backends.memory.twin import TwinEvent
from gateway.events.arrivals import CallerOf
from gateway.events.event_ids import read_event
from gateway.events.hints import Hint
from gateway.events.intake import Intake
from gateway.events.intake_ports import Touched
from gateway.events.log import Bounds, Claim, EventLog, LogEntry, MemoryEventLog
from gateway.sandbox.stripe_api.thin_events import notification, thin_event
from gateway.sandbox.twin_events import TwinLookup, hint_of
from schema.ports import EventOrigin
from tests.events.channel import EPOCH, Channel, turn
from tests.support.stage import Stage

ACCOUNT = "acct_1"
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Steps:
    """What the parts did, in order; the step named `broken` fails instead, and one that has a gate
    waits for it."""

    taken: list[str] = field(default_factory=list)
    broken: str | None = None
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def step(self, name: str, doing: Awaitable[Answer]) -> Answer:
        self.taken.append(name)
        if name in self.gates:
            await self.gates[name].wait()
        answer = await doing
        if name == self.broken:
            raise ConnectionError(f"{name} is down")
        return answer


class NotedLookup:
    def __init__(self, inner: TwinLookup, steps: Steps) -> None:
        self.known: dict[str, tuple[bool, str | None]] = {}
        self.snapshots: dict[str, str] = {}
        self._inner = inner
        self._steps = steps

    def customer_known(self, invoice_id: str) -> tuple[bool, str | None]:
        """Of an upstream that was never asked before."""
        return self.known.get(invoice_id, (False, None))

    async def turn(self, invoice_id: str | None) -> None:
        await self._steps.step("wait", turn())

    async def invoice(
        self, invoice_id: str, *, turned: Collection[str] = (), detached: Collection[str] = ()
    ) -> EventRead:
        reading = self._inner.invoice(invoice_id, turned=turned, detached=detached)
        read = await self._steps.step("read", reading)
        if invoice_id in read.customers:
            self.known[invoice_id] = (True, read.customers[invoice_id])
        return read

    async def payments_of_intent(self, intent_id: str) -> EventRead:
        return await self._steps.step("find", self._inner.payments_of_intent(intent_id))

    async def related_turn(self, kind: str, object_id: str) -> None:
        await self._steps.step("wait", turn())

    async def related(self, kind: str, object_id: str) -> EventRead:
        read = await self._steps.step("read", self._inner.related(kind, object_id))
        for invoice_id, customer_id in read.customers.items():
            self.known[invoice_id] = (True, customer_id)
        return read

    async def customer_of_intent(self, intent_id: str) -> str | None:
        return await self._steps.step("whose", self._inner.customer_of_intent(intent_id))

    async def snapshot_of(self, event_id: str) -> str | None:
        return await self._steps.step("ask", self._told(event_id))

    async def _told(self, event_id: str) -> str | None:
        return self.snapshots.get(event_id)


class NotedLog:
    """A log that notes its appends. One that is down takes nothing in."""

    def __init__(self, inner: EventLog, steps: Steps) -> None:
        self.epoch = inner.epoch
        self.inner = inner
        self._steps = steps

    async def append(self, entry: LogEntry) -> LogEntry | None:
        await self._steps.step("append", turn())
        return await self.inner.append(entry)

    async def knows(self, names: Sequence[str]) -> bool:
        await self._steps.step("knows", turn())
        return await self.inner.knows(names)

    async def claim(self, names: Sequence[str], owner: str) -> Claim:
        await self._steps.step("claim", turn())
        return await self.inner.claim(names, owner)

    async def release(self, names: Sequence[str], owner: str) -> None:
        await self.inner.release(names, owner)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        return await self.inner.read(after, limit)

    async def bounds(self) -> Bounds:
        return await self.inner.bounds()


@dataclass(slots=True)
class NotedCache:
    """Notes what it would forget, and when it would keep something."""

    steps: Steps
    dropped: list[Touched]

    async def drop(self, touched: Touched) -> None:
        self.dropped.append(touched)
        await self.steps.step("drop", turn())

    async def keep(self, brought: EventRead) -> None:
        await self.steps.step("keep", turn())

    @asynccontextmanager
    async def renewing(self, touched: Sequence[Touched]) -> AsyncIterator[NotedCache]:
        self.dropped.extend(touched)
        await self.steps.step("drop", turn())
        yield self


async def nobody(stripe_key: str) -> tuple[str, str] | None:
    """No write of ours carried this key."""
    return None


async def pause(seconds: float) -> None:
    """Nobody has to wait by the clock for what the others do in this loop."""
    await turn()


@dataclass(slots=True)
class Door:
    """An intake over a stage; `published` is what has reached the live streams."""

    stage: Stage
    log: EventLog
    channel: Channel
    steps: Steps
    published: list[LogEntry]
    dropped: list[Touched]
    intake: Intake
    lookup: NotedLookup
    is_heard: bool = True

    @classmethod
    def over(
        cls,
        stage: Stage,
        log: EventLog | None = None,
        *,
        caller_of: CallerOf = nobody,
        owner: str = "this",
    ) -> Door:
        steps, published, dropped = Steps(), list[LogEntry](), list[Touched]()
        log = NotedLog(log or MemoryEventLog(EPOCH), steps)
        channel = Channel.opened(log)

        def publish(entry: LogEntry) -> None:
            steps.taken.append("publish")
            published.append(entry)
            channel.feed.publish(entry)

        lookup = NotedLookup(TwinLookup(stage.twin), steps)
        intake = Intake(
            log=log,
            lookup=lookup,
            cache=NotedCache(steps, dropped),
            publish=publish,
            caller_of=caller_of,
            account=ACCOUNT,
            livemode=False,
            is_heard=lambda: door.is_heard,
            owner=owner,
            sleep=pause,
        )
        door = cls(stage, log, channel, steps, published, dropped, intake, lookup)
        return door

    async def receive(self, *hints: Hint) -> list[int]:
        """Webhooks, one after the other; how many entries each became."""
        return [await self.intake.receive(hint, EventOrigin.WEBHOOK) for hint in hints]

    async def receive_at_once(self, *hints: Hint) -> list[int]:
        return await asyncio.gather(
            *(self.intake.receive(hint, EventOrigin.WEBHOOK) for hint in hints)
        )

    def hints(self, *types: str) -> list[Hint]:
        """What the twin has announced so far of these types, as webhooks."""
        return [hint_of(event, ACCOUNT) for event in self.stage.twin.events if event.type in types]

    def thin(self, *types: str, said: bool = True) -> list[Hint]:
        """The thin events about the same, as Stripe prints them; those that do not say which
        snapshot event is about their fact leave it out."""
        return [
            thin_hint(event, said=said) for event in self.stage.twin.events if event.type in types
        ]

    def names_snapshots(self, named: dict[str, str]) -> None:
        """What Stripe answers to who asks for these thin events."""
        self.lookup.snapshots.update(named)

    def reads(self) -> int:
        """Calls to Stripe so far."""
        return sum(self.steps.taken.count(step) for step in ("read", "find", "ask", "whose"))

    async def held(self) -> list[LogEntry]:
        return await self.log.read(0, 1000)


def thin_hint(event: TwinEvent, *, said: bool = True) -> Hint:
    """By the sandbox's own printing, read as the route reads it."""
    printed = thin_event(event, milliseconds=event.created * 1000, livemode=False, changes=None)
    read = read_event(
        notification(printed, names_snapshot_event=said), account=ACCOUNT, livemode=False
    )
    assert isinstance(read, Hint), read
    return read


def hint(event_id: str = "evt_1", type: str = "invoice.updated", **ids: str | None) -> Hint:
    """An event of this account about an invoice that the test has made."""
    return Hint(event_id=event_id, type=type, created=1, account=ACCOUNT, livemode=False, **ids)
