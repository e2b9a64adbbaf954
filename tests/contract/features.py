"""Where the suppliers of the port differ, each with its reason. Tests never ask which one runs.

A row opens a stage and the backend over the same account. Without a key all rows run on twins;
with a key of Stripe's test mode that account is the only row, and the judge of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr

from gateway.backends.journal.backend import Announced, JournaledBackend
from gateway.backends.journal.records import MemoryJournalStore
from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.rate_budget import ACCOUNT_PER_SECOND_TEST, LocalTokens, RateBudget
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.writing import PREVIEW_VERSION
from gateway.clock import RandomIds, SystemClock, chance
from gateway.sandbox.stripe_api import running_sandbox
from schema.ports import InvoiceBackend
from tests.caching.cached_twin import cached, caching_memory
from tests.contract.staging import Stage
from tests.contract.stripe_stage import Apart, OneSecondApart, StripeStage
from tests.contract.twin_stage import TwinStage
from tests.support import stage as support
from tests.support.upstream import stripe_api, stripe_through_sandbox


@dataclass(frozen=True, slots=True)
class Supplied:
    """A backend, and the stage that sets the same account."""

    stage: Stage
    backend: InvoiceBackend


@dataclass(frozen=True, slots=True)
class Features:
    """What a supplier declares about itself."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Supplied]]
    differences: Mapping[str, str] = field(default_factory=dict)
    """Tests that do not apply, by name, each with the reason."""


Supplier = Callable[[support.Stage], AbstractAsyncContextManager[InvoiceBackend]]


async def told_to_nobody(announced: Announced) -> None:
    """The journal's announcements, where no log is under test."""


@asynccontextmanager
async def journaled(inner: InvoiceBackend, now: Callable[[], int]) -> AsyncIterator[InvoiceBackend]:
    """With a journal in front, as the gateway serves it; closes both in the end."""
    backend = JournaledBackend(inner, MemoryJournalStore(now), told_to_nobody, now)
    try:
        yield backend
    finally:
        await backend.close()


@asynccontextmanager
async def memory(stage: support.Stage) -> AsyncIterator[InvoiceBackend]:
    yield MemoryBackend(stage.twin)


@asynccontextmanager
async def stripe(stage: support.Stage) -> AsyncIterator[InvoiceBackend]:
    async with stripe_through_sandbox(stage.twin) as (backend, _):
        yield backend


@asynccontextmanager
async def caching_stripe(stage: support.Stage) -> AsyncIterator[InvoiceBackend]:
    async with stripe_through_sandbox(stage.twin) as (backend, _):
        yield cached(stage, backend)


@asynccontextmanager
async def journal_of(supplier: Supplier, stage: support.Stage) -> AsyncIterator[InvoiceBackend]:
    async with supplier(stage) as inner, journaled(inner, stage.clock.now) as backend:
        yield backend


@asynccontextmanager
async def staged_on_twin(supplier: Supplier) -> AsyncIterator[Supplied]:
    """A twin of its own for each test, set from within."""
    direct = support.Stage.empty()
    async with supplier(direct) as backend:
        yield Supplied(TwinStage(direct), backend)


@asynccontextmanager
async def staged_over_rest() -> AsyncIterator[Supplied]:
    """A sandbox, set and read over REST alone; as in a real account, others' objects are there."""
    direct = support.Stage.empty()
    direct.paid_by(700, 300)
    direct.draft()
    async with running_sandbox(direct.twin) as sandbox:
        connect = partial(stripe_api, sandbox.url)
        async with account(connect, "run_0001", direct.clock.now, nullcontext) as supplied:
            yield supplied


@asynccontextmanager
async def stripe_test_mode(key: SecretStr) -> AsyncIterator[Supplied]:
    """A real account of Stripe's, in test mode, within the calls a second that Stripe allows."""
    clock, run = SystemClock(), RandomIds().new("run")
    tokens = LocalTokens(account_per_second=ACCOUNT_PER_SECOND_TEST, monotonic=clock.monotonic)
    budget = RateBudget(tokens, sleep=asyncio.sleep, monotonic=clock.monotonic)
    pacing = Pacing(sleep=asyncio.sleep, random=chance, monotonic=clock.monotonic)
    apart = OneSecondApart(sleep=asyncio.sleep, monotonic=clock.monotonic)

    def connect() -> StripeApi:
        return StripeApi(key.get_secret_value(), budget=budget, pacing=pacing)

    async with account(connect, run, clock.now, apart) as supplied:
        yield supplied


@asynccontextmanager
async def account(
    connect: Callable[[], StripeApi], run: str, now: Callable[[], int], apart: Apart
) -> AsyncIterator[Supplied]:
    """A stage and the journaled backend on one Stripe account, each with its own connection."""
    staging = connect()
    inner = StripeBackend(
        connect(), account="acct_contract", livemode=False, preview_version=PREVIEW_VERSION
    )
    try:
        async with journaled(inner, now) as backend:
            yield Supplied(await StripeStage.opened(staging, run=run, apart=apart), backend)
    finally:
        await staging.close()


KEYS_ARE_THE_JOURNALS = (
    "Stripe gets the key as it is: making it the tenant's and the attempt's own is the journal's "
    "work, without which this backend is never served"
)

TWINS = [
    Features(name="memory", open=partial(staged_on_twin, memory)),
    Features(
        name="stripe through sandbox",
        open=partial(staged_on_twin, stripe),
        differences={
            "test_refused_write_may_be_tried_again_with_its_key": KEYS_ARE_THE_JOURNALS,
            "test_keys_of_two_tenants_do_not_meet": KEYS_ARE_THE_JOURNALS,
        },
    ),
    Features(name="caching(memory)", open=partial(staged_on_twin, caching_memory)),
    Features(name="journaled(memory)", open=partial(staged_on_twin, partial(journal_of, memory))),
    Features(
        name="journaled(stripe through sandbox)",
        open=partial(staged_on_twin, partial(journal_of, stripe)),
    ),
    Features(
        name="journaled(caching(stripe through sandbox))",
        open=partial(staged_on_twin, partial(journal_of, caching_stripe)),
    ),
    Features(name="stripe through sandbox, staged over REST", open=staged_over_rest),
]


def judge(key: SecretStr) -> Features:
    """Stripe itself. What it refuses or does otherwise is a fault of the twin's, until a
    difference is declared here with its reason."""
    return Features(name="stripe test mode", open=partial(stripe_test_mode, key))


def suppliers(key: SecretStr | None) -> list[Features]:
    """All twins, or the account of this key alone."""
    return TWINS if key is None else [judge(key)]
