"""Where the suppliers of the port differ, each with its reason. Tests never ask which one runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from gateway.backends.journal import Announced, JournaledBackend, MemoryJournalStore
from gateway.backends.memory.backend import MemoryBackend
from schema.ports import InvoiceBackend
from tests.support.stage import Stage


@dataclass(frozen=True, slots=True)
class Features:
    """What a supplier declares about itself."""

    name: str
    open: Callable[[Stage], AbstractAsyncContextManager[InvoiceBackend]]


@asynccontextmanager
async def memory(stage: Stage) -> AsyncIterator[InvoiceBackend]:
    yield MemoryBackend(stage.twin)


async def told_to_nobody(announced: Announced) -> None:
    """The journal's announcements, where no log is under test."""


Announce = Callable[[Announced], Awaitable[None]]


@asynccontextmanager
async def journaled_memory(
    stage: Stage, announce: Announce = told_to_nobody
) -> AsyncIterator[InvoiceBackend]:
    store = MemoryJournalStore(stage.clock.now)
    backend = JournaledBackend(MemoryBackend(stage.twin), store, announce, stage.clock.now)
    yield backend
    await backend.close()


BACKENDS = [
    Features(name="memory", open=memory),
    Features(name="journaled(memory)", open=journaled_memory),
]
