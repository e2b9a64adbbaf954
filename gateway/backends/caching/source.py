"""A loaded tree taken apart, and what one read has at hand of such: a source for the assembly.

Unlike the pool of a fetcher it works out nothing: a list that was filtered and a value that was
computed inside are taken as they are. It outlives no read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import LINKS, Ask, FetchedPage, Missing, not_found
from gateway.backends.caching.entries import DELETED, GONE
from schema.ports import (
    ById,
    Computed,
    Deleted,
    ErrorCode,
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
    """Everything in the tree, parents first."""
    if isinstance(loaded, LoadedPage):
        for item in loaded.items:
            yield from walk(item)
    elif isinstance(loaded, Loaded):
        if is_object(loaded.record):
            yield Held(None, None, loaded.record)
        for need, outcome in loaded.children.items():
            yield Held(loaded.record, need, outcome)
            yield from walk(outcome)


def is_object(value: Any) -> bool:
    """Whether it has an id of its own; previews and secrets have none."""
    return hasattr(value, "id")


def ask_of(parent: Any, need: Listing | Computed) -> Ask:
    """What a source would be asked for this list or value."""
    if parent is None:
        return Ask(None, None, need)
    return Ask(type(parent).__name__, parent.id, need)


def is_not_found(need: ById, outcome: Any) -> bool:
    """Whether there is no such object, for this viewer; other failures say nothing about it."""
    if outcome is None:
        return need.quiet
    return isinstance(outcome, Failed) and outcome.code is ErrorCode.NOT_FOUND


@dataclass(slots=True)
class Shelf:
    """See `gateway.backends.assembly.RecordSource`. What came first stays."""

    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    needed: dict[Ask, Any] = field(default_factory=dict)

    def get(self, kind: str, record_id: str) -> Any:
        held = self.objects.get((kind, record_id))
        if held is None:
            raise Missing(Ask(kind, record_id))
        if isinstance(held, Failed):
            raise held
        return held

    def page(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[list[Any], bool, bool]:
        page: FetchedPage = self._needed(ask_of(parent, listing))
        return list(page.members), page.has_next, page.has_previous

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any:
        return self._needed(ask_of(parent, need))

    def _needed(self, ask: Ask) -> Any:
        if ask not in self.needed:
            raise Missing(ask)
        if isinstance(self.needed[ask], Failed):
            raise self.needed[ask]
        return self.needed[ask]

    def put(self, ask: Ask, thing: Any) -> None:
        """Take in what the cache holds for an ask."""
        if ask.need is not None:
            self.needed.setdefault(ask, thing)
        else:
            assert ask.kind is not None
            assert ask.id is not None
            self.objects.setdefault((ask.kind, ask.id), _object(thing, ask.kind, ask.id))

    def pour(self, tree: Loaded[Any]) -> None:
        """Take in what was asked for inside."""
        for held in walk(tree):
            self._pour(held)

    def _pour(self, held: Held) -> None:
        match held.need:
            case None:
                self.put(Ask(type(held.outcome).__name__, held.outcome.id), held.outcome)
            case Listing() | Computed() as need:
                self.put(ask_of(held.parent, need), bare(held.outcome))
            case ById(kind, record_id) if isinstance(held.outcome, Failed):
                self.put(Ask(kind, record_id), held.outcome)
            case Link(name) if isinstance(held.outcome, Failed):
                self.put(Ask(*LINKS[type(held.parent), name](held.parent)), held.outcome)
            case _:
                return


def _object(thing: Any, kind: str, record_id: str) -> Any:
    if thing is GONE:
        return not_found(kind, record_id)
    return Deleted(kind, record_id) if thing is DELETED else thing


def bare(outcome: Any) -> Any:
    """A list's or a computed value's outcome without what hangs below it."""
    if isinstance(outcome, LoadedPage):
        members = tuple(item.record for item in outcome.items)
        return FetchedPage(members, outcome.has_next, outcome.has_previous)
    return outcome.record if isinstance(outcome, Loaded) else outcome
