"""The write journal's records, and where they live: the port of its stores, and one in memory.

What a record means for a write is said in `gateway.backends.journal`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from schema.ports import (
    Attached,
    AttachPayment,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    Viewer,
)

RECORDS_MAX = 100_000
"""A full journal refuses writes; it never forgets one early."""


KEPT_SECONDS = 30 * 24 * 3600
"""Stripe's own keys live 24 hours; the journal outlives them."""


Command = AttachPayment | DetachPayment | CreateCreditNote


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write of one caller. `outcome` is None until it is done; `announced` once it was told.

    `attempt` counts the keys that Stripe has been sent: a definite refusal ends one attempt, as
    Stripe would only replay it, and the next try starts another.
    """

    tenant: str
    operation: str
    key: str = field(repr=False)
    input_hash: str
    command: Command = field(repr=False)
    recorded_at: int
    customers: tuple[str, ...] | None = None
    attempt: int = 1
    outcome: Attached | Detached | CreditNoteCreated | None = None
    refused: bool = False
    announced: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether it is not known how it ended, or not announced that it succeeded."""
        return not self.refused and (self.outcome is None or not self.announced)

    @property
    def viewer(self) -> Viewer:
        """Who asked, with what they might see then; for finishing it without them."""
        customers = None if self.customers is None else frozenset(self.customers)
        return Viewer(self.tenant, customers=customers)

    @property
    def stripe_key(self) -> str:
        """What Stripe gets as Idempotency-Key; always the same for the same attempt."""
        parts = "\x00".join((self.tenant, self.operation, self.key, str(self.attempt)))
        return "gw_" + hashlib.sha256(parts.encode()).hexdigest()


class JournalStore(Protocol):
    """Where records live. Every method raises `OSError` when the store is not to be had."""

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        """Keep the record durably, unless there is one: then that one is answered instead.

        Raises `JournalFull`.
        """
        ...

    async def keep(self, record: WriteRecord) -> None:
        """Put the record in place of the one that `begin` kept."""
        ...

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        """The record whose write carried this key."""
        ...

    async def unfinished(self) -> list[WriteRecord]:
        """Records that are unfinished, oldest first."""
        ...


class JournalFull(OSError):
    """No further write can be recorded."""


class MemoryJournalStore:
    """The journal of a process without a store: gone with the process."""

    def __init__(self, now: Callable[[], int], *, records_max: int = RECORDS_MAX) -> None:
        self._now = now
        self._records_max = records_max
        self._records: OrderedDict[tuple[str, str, str], WriteRecord] = OrderedDict()
        self._by_stripe_key: dict[str, tuple[str, str, str]] = {}

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        self._forget_old()
        name = (record.tenant, record.operation, record.key)
        if name in self._records:
            return self._records[name]
        if len(self._records) >= self._records_max:
            raise JournalFull("the write journal is full")
        await self.keep(record)
        return None

    async def keep(self, record: WriteRecord) -> None:
        name = (record.tenant, record.operation, record.key)
        known = self._records.get(name)
        self._records[name] = record
        if known is not None and known.recorded_at != record.recorded_at:
            self._records.move_to_end(name)  # the oldest stand first, and this one is young again
        self._by_stripe_key[record.stripe_key] = name

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        name = self._by_stripe_key.get(stripe_key)
        return None if name is None else self._records[name]

    async def unfinished(self) -> list[WriteRecord]:
        return [record for record in self._records.values() if record.is_unfinished]

    def _forget_old(self) -> None:
        horizon = self._now() - KEPT_SECONDS
        while self._records:
            oldest = next(iter(self._records.values()))
            if oldest.recorded_at >= horizon:
                return
            self._records.popitem(last=False)
            for attempt in range(1, oldest.attempt + 1):
                self._by_stripe_key.pop(replace(oldest, attempt=attempt).stripe_key, None)
