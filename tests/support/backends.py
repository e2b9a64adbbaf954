"""Reads and writes of one account in one hand, as most tests want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.backends.journal.record_store import MemoryJournalStore
from gateway.backends.journal.writes import Dropped, JournaledWrites, nothing_cached
from gateway.backends.supplier import Supplier
from schema.ports import (
    BackendDescription,
    Command,
    Loaded,
    Meter,
    Needs,
    Outcome,
    Reads,
    Viewer,
    Writes,
)


@dataclass(frozen=True, slots=True)
class Backend:
    """Each call has a meter of its own, unless it brings one."""

    reads: Reads
    writes: Writes

    @classmethod
    def of(cls, supplier: Supplier) -> Backend:
        return cls(supplier, supplier)

    def describe(self) -> BackendDescription:
        return self.reads.describe()

    async def load(self, viewer: Viewer, needs: Needs, meter: Meter | None = None) -> Loaded[Any]:
        return await self.reads.load(viewer, needs, meter or Meter(viewer.tenant))

    async def write(self, viewer: Viewer, command: Command, meter: Meter | None = None) -> Outcome:
        return await self.writes.write(viewer, command, meter or Meter(viewer.tenant))


async def told_to_nobody(*announced: object) -> None:
    """The journal's announcements, where no log is under test."""


def journal_of(
    supplier: Supplier, now: Callable[[], int], dropped: Dropped = nothing_cached
) -> JournaledWrites:
    """The supplier's writes with a journal in memory before them, as the gateway serves them."""
    store = MemoryJournalStore(now)
    return JournaledWrites(supplier, store, told_to_nobody, now, dropped=dropped)
