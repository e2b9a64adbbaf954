"""A Stripe of its own for each test, and gateways that end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.processes import GatewayProcess
from tests.crash.world import World, made_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with made_world() as world:
        yield world


@pytest.fixture
async def gateway(world: World, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """Known to Stripe, not yet started."""
    gateway = GatewayProcess(tmp_path)
    await world.point_webhooks_at(gateway)
    world.introduce(gateway)
    yield gateway
    await gateway.close()
