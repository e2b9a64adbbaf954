"""A journaled backend over a stage, whose real parts note their steps and fail where told to.

The backend is the memory backend, the store keeps records in memory, the announcements are kept
in a list: nothing is pretended, so a write that went through has changed the twin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.backends.journal.record_store import JournalStore, MemoryJournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.supplier import FIRST, NOTHING, Attempt, Supplier
from gateway.ledger.reallocation import Reallocation
from schema.ports import (
    AttachPayment,
    BackendDescription,
    Command,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    Loaded,
    Meter,
    Needs,
    Outcome,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Step,
    Viewer,
)
from tests.support.stage import Stage

OPERATOR = Viewer("operator")
PARTNER = Viewer("partner")
HANG_SECONDS_MAX = 20.0
"""What must come and does not fails the test by this time."""


class Announced(NamedTuple):
    """What the journal has announced."""

    record: WriteRecord
    outcome: Outcome


class UnsteadyBackend:
    """A backend that fails before the write goes out, on its way, or after it was applied, once
    for each failure that is told.

    `sent` are the commands that went out. While `gate` is closed, writes wait at it.
    """

    def __init__(self, inner: Supplier, steps: list[str]) -> None:
        self._inner = inner
        self._steps = steps
        self.sent: list[Any] = []
        self.before: list[Exception] = []
        self.on_the_way: list[Exception] = []
        self.found = NOTHING
        self.after: list[Exception] = []
        self.attaching: list[Exception] = []
        """What the next attaches end with on their way, one each."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any] | None:
        return self._inner.at_once(viewer, needs, meter)

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        return await self._inner.load(viewer, needs, meter, known)

    async def both_invoices(
        self, viewer: Viewer, asked: ReallocatePayment, meter: Meter
    ) -> Reallocation:
        return await self._inner.both_invoices(viewer, asked, meter)

    async def close(self) -> None:
        self._steps.append("close")
        await self._inner.close()

    async def write(
        self, viewer: Viewer, command: Step, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        self._steps.append("send")
        self.sent.append(command)
        self.reached.set()
        await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        if self.on_the_way:
            await attempt.going_out(self.found)
            raise self.on_the_way.pop(0)
        if self.attaching and isinstance(command, AttachPayment):
            await attempt.going_out()
            raise self.attaching.pop(0)
        outcome = await self._inner.write(viewer, command, meter, attempt)
        if self.after:
            raise self.after.pop(0)
        return outcome


class UnsteadyStore:
    """A store that is down for what is named in `down`: `begin`, and the states of records.

    Its steps are called the same.
    """

    def __init__(self, inner: JournalStore, steps: list[str]) -> None:
        self._inner = inner
        self._steps = steps
        self.down: set[str] = set()

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        self._step("begin")
        return await self._inner.begin(record)

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        self._step(record.state.value)
        return await self._inner.swap(record, version=version)

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        return await self._inner.by_stripe_key(stripe_key)

    async def open_records(self) -> list[WriteRecord]:
        return await self._inner.open_records()

    def _step(self, name: str) -> None:
        self._steps.append(name)
        if name in self.down or "all" in self.down:
            raise ConnectionError("the store is down")


@dataclass(slots=True)
class Writing:
    """Writes on a stage through the journal, and sees what came of them."""

    stage: Stage
    steps: list[str]
    inner: UnsteadyBackend
    store: UnsteadyStore
    announced: list[Announced] = field(default_factory=list)
    announcing: list[Exception] = field(default_factory=list)
    """What the next announcements fail with, one each."""
    backend: JournaledWrites = field(init=False)

    def __post_init__(self) -> None:
        self.backend = JournaledWrites(self.inner, self.store, self._announce, self.stage.clock.now)

    @classmethod
    def over(cls, *, records_max: int = 100) -> Writing:
        stage, steps = Stage.empty(), list[str]()
        kept = MemoryJournalStore(stage.clock.now, records_max=records_max)
        inner = UnsteadyBackend(MemoryBackend(stage.twin), steps)
        return cls(stage, steps, inner, UnsteadyStore(kept, steps))

    async def _announce(self, record: WriteRecord, outcome: Outcome) -> None:
        self.steps.append("announce")
        if self.announcing:
            raise self.announcing.pop(0)
        self.announced.append(Announced(record, outcome))

    async def write(self, command: Command, viewer: Viewer = OPERATOR) -> Outcome:
        """What the write answers, which it must in time."""
        async with asyncio.timeout(HANG_SECONDS_MAX):
            return await self.backend.write(viewer, command, Meter(viewer.tenant))

    async def is_out(self) -> None:
        """A write has gone out, and waits at the gate."""
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await self.inner.reached.wait()

    @property
    def keys_sent(self) -> list[str]:
        """The idempotency keys that went out."""
        return [command.idempotency_key for command in self.inner.sent]


def attach(stage: Stage, key: str = "key-1") -> AttachPayment:
    """Attach an intent that has yet to be paid."""
    return AttachPayment(stage.open_invoice(1000), key, payment_intent_id=stage.intent(1000))


def detach(stage: Stage, key: str = "key-1") -> DetachPayment:
    """Detach the second of two payments."""
    invoice_id, (_, second) = stage.paid_by(700, 300)
    return DetachPayment(invoice_id, second, key)


def credit_note(stage: Stage, key: str = "key-1") -> CreateCreditNote:
    """Take 250 off a balance of 1000."""
    return CreateCreditNote(CreditNoteDraft(stage.open_invoice(1000), 250), key)


MakeCommand = Callable[[Stage], Command]
WRITES = {"attach": attach, "detach": detach, "credit_note": credit_note}
"""Every operation by its name in the journal, each with a command that will succeed."""


def refused(code: RefusalCode = RefusalCode.INVOICE_NOT_OPEN) -> Refused:
    """What upstream answers to a write that breaks a rule."""
    return Refused(code, "rule", "upstream says no")


async def recorded(writing: Writing, operation: str, key: str = "key-1") -> WriteRecord:
    """The record of the operator's write, found by the key that went out last."""
    record = await writing.store.by_stripe_key(writing.keys_sent[-1])
    assert record is not None
    assert (record.tenant, record.operation, record.key) == ("operator", operation, key)
    return record
