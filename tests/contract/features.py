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

from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.rate_limit import ACCOUNT_PER_SECOND_TEST, LocalTokens, RateBudget
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION
from gateway.backends.supplier import Supplier
from gateway.clock import RandomIds, SystemClock, chance
from gateway.sandbox.stripe_api import running_sandbox
from tests.caching.cached_twin import cached
from tests.contract.staging import Stage
from tests.contract.stripe_stage import Apart, OneSecondApart, StripeStage
from tests.contract.twin_stage import TwinStage
from tests.support import stage as support
from tests.support.backends import Backend, journal_of
from tests.support.upstream import stripe_api, stripe_through_sandbox


@dataclass(frozen=True, slots=True)
class Supplied:
    """A backend, and the stage that sets the same account."""

    stage: Stage
    backend: Backend
    supplier: Supplier


@dataclass(frozen=True, slots=True)
class Features:
    """What a supplier declares about itself."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Supplied]]
    differences: Mapping[str, str] = field(default_factory=dict)
    """Tests that do not apply, by name, each with the reason."""
    is_journaled: bool = True
    """Whether the writes of several steps, which are the journal's, can be had."""


Supplies = Callable[[support.Stage], AbstractAsyncContextManager[Supplier]]
Arrange = Callable[[support.Stage, Supplier], Backend]


@asynccontextmanager
async def memory(stage: support.Stage) -> AsyncIterator[Supplier]:
    yield MemoryBackend(stage.twin)


@asynccontextmanager
async def stripe(stage: support.Stage) -> AsyncIterator[Supplier]:
    async with stripe_through_sandbox(stage.twin) as (backend, _):
        yield backend


def bare(stage: support.Stage, supplier: Supplier) -> Backend:
    """The supplier by itself."""
    return Backend.of(supplier)


def journaled(stage: support.Stage, supplier: Supplier) -> Backend:
    """With a journal before its writes."""
    return Backend(supplier, journal_of(supplier, stage.clock.now))


@asynccontextmanager
async def staged_on_twin(supplies: Supplies, arrange: Arrange) -> AsyncIterator[Supplied]:
    """A twin of its own for each test, set from within."""
    direct = support.Stage.empty()
    async with supplies(direct) as supplier:
        yield Supplied(TwinStage(direct), arrange(direct, supplier), supplier)


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
    backend = Backend(inner, journal_of(inner, now))
    try:
        stage = await StripeStage.opened(staging, run=run, apart=apart)
        yield Supplied(stage, backend, inner)
    finally:
        await inner.close()
        await staging.close()


KEYS_ARE_THE_JOURNALS = (
    "Stripe gets the key as it is: making it the tenant's and the attempt's own is the journal's "
    "work, without which this backend is never served"
)

TWINS = [
    Features(name="memory", open=partial(staged_on_twin, memory, bare), is_journaled=False),
    Features(
        name="stripe through sandbox",
        open=partial(staged_on_twin, stripe, bare),
        differences={
            "test_refused_write_may_be_tried_again_with_its_key": KEYS_ARE_THE_JOURNALS,
            "test_keys_of_two_tenants_do_not_meet": KEYS_ARE_THE_JOURNALS,
        },
        is_journaled=False,
    ),
    Features(name="journaled(memory)", open=partial(staged_on_twin, memory, journaled)),
    Features(
        name="journaled(stripe through sandbox)", open=partial(staged_on_twin, stripe, journaled)
    ),
    Features(name="cached(memory)", open=partial(staged_on_twin, memory, cached)),
    Features(name="cached(stripe through sandbox)", open=partial(staged_on_twin, stripe, cached)),
    Features(name="stripe through sandbox, staged over REST", open=staged_over_rest),
]


def judge(key: SecretStr) -> Features:
    """Stripe itself. What it refuses or does otherwise is a fault of the twin's, until a
    difference is declared here with its reason."""
    return Features(name="stripe test mode", open=partial(stripe_test_mode, key))


def suppliers(key: SecretStr | None) -> list[Features]:
    """All twins, or the account of this key alone."""
    return TWINS if key is None else [judge(key)]
