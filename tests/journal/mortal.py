"""Processes of the gateway that die at any of their steps, over an account, a journal and a log
that do not.

A step is a word of the journal, a request of the supplier or an entry of the log. A process that
has died does nothing more: whatever it still tries dies as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.attempt import LEASE_SECONDS
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.records import WriteRecord
from gateway.backends.journal.writes import JournaledWrites
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.supplier import FIRST, Attempt
from gateway.ledger.reallocation import Reallocation
from schema.ports import (
    Command,
    Meter,
    Outcome,
    ReallocatePayment,
    Refused,
    Step,
    Viewer,
)
from tests.support.stage import Stage

OPERATOR = Viewer("operator")


class Killed(BaseException):
    """The process is no more."""


@dataclass(slots=True)
class Life:
    """What is left of a process: it dies at the step of this number, before or after taking it."""

    dies_at: int | None = None
    after: bool = False
    steps: list[str] = field(default_factory=list)
    is_over: bool = False

    async def step(self, name: str, take: Callable[[], Awaitable[Any]]) -> Any:
        self._check()
        is_last = len(self.steps) == self.dies_at
        self.steps.append(name)
        if is_last and not self.after:
            self.is_over = True
        self._check()
        try:
            return await take()
        finally:
            if is_last:
                self.is_over = True
                raise Killed

    def _check(self) -> None:
        if self.is_over:
            raise Killed


class MortalStore:
    def __init__(self, inner: MemoryJournalStore, life: Life) -> None:
        self._inner, self._life = inner, life

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        what = f"begin {record.operation}"
        found: WriteRecord | None = await self._life.step(what, lambda: self._inner.begin(record))
        return found

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        what = f"{record.state.value} {record.operation}"
        present: WriteRecord | None = await self._life.step(
            what, lambda: self._inner.swap(record, version=version)
        )
        return present

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        self._life._check()
        return await self._inner.by_stripe_key(stripe_key)

    async def open_records(self) -> list[WriteRecord]:
        self._life._check()
        return await self._inner.open_records()


class MortalSupplier(MemoryBackend):
    """Of one process; what has been done under a key is the account's."""

    def __init__(self, account: MemoryBackend, life: Life) -> None:
        super().__init__(account.twin)
        self._known, self._life = account._known, life

    async def write(
        self, viewer: Viewer, command: Step, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        async def take() -> Outcome:
            return await MemoryBackend.write(self, viewer, command, meter, attempt)

        outcome: Outcome = await self._life.step(f"send {command.operation}", take)
        return outcome

    async def both_invoices(
        self, viewer: Viewer, asked: ReallocatePayment, meter: Meter
    ) -> Reallocation:
        self._life._check()
        return await MemoryBackend.both_invoices(self, viewer, asked, meter)


@dataclass(slots=True)
class Account:
    """What outlives every process."""

    stage: Stage = field(default_factory=Stage.empty)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    """Type, key and payment of each entry; one with the same key for Stripe is the same."""
    known: set[tuple[str, str]] = field(default_factory=set)
    store: MemoryJournalStore = field(init=False)
    backend: MemoryBackend = field(init=False)
    trail: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryJournalStore(self.stage.clock.now)
        self.backend = MemoryBackend(self.stage.twin)

    def process(self, life: Life) -> JournaledWrites:
        """A process that was just started, when the leases of those before are over."""
        self.stage.clock.advance(LEASE_SECONDS + 1)

        async def announce(record: WriteRecord, outcome: Outcome) -> None:
            await life.step("tell", lambda: self._append(record, outcome))

        return JournaledWrites(
            MortalSupplier(self.backend, life),
            MortalStore(self.store, life),
            announce,
            self.stage.clock.now,
        )

    async def _append(self, record: WriteRecord, outcome: Any) -> None:
        kind = record.command.event_type
        assert kind is not None
        name = (kind.value, record.stripe_key)
        if name not in self.known:
            self.known.add(name)
            self.log.append((kind.value, record.key, outcome.invoice_payment_id))

    async def ask(self, command: Command, life: Life) -> Outcome | Refused | Killed:
        """What a caller of a fresh process is told."""
        writes = self.process(life)
        try:
            return await writes.write(OPERATOR, command, Meter("operator"))
        except (Refused, Killed) as ended:
            return ended
        finally:
            await asyncio.gather(*writes._tasks, return_exceptions=True)

    async def settle(self, life: Life, passes: int = 3) -> None:
        """What a fresh process does by itself, over and over until it is at rest or dies."""
        settling = Settling(
            self.process(life),
            MortalStore(self.store, life),
            AuditTrail(self.stage.clock.now, self.trail.append),
        )
        try:
            for _ in range(passes):
                await settling.settle()
        except Killed:
            return
