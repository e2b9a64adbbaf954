"""One stage and one backend for each test of the contract, over every supplier of the port."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from schema.ports import Viewer
from tests.contract.features import Features, Supplied, suppliers
from tests.contract.staging import Stage
from tests.contract.stripe_key import KeyRefused, given_key
from tests.support.backends import Backend


def pytest_configure(config: pytest.Config) -> None:
    """A key that is no test key ends the run before anything is collected."""
    config.addinivalue_line("markers", "journaled: of suppliers behind a journal")
    try:
        key = given_key(os.environ)
    except KeyRefused as refused:
        raise pytest.UsageError(str(refused)) from None
    if key is not None:
        # Stripe's notices about a version are for people; here they would fail the call.
        config.addinivalue_line("filterwarnings", "default::UserWarning:stripe._api_requestor")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs over every supplier that does not declare a difference for it; one that is
    marked `journaled`, over those alone that have a journal before their writes."""
    if "supplied" in metafunc.fixturenames:
        name = metafunc.function.__name__
        rows = [one for one in suppliers(given_key(os.environ)) if name not in one.differences]
        if metafunc.definition.get_closest_marker("journaled"):
            rows = [one for one in rows if one.is_journaled]
        ids = [one.name for one in rows]
        metafunc.parametrize("supplied", rows, ids=ids, indirect=True)


@pytest_asyncio.fixture
async def supplied(request: pytest.FixtureRequest) -> AsyncIterator[Supplied]:
    features: Features = request.param
    async with features.open() as opened:
        yield opened


@pytest.fixture
def stage(supplied: Supplied) -> Stage:
    return supplied.stage


@pytest.fixture
def backend(supplied: Supplied) -> Backend:
    return supplied.backend


@pytest.fixture
def operator(stage: Stage) -> Viewer:
    """Sees and may do everything. Each run has tenants of its own, as Stripe remembers keys."""
    return Viewer(f"operator-{stage.run}")


@pytest.fixture
def acme(stage: Stage) -> Viewer:
    """A partner who sees Acme's objects only."""
    return Viewer(f"partner-acme-{stage.run}", customers=frozenset({stage.acme}))


@pytest.fixture
def globex(stage: Stage) -> Viewer:
    """A partner who sees Globex's objects only."""
    return Viewer(f"partner-globex-{stage.run}", customers=frozenset({stage.globex}))
