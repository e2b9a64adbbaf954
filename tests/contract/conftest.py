"""One stage and one backend for each test of the contract, over every supplier of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from schema.ports import InvoiceBackend, Viewer
from tests.contract.features import BACKENDS, Features
from tests.support.stage import ACME, GLOBEX, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage.empty()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs over every supplier that does not declare a difference for it."""
    if "backend" in metafunc.fixturenames:
        name = metafunc.function.__name__
        suppliers = [one for one in BACKENDS if name not in one.differences]
        metafunc.parametrize(
            "backend", suppliers, ids=[one.name for one in suppliers], indirect=True
        )


@pytest_asyncio.fixture
async def backend(request: pytest.FixtureRequest, stage: Stage) -> AsyncIterator[InvoiceBackend]:
    features: Features = request.param
    async with features.open(stage) as opened:
        yield opened


@pytest.fixture
def operator() -> Viewer:
    """Sees and may do everything."""
    return Viewer("operator")


@pytest.fixture
def acme() -> Viewer:
    """A partner who sees Acme's objects only."""
    return Viewer("partner-acme", customers=frozenset({ACME}))


@pytest.fixture
def globex() -> Viewer:
    """A partner who sees Globex's objects only."""
    return Viewer("partner-globex", customers=frozenset({GLOBEX}))
