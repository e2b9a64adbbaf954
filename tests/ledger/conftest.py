"""A fresh account for each test."""

from __future__ import annotations

import pytest

from tests.ledger.builders import Account

pytest.register_assert_rewrite(
    "tests.ledger.foretold", "tests.ledger.machine", "tests.ledger.rules"
)


@pytest.fixture
def account() -> Account:
    """An account with two customers and nothing else."""
    return Account()
