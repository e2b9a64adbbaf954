"""What importing a package loads, in a fresh interpreter: only what is its business."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCHEMA = frozenset({"strawberry", "graphql"})
WEB = frozenset({"aiohttp", "prometheus_client"})
STRIPE = frozenset({"stripe"})

KEPT_OUT = {
    "gateway.ledger": SCHEMA | WEB | STRIPE | {"pydantic", "redis"},
    "gateway.storage": SCHEMA | WEB | STRIPE | {"pydantic"},
    "gateway.events": SCHEMA | WEB | STRIPE | {"pydantic"},
    "gateway.settings": SCHEMA | WEB | STRIPE | {"redis"},
    "gateway.callers": SCHEMA | STRIPE,
    "gateway.backends": SCHEMA | STRIPE,
    "gateway.web": SCHEMA | STRIPE,
}
"""A package, and what none of its modules may bring in, not even by way of others."""

LOAD_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("package", KEPT_OUT)
def test_a_package_loads_nothing_that_is_not_its_business(package: str) -> None:
    """By way of others neither: a command that only looks at a store needs no schema."""
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, package], capture_output=True, text=True, check=True
    )

    assert KEPT_OUT[package] & {*loaded.stdout.split()} == set()
