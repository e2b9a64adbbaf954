"""A Stripe backend that talks to a sandbox over real HTTP, on a clock of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.memory.twin import Twin
from gateway.backends.stripe.backend import StripeBackend
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION
from gateway.sandbox.stripe_api import Sandbox, running_sandbox

API_KEY = "sk_test_sandbox"


@dataclass
class Waits:
    """Time that moves only by what is slept, and chance that never varies."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def random(self) -> float:
        return 1.0

    def monotonic(self) -> float:
        return self.now


def stripe_api(url: str, waits: Waits | None = None, **options: Any) -> StripeApi:
    """Stripe's SDK, pointed at a sandbox, with an allowance that no test exhausts."""
    waits = waits or Waits()
    tokens = LocalTokens(account_per_second=1e6, endpoint_per_second=1e6, monotonic=waits.monotonic)
    budget = RateBudget(tokens, sleep=waits.sleep, monotonic=waits.monotonic)
    pacing = Pacing(sleep=waits.sleep, random=waits.random, monotonic=waits.monotonic)
    return StripeApi(API_KEY, budget=budget, pacing=pacing, api_base=url, **options)


@asynccontextmanager
async def stripe_through_sandbox(
    twin: Twin, **options: Any
) -> AsyncIterator[tuple[StripeBackend, Sandbox]]:
    """The Stripe backend over a sandbox of this twin, and the sandbox itself."""
    async with running_sandbox(twin) as sandbox:
        backend = StripeBackend(
            stripe_api(sandbox.url, **options),
            account="acct_sandbox",
            livemode=False,
            preview_version=PREVIEW_VERSION,
        )
        yield backend, sandbox
        await backend.close()
