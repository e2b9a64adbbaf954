"""A log of every implementation, a feed over a log in memory, and those who listen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.events.log import EventLog
from schema.ports import Viewer
from tests.events.channel import Channel
from tests.events.door import Door
from tests.events.logs import LOGS, LogFeatures
from tests.support.stage import ACME, GLOBEX, Stage


@pytest.fixture(params=LOGS, ids=lambda features: features.name)
def features(request: pytest.FixtureRequest) -> LogFeatures:
    """One implementation of the log."""
    declared: LogFeatures = request.param
    return declared


@pytest_asyncio.fixture
async def log(features: LogFeatures, tmp_path: Path) -> AsyncIterator[EventLog]:
    """An empty log."""
    async with features.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def channel() -> Channel:
    """An empty log with a feed over it."""
    return Channel.opened()


@pytest.fixture
def door() -> Door:
    """An intake over an empty stage."""
    return Door.over(Stage.empty())


@pytest.fixture
def operator() -> Viewer:
    """Sees everything."""
    return Viewer("operator")


@pytest.fixture
def acme() -> Viewer:
    """A partner who sees Acme's events only."""
    return Viewer("partner-acme", customers=frozenset({ACME}))


@pytest.fixture
def globex() -> Viewer:
    """A partner who sees Globex's events only."""
    return Viewer("partner-globex", customers=frozenset({GLOBEX}))
