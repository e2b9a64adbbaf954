"""A rig that runs, and a reader without any HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.events.webhook import WebhookReader
from tests.support.time_and_ids import ManualClock
from tests.webhooks.rig import Rig, rigged
from tests.webhooks.signing import ACCOUNT, OLD_SECRET, SECRET


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reader(clock: ManualClock) -> WebhookReader:
    """Knows the new secret and the old one."""
    return WebhookReader((SECRET, OLD_SECRET), now=clock.now, account=ACCOUNT, livemode=False)


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    async with rigged() as running:
        yield running
