"""docs/extending.md tells of the house as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from schema.ports import Command, Outcome

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()
PLACES = sorted(set(re.findall(r"`((?:schema|gateway|tests)/[\w/]+(?:\.\w+)?/?)`", PAGE)))


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_it_names_is_there(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("schema/records.py", "    account_name: str | None"),
        ("gateway/stripe_objects/shapes.py", '        _text("account_name"),'),
        ("schema/invoice.py", "    account_name: str | None = plain("),
    ],
)
def test_a_field_is_one_place_in_each_of_three_files(place: str, line: str) -> None:
    """And in none besides: the example of the recipe."""
    assert (ROOT / place).read_text().count(line) == 1
    spelled = {
        str(path.relative_to(ROOT))
        for folder in ("gateway", "schema")
        for path in (ROOT / folder).rglob("*.py")
        if "account_name" in path.read_text()
    }
    assert spelled == {"schema/records.py", "gateway/stripe_objects/shapes.py", "schema/invoice.py"}


@pytest.mark.parametrize("command", get_args(Command))
def test_a_command_carries_what_belongs_to_it(command: type) -> None:
    """Nobody on its way has a table of commands."""
    for name in ("operation", "scope", "event_type", "raw_type"):
        assert hasattr(command, name)
    tables = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "gateway").rglob("*.py")
        if command.__name__ in path.read_text()
    ]
    assert [one for one in tables if not one.startswith(ALLOWED)] == []


ALLOWED = (
    "gateway/backends/memory/",
    "gateway/backends/stripe/writes/",
    "gateway/backends/stripe/backend.py",
    "gateway/backends/journal/",
    "gateway/backends/guarded.py",
    "gateway/ledger/reallocation.py",
    "gateway/backends/supplier.py",
    "gateway/backends/stripe/reads/",
)
"""The suppliers; what of an input means the same, is personal, or is looked for by a person; and,
as its preview is of the same words, what is asked before a payment is moved."""


def test_each_command_has_its_outcome() -> None:
    assert len(get_args(Command)) == len(get_args(Outcome))
