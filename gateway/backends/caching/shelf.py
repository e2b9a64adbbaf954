"""What one read has at hand, from the cache and from inside: a source for the assembly.

Unlike the pool of a fetcher it works out nothing: a list that was filtered and a value that was
computed inside are taken as they are. It outlives no read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import LINKS, Ask, Missing, not_found
from gateway.backends.caching.codec import DELETED, GONE
from gateway.backends.caching.tree import Held, ask_of, walk
from gateway.backends.lists import FetchedPage
from schema.ports import ById, Computed, Deleted, Failed, Link, Listing, Loaded, LoadedPage, Viewer


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
