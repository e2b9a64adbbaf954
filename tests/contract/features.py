"""Where the suppliers of the port differ, each with its reason. Tests never ask which one runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from gateway.backends.journal import Announced, JournaledBackend, MemoryJournalStore
from gateway.backends.memory.backend import MemoryBackend
from schema.ports import InvoiceBackend
from tests.support.stage import Stage
from tests.support.upstream import stripe_through_sandbox


@dataclass(frozen=True, slots=True)
class Features:
    """What a supplier declares about itself."""

    name: str
    open: Callable[[Stage], AbstractAsyncContextManager[InvoiceBackend]]
    differences: Mapping[str, str] = field(default_factory=dict)
    """Tests that do not apply, by name, each with the reason."""


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


@asynccontextmanager
async def stripe(stage: Stage) -> AsyncIterator[InvoiceBackend]:
    async with stripe_through_sandbox(stage.twin) as (backend, _):
        yield backend


@asynccontextmanager
async def journaled_stripe(stage: Stage) -> AsyncIterator[InvoiceBackend]:
    async with stripe_through_sandbox(stage.twin) as (inner, _):
        store = MemoryJournalStore(stage.clock.now)
        backend = JournaledBackend(inner, store, told_to_nobody, stage.clock.now)
        yield backend
        await backend.close()


KEYS_ARE_THE_JOURNALS = (
    "Stripe gets the key as it is: making it the tenant's and the attempt's own is the journal's "
    "work, without which this backend is never served"
)

BACKENDS = [
    Features(name="memory", open=memory),
    Features(
        name="stripe through sandbox",
        open=stripe,
        differences={
            "test_refused_write_may_be_tried_again_with_its_key": KEYS_ARE_THE_JOURNALS,
            "test_keys_of_two_tenants_do_not_meet": KEYS_ARE_THE_JOURNALS,
        },
    ),
    Features(name="journaled(stripe through sandbox)", open=journaled_stripe),
    Features(name="journaled(memory)", open=journaled_memory),
]
