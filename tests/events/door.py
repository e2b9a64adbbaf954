"""The intake with real parts around it, each of which notes its step and can be broken.

Lookup is the twin's, the log is in memory, the feed publishes; nothing is pretended. What breaks
raises as the real part does when its store or its upstream is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.events.intake import CallerOf, Hint, Intake, Touched
from gateway.events.log import Bounds, EventLog, LogEntry, MemoryEventLog
from gateway.sandbox.twin_events import TwinLookup, hint_of
from schema.ports import EventOrigin
from schema.records import InvoicePayment
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
        self._inner = inner
        self._steps = steps

    async def customer_of(self, invoice_id: str) -> tuple[bool, str | None]:
        return await self._steps.step("resolve", self._inner.customer_of(invoice_id))

    async def payment(self, invoice_payment_id: str) -> InvoicePayment | None:
        return await self._steps.step("read", self._inner.payment(invoice_payment_id))

    async def payments_of_intent(self, payment_intent_id: str) -> list[InvoicePayment]:
        return await self._steps.step("find", self._inner.payments_of_intent(payment_intent_id))


class NotedLog:
    """A log that notes its appends. One that is down takes nothing in."""

    def __init__(self, inner: EventLog, steps: Steps) -> None:
        self.epoch = inner.epoch
        self.inner = inner
        self._steps = steps

    async def append(self, entry: LogEntry) -> LogEntry | None:
        await self._steps.step("append", turn())
        return await self.inner.append(entry)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        return await self.inner.read(after, limit)

    async def bounds(self) -> Bounds:
        return await self.inner.bounds()


async def nobody(stripe_key: str) -> tuple[str, str] | None:
    """No write of ours carried this key."""
    return None


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

    @classmethod
    def over(
        cls, stage: Stage, log: EventLog | None = None, *, caller_of: CallerOf = nobody
    ) -> Door:
        steps, published, dropped = Steps(), list[LogEntry](), list[Touched]()
        log = NotedLog(log or MemoryEventLog(EPOCH), steps)
        channel = Channel.opened(log)

        async def drop(touched: Touched) -> None:
            dropped.append(touched)
            await steps.step("drop", turn())

        def publish(entry: LogEntry) -> None:
            steps.taken.append("publish")
            published.append(entry)
            channel.feed.publish(entry)

        intake = Intake(
            log=log,
            lookup=NotedLookup(TwinLookup(stage.twin), steps),
            drop=drop,
            publish=publish,
            caller_of=caller_of,
            account=ACCOUNT,
            livemode=False,
        )
        return cls(stage, log, channel, steps, published, dropped, intake)

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

    async def held(self) -> list[LogEntry]:
        return await self.log.read(0, 1000)


def hint(event_id: str = "evt_1", type: str = "invoice.updated", **ids: str | None) -> Hint:
    """An event of this account about an invoice that the test has made."""
    return Hint(event_id=event_id, type=type, created=1, account=ACCOUNT, livemode=False, **ids)
