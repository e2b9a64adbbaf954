"""A store of every implementation, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.backends.journal.record_store import JournalStore
from tests.journal.stores import STORES, StoreFeatures
from tests.journal.writing import Writing
from tests.support.time_and_ids import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=STORES, ids=lambda features: features.name)
def features(request: pytest.FixtureRequest) -> StoreFeatures:
    """One implementation of the store."""
    declared: StoreFeatures = request.param
    return declared


@pytest_asyncio.fixture
async def store(
    features: StoreFeatures, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[JournalStore]:
    """An empty store."""
    async with features.open(tmp_path, clock.now) as opened:
        yield opened


@pytest.fixture
def writing() -> Writing:
    """A journaled backend with real parts that can be broken, over an empty stage."""
    return Writing.over()
