"""What importing a package loads, in a fresh interpreter: its own business, and by whom."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


PLAIN = ("gateway.backends", "gateway.events", "gateway.ledger", "gateway.stripe_objects")
FOREIGN = ("strawberry", "graphql", "aiohttp")
"""What none of the plain packages imports, by itself or by way of others."""

SEEN_LOADING = """
import builtins, importlib, json, pkgutil, sys

plain, foreign = map(tuple, json.loads(sys.argv[1]))
found, real = set(), builtins.__import__

def importing(name, globals=None, locals=None, fromlist=(), level=0):
    root, frame = name.partition(".")[0], sys._getframe(1)
    if level == 0 and root in foreign:
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith(("gateway.", "schema.")):
                found.add((module, root))
                break
            frame = frame.f_back
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = importing
for package in plain:
    paths = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(paths, package + "."):
        importlib.import_module(module.name)
loaded = [name for name in foreign if name in sys.modules]
print(json.dumps([sorted(found), loaded]))
"""
"""Each import statement that runs is seen, whether its module was there before or not, and is put
down to the innermost of our modules, also where a library does it."""


def test_plain_packages_load_nothing_foreign() -> None:
    """In a fresh interpreter, so that nothing else has loaded anything before; the client of Stripe
    loads aiohttp with its first connection."""
    ran = subprocess.run(
        [sys.executable, "-c", SEEN_LOADING, json.dumps([PLAIN, FOREIGN])],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, loaded = json.loads(ran.stdout)

    assert found == []
    assert loaded == []
