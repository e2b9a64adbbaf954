"""A peer, and a client of the account that it plays; time stands still, waits are written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.backends.stripe.backend import StripeWrites
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget
from gateway.backends.supplier import FIRST, Attempt
from schema.ports import Capability, Command, Meter, Viewer
from tests.stripe_edge.peer import Peer

API_KEY = "sk_test_notarealkey"


@dataclass
class Waits:
    """Moves its own clock by what is slept, and draws what it was told."""

    draw: float = 1.0
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def random(self) -> float:
        return self.draw

    def monotonic(self) -> float:
        return self.now

    def pacing(self) -> Pacing:
        return Pacing(sleep=self.sleep, random=self.random, monotonic=self.monotonic)


MakeApi = Callable[..., StripeApi]


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer().listening() as peer:
        yield peer


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def make_api(peer: Peer, waits: Waits) -> AsyncIterator[MakeApi]:
    """Makes clients with other settings than the usual; all are closed in the end."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> StripeApi:
            tokens = LocalTokens(account_per_second=1000, monotonic=waits.monotonic)
            budget = RateBudget(tokens, sleep=waits.sleep, monotonic=waits.monotonic)
            given = {"budget": budget, "pacing": waits.pacing(), "api_base": peer.base, **settings}
            api = StripeApi(API_KEY, **given)
            stack.push_async_callback(api.close)
            return api

        yield make


@pytest.fixture
def api(make_api: MakeApi) -> StripeApi:
    return make_api()


@pytest.fixture
def missing() -> list[Capability]:
    """The capabilities that turned out to be missing."""
    return []


@dataclass(frozen=True, slots=True)
class Writing:
    """An account's writes, each on a meter of its own, as a first try unless it is told which."""

    to: StripeWrites

    async def write(self, viewer: Viewer, command: Command, attempt: Attempt = FIRST) -> Any:
        return await self.to.write(viewer, command, Meter(viewer.tenant), attempt)


@pytest.fixture
def writes(api: StripeApi, missing: list[Capability]) -> Writing:
    return Writing(StripeWrites(api, on_unsupported=missing.append))


@pytest.fixture
def operator() -> Viewer:
    """Sees every customer."""
    return Viewer("operator")


@pytest.fixture
def ada() -> Viewer:
    """Sees the customer of the samples only."""
    return Viewer("ada", customers=frozenset({"cus_1"}))


@pytest.fixture
def stranger() -> Viewer:
    """Sees another customer."""
    return Viewer("stranger", customers=frozenset({"cus_2"}))
