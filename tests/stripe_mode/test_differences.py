"""The table of differences, which is only as good as the names in it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from pydantic import SecretStr

from tests import contract
from tests.contract.features import TWINS, Features, judge

ROWS = [*TWINS, judge(SecretStr("sk_test_notarealkey"))]


def contract_tests() -> set[str]:
    """The names of all tests of the contract."""
    names = [one.name for one in pkgutil.iter_modules(contract.__path__, "tests.contract.")]
    modules = [importlib.import_module(name) for name in names if ".test_" in name]
    return {name for module in modules for name in vars(module) if name.startswith("test_")}


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_differences_name_tests_that_exist(row: Features) -> None:
    """A test that was renamed would run again where it does not apply."""
    unknown = set(row.differences) - contract_tests()

    assert unknown == set()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_differences_say_why(row: Features) -> None:
    """A difference without a reason is a bug in hiding."""
    silent = [name for name, reason in row.differences.items() if len(reason.split()) < 5]

    assert silent == []
