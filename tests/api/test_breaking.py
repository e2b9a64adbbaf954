"""Nobody who was served by the last release breaks without having been told in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema

from schema.root import printed_schema
from tests.api.breaking import unannounced

ROOT = Path(__file__).resolve().parents[2]
RELEASED = Path(__file__).with_name("released.graphql")
"""The schema of the last release; a release puts `schema/schema.graphql` in its place."""

BEFORE = """
  type Query { invoice(id: ID): Invoice invoices: [Invoice!]! }
  type Invoice { id: ID! note: String status: Status }
  enum Status { OPEN PAID }
  input Filter { status: Status }
"""
CHANGES = {
    "Invoice": ("Invoice", "Bill"),
    "Invoice.note": ("note: String ", ""),
    "Query.invoice(id:)": ("(id: ID)", "(id: ID!)"),
    "Status.PAID": ("OPEN PAID", "OPEN"),
    "Filter.status": ("input Filter { status: Status }", "input Filter { status: Status! }"),
}


def test_the_schema_breaks_no_client_of_the_last_release() -> None:
    """Announce what goes in CHANGELOG.md: "- `Invoice.note` (deprecated 2026-12-01, removed
    2027-06-01): what to use instead", and mark it @deprecated in the release before."""
    released, current = build_schema(RELEASED.read_text()), build_schema(printed_schema())
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert list(unannounced(released, current, changelog)) == []


@pytest.mark.parametrize(("coordinate", "change"), CHANGES.items(), ids=CHANGES)
def test_a_breaking_change_has_to_be_announced_in_time(
    coordinate: str, change: tuple[str, str]
) -> None:
    released, current = build_schema(BEFORE), build_schema(BEFORE.replace(*change))
    in_time = f"- `{coordinate}` (deprecated 2026-12-01, removed 2027-06-01): see the other one."
    too_late = in_time.replace("2027-06-01", "2027-01-01")

    def told_of(changelog: str) -> bool:
        found = unannounced(released, current, changelog)
        return any(f"({coordinate})" in one or "shorter" in one for one in found)

    assert told_of("")
    assert told_of(too_late)
    assert not told_of(in_time)


def test_what_a_field_that_may_be_null_becomes_is_no_break() -> None:
    """More than before is promised."""
    current = build_schema(BEFORE.replace("note: String", "note: String! more: Int"))

    assert list(unannounced(build_schema(BEFORE), current, "")) == []
