"""What can be needed, what was loaded, and the port that answers the one with the other. Plain.

The planner makes `Needs` from a selection, of needs that are hashable; a backend answers them with
`Loaded`, a tree of the same shape. The docstrings of both ports are the contract suite in prose;
`tests/contract` is the same in code and runs over every backend.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from schema.ports.events import EventFilter
from schema.ports.failures import Deleted, Failed
from schema.ports.viewer import Meter, Viewer
from schema.ports.write_port import CreditNoteDraft

R = TypeVar("R")

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
        return self.first or self.last or PAGE_SIZE_DEFAULT


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


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """Need of the one object that a field of the parent record points to. There is one for each
    name, and names are fields of records: each object of a list is looked up by it."""

    name: str

    def __new__(cls, name: str) -> Link:
        return _LINKS.setdefault(name, object.__new__(cls))

    def __copy__(self) -> Link:
        return self

    def __deepcopy__(self, _: object) -> Link:
        return self


_LINKS: dict[str, Link] = {}


@dataclass(frozen=True, slots=True)
class Listing:
    """Need of one page of a list, at the root or below a parent record."""

    name: str
    page: Page = Page()
    where: ListFilter = ListFilter()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.name, self.page, self.where)))

    def __hash__(self) -> int:
        """Worked out once: each object of a list is looked up by it, and it has twenty parts."""
        return self._hash


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


@dataclass(slots=True)
class Needs:
    """What one object of each possible type must bring along: type name -> need -> deeper needs.

    `is_lasting`: they are made once for all operations that need the same, so that what was loaded
    for them can be found by the object that they are.
    """

    by_type: dict[str, dict[Need, Needs]] = field(default_factory=dict)
    is_lasting: bool = field(default=False, compare=False)

    def of(self, type_name: str) -> Mapping[Need, Needs]:
        """The needs of an object of this type; empty if it needs nothing beyond itself."""
        return self.by_type.get(type_name, {})

    def add(self, type_name: str, need: Need, deeper: Needs | None = None) -> Needs:
        """The needs below this one, to be filled, `deeper` among them; equal needs share them."""
        below = self.by_type.setdefault(type_name, {}).setdefault(need, Needs())
        if deeper is not None and deeper.by_type:
            below.merge(deeper)
        return below

    def merge(self, other: Needs) -> None:
        """Take over everything the other needs as well."""
        for type_name, needs in other.by_type.items():
            for need, deeper in needs.items():
                self.add(type_name, need, deeper)


ROOT = "Query"
"""The type name under which root needs stand, whatever the operation."""


def root_needs(needs: Iterable[tuple[Need, Needs]]) -> Needs:
    """Needs of a synthetic root, for what a mutation answers or an event carries. What is needed
    below is shared with those that were given, and never changed."""
    found: dict[Need, Needs] = {}
    for need, deeper in needs:
        both = Needs(deeper.by_type)
        if need in found:
            both = Needs()
            both.merge(found[need])
            both.merge(deeper)
        found[need] = both
    return Needs({ROOT: found} if found else {})


@dataclass(slots=True)
class Loaded(Generic[R]):
    """One record and what was loaded below it. Resolvers receive it as their parent."""

    record: R
    children: dict[Need, Any] = field(default_factory=dict)

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


class Basis(Protocol):
    """What a tree was made of. While all of it is still so, the tree is what a load would answer,
    and so is what was made of it."""

    @property
    def cached(self) -> int:
        """How many objects and lists of it were served without a call."""
        ...

    def holds(self) -> bool | None:
        """Whether all of it is still so. Never blocks: None where only a look can tell."""
        ...

    async def look(self) -> bool:
        """The same, with at most two round trips to a shared cache. Never raises: what nobody can
        tell does not hold."""
        ...


async def still_holds(basis: Basis) -> bool:
    """Whether all of it is still so, with a look where it takes one."""
    holds = basis.holds()
    return await basis.look() if holds is None else holds


@dataclass(slots=True)
class Root(Loaded[None]):
    """The root of a loaded tree; it may tell what the tree was made of."""

    basis: Basis | None = field(default=None, compare=False)


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


class Capability(enum.StrEnum):
    ATTACH_PAYMENT_INTENT = "ATTACH_PAYMENT_INTENT"
    ATTACH_PAYMENT_RECORD = "ATTACH_PAYMENT_RECORD"
    ATTACH_OUT_OF_BAND = "ATTACH_OUT_OF_BAND"
    DETACH = "DETACH"
    CREDIT_NOTE = "CREDIT_NOTE"
    EVENT_REPLAY = "EVENT_REPLAY"


class BackendKind(enum.StrEnum):
    STRIPE = "STRIPE"
    MEMORY = "MEMORY"


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """What a deployment is. `account` names the Stripe account in keys and log entries."""

    kind: BackendKind
    account: str
    livemode: bool
    stripe_api_version: str | None
    capabilities: frozenset[Capability]


@dataclass(frozen=True, slots=True)
class Telling:
    """A load for whoever is told of an event about this invoice: nothing in it may be older than
    that event, and what other invoices' events have touched since may be."""

    invoice_id: str


class Reads(Protocol):
    """Invoices and their payments as they are.

    Shows a viewer nothing that is not theirs: what belongs to another customer is NOT_FOUND,
    exactly like what does not exist.
    """

    def describe(self) -> BackendDescription:
        """What this deployment is and can do. Never blocks."""
        ...

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any] | None:
        """What `load` would answer, where nothing has to be waited for; None: it has to be. Never
        blocks."""
        ...

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        """Answer all needs, with the fewest upstream calls it can. The root may be a `Root`.

        The answer has the shape of the needs. What could not be fetched is a `Failed` in its
        place and never an exception from here. Safe to repeat; two calls may see different
        states, but never one older than a write or an event that was announced before. `known`
        is an outcome's `known`: what it holds may be as old as that write, and is not asked for
        again; or a `Telling`.
        """
        ...
