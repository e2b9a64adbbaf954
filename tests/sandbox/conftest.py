"""A sandbox that runs on the loopback over a stage of the test, and the two ways to drive it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import stripe

from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from tests.sandbox.driving import Api, api_of, sdk_of
from tests.support.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage.empty()


@pytest_asyncio.fixture
async def sandbox(stage: Stage) -> AsyncIterator[Sandbox]:
    async with running_sandbox(stage.twin, retry_delays_seconds=(0.0, 0.0)) as running:
        yield running


@pytest_asyncio.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    async with api_of(sandbox) as driving:
        yield driving


@pytest_asyncio.fixture
async def sdk(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    async with sdk_of(sandbox) as client:
        yield client
