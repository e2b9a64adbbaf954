"""The gateway of a test with its default limits, and a look at the log after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.callers.desk import Desk
from tests.reliability.public import Public, standing


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "clients.toml")


@pytest_asyncio.fixture
async def public(desk: Desk) -> AsyncIterator[Public]:
    async with standing(desk) as public:
        yield public


@pytest.fixture(autouse=True)
def no_traceback(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Whatever anybody sends, it is no surprise to us; `surprising` tests are about those."""
    yield
    if "surprising" not in request.fixturenames:
        assert [one for one in caplog.get_records("call") if one.exc_info] == []


@pytest.fixture
def surprising() -> None:
    """For a test in which something of ours breaks, and is to be found in the log."""
