"""What must be loaded, and what comes back: two trees of one shape, without GraphQL.

The planner makes `Needs` from a selection; a backend answers them with `Loaded`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from schema.ports.reading import Link, Listing, Need, list_digest
from schema.ports.refusals import Deleted, Failed

R = TypeVar("R")


@dataclass(slots=True)
class Needs:
    """What one object of each possible type must bring along: type name -> need -> deeper needs."""

    by_type: dict[str, dict[Need, Needs]] = field(default_factory=dict)

    def of(self, type_name: str) -> Mapping[Need, Needs]:
        """The needs of an object of this type; empty if it needs nothing beyond itself."""
        return self.by_type.get(type_name, {})

    def add(self, type_name: str, need: Need) -> Needs:
        """The deeper needs below this one, to be filled; equal needs share them."""
        return self.by_type.setdefault(type_name, {}).setdefault(need, Needs())

    def merge(self, other: Needs) -> None:
        """Take over everything the other needs as well."""
        for type_name, needs in other.by_type.items():
            for need, deeper in needs.items():
                self.add(type_name, need).merge(deeper)


ROOT = "Query"
"""The type name under which root needs stand, whatever the operation."""


def root_needs(needs: Iterable[tuple[Need, Needs]]) -> Needs:
    """Needs of a synthetic root, for what a mutation answers or an event carries."""
    root = Needs()
    for need, deeper in needs:
        root.add(ROOT, need).merge(deeper)
    return root


@dataclass(slots=True)
class Loaded(Generic[R]):
    """One record and what was loaded below it. Resolvers receive it as their parent."""

    record: R
    children: dict[Need, Any] = field(default_factory=dict)

    def member(self, need: Need) -> Any:
        """The same for a member of a list: a `Failed` is handed over and costs its own place."""
        return self.children[need]

    def child(self, need: Need) -> Any:
        """What was loaded for this need: `Loaded`, `LoadedPage`, a value or None.

        Raises the `Failed` that stands in its place. A link to what is deleted leads nowhere.
        """
        outcome = self.children[need]
        if isinstance(outcome, Deleted) and isinstance(need, Link):
            return None
        if isinstance(outcome, Failed):
            raise outcome
        return outcome


@dataclass(slots=True)
class LoadedPage:
    """One page of a list. `name`, `parent_id` and the filter make its cursors its own."""

    listing: Listing
    parent_id: str | None
    items: list[Loaded[Any]]
    has_next: bool
    has_previous: bool

    @property
    def digest(self) -> str:
        return list_digest(self.listing.name, self.parent_id, self.listing.where)
