"""A loaded tree taken apart, and what one read has at hand of such: a source for the assembly.

Unlike the pool of a fetcher it works out nothing: a list that was filtered and a value that was
computed inside are taken as they are. It outlives no read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import LINKS, Ask, FetchedPage, Missing, not_found
from gateway.backends.caching.entries import DELETED, GONE, Kept
from schema.ports import (
    ById,
    Computed,
    Deleted,
    Failed,
    Link,
    Listing,
    Loaded,
    LoadedPage,
    Need,
    Viewer,
)


@dataclass(frozen=True, slots=True)
class Held:
    """What came for a need of a parent (None at the root); without a need, a record itself."""

    parent: Any
    need: Need | None
    outcome: Any


def walk(loaded: Any) -> Iterator[Held]:
    """Everything in the tree, parents first. Previews and secrets are no records: they have no id
    of their own."""
    if isinstance(loaded, LoadedPage):
        for item in loaded.items:
            yield from walk(item)
    elif isinstance(loaded, Loaded):
        if hasattr(loaded.record, "id"):
            yield Held(None, None, loaded.record)
        for need, outcome in loaded.children.items():
            yield Held(loaded.record, need, outcome)
            yield from walk(outcome)


def ask_of(parent: Any, need: Listing | Computed) -> Ask:
    """What a source would be asked for this list or value."""
    if parent is None:
        return Ask(None, None, need)
    return Ask(type(parent).__name__, parent.id, need)


def bare(outcome: Any) -> Any:
    """A list's or a computed value's outcome without what hangs below it."""
    if isinstance(outcome, LoadedPage):
        members = tuple(item.record for item in outcome.items)
        return FetchedPage(members, outcome.has_next, outcome.has_previous)
    return outcome.record if isinstance(outcome, Loaded) else outcome


@dataclass(slots=True)
class Shelf:
    """See `gateway.backends.assembly.RecordSource`. What came first stays."""

    held: dict[Ask, Any] = field(default_factory=dict)
    counted: list[Kept] = field(default_factory=list)
    """What came from the cache, and counted."""
    objects: int = 0
    """How many there are in the tree."""

    def get(self, kind: str, record_id: str) -> Any:
        return self._answer(Ask(kind, record_id))

    def page(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[list[Any], bool, bool]:
        page: FetchedPage = self._answer(ask_of(parent, listing))
        return list(page.members), page.has_next, page.has_previous

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any:
        return self._answer(ask_of(parent, need))

    def _answer(self, ask: Ask) -> Any:
        if ask not in self.held:
            raise Missing(ask)
        if isinstance(self.held[ask], Failed):
            raise self.held[ask]
        return self.held[ask]

    def take(self, ask: Ask, kept: Kept) -> None:
        """Take in what the cache holds for an ask."""
        self.counted.append(kept)
        self.put(ask, kept.thing)

    def put(self, ask: Ask, thing: Any) -> None:
        """Take in what is known of an ask."""
        if thing is GONE:
            thing = not_found(ask.kind or "", ask.id or "")
        elif thing is DELETED:
            thing = Deleted(ask.kind or "", ask.id or "")
        self.held.setdefault(ask, thing)

    def pour(self, tree: Loaded[Any]) -> None:
        """Take in what was asked for inside."""
        for one in walk(tree):
            match one.need, one.outcome:
                case None, record:
                    self.put(Ask(type(record).__name__, record.id), record)
                case Listing() | Computed() as need, outcome:
                    self.put(ask_of(one.parent, need), bare(outcome))
                case ById(kind, id), Failed() as failed:
                    self.put(Ask(kind, id), failed)
                case Link(name), Failed() as failed:
                    self.put(Ask(*LINKS[type(one.parent), name](one.parent)), failed)
