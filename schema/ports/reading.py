"""What can be needed: objects, links, lists with their pages and filters. Plain and hashable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schema.ports.events import EventFilter
from schema.ports.writing import CreditNoteDraft

PAGE_SIZE_MAX = 100
"""Stripe serves at most 100 objects a page."""


PAGE_SIZE_DEFAULT = 10


NODES_MAX = 50
"""Each id of `nodes` can cost one call upstream."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in one particular list: after (or before) this object."""

    list_digest: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted; newest first, `last` counts from the `before` cursor."""

    first: int | None = PAGE_SIZE_DEFAULT
    after: Cursor | None = None
    last: int | None = None
    before: Cursor | None = None

    @property
    def size(self) -> int:
        size = self.first if self.first is not None else self.last
        return PAGE_SIZE_DEFAULT if size is None else size


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Epoch seconds, both ends included; None is open."""

    start: int | None = None
    end: int | None = None

    def holds(self, instant: int | None) -> bool:
        if instant is None:
            return self.start is None and self.end is None
        return (self.start is None or instant >= self.start) and (
            self.end is None or instant <= self.end
        )


ALWAYS = TimeRange()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What the members of a list have in common; None and empty mean no restriction."""

    customer_id: str | None = None
    invoice_id: str | None = None
    payment_intent_id: str | None = None
    payment_record_id: str | None = None
    subscription_id: str | None = None
    collection_method: str | None = None
    statuses: tuple[str, ...] = ()
    created: TimeRange = ALWAYS
    due: TimeRange = ALWAYS
    attachable_to: str | None = None


@dataclass(frozen=True, slots=True)
class ById:
    """Need of one object by its id. `kind` is the record's class name."""

    kind: str
    id: str
    quiet: bool = False
    """True where the unknown is a plain null (`nodes`), and not an error."""


@dataclass(frozen=True, slots=True)
class Link:
    """Need of the one object that a field of the parent record points to."""

    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Need of one page of a list, at the root or below a parent record."""

    name: str
    page: Page = Page()
    where: ListFilter = ListFilter()


@dataclass(frozen=True, slots=True)
class Computed:
    """Need of a value that the backend works out: ledger arithmetic, a secret, a preview."""

    name: str
    argument: CreditNoteDraft | None = None


@dataclass(frozen=True, slots=True)
class EventListing:
    """Need of one page of the event log; served by the EventStream, not by the backend."""

    first: int
    after: str | None
    where: EventFilter


Need = ById | Link | Listing | Computed | EventListing
"""One thing that must be loaded; hashable, so that equal needs are loaded once."""


def list_digest(name: str, parent_id: str | None, where: ListFilter) -> str:
    """The identity of a list, as it stands in its cursors."""
    text = f"{name}|{parent_id}|{where!r}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
