"""Which needs are needs over one list of Stripe's, so that one call answers all of them.

A list that hangs on one invoice, intent or record is short: its first hundred rows are mostly all
of it, and whatever is wanted of them (other sizes, states, cursors, what is worked out) is cut from
these rows. Of a long list only pages that begin at the same place have one call.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from gateway.backends.assembly import Ask, FetchedPage
from gateway.backends.stripe.reads.lists import ListKey, short_list
from gateway.backends.stripe.reads.pool import Pool
from schema.ports import PAGE_SIZE_MAX, Computed, Listing, Needs, Page, Viewer

DETACH_PREVIEW = Computed("detach_preview")


@dataclass(frozen=True, slots=True)
class ListRead:
    """One call for a list, and everything that it may answer."""

    ask: Ask
    needs: Needs
    answers: tuple[Ask, ...]
    whole: ListKey | None
    """The short list whose first rows are read, for the answers to be cut from them."""


def list_reads(missing: dict[Ask, Needs], pool: Pool, viewer: Viewer) -> list[ListRead]:
    """The calls for the lists among what is missing."""
    short: dict[ListKey, list[Ask]] = defaultdict(list)
    other: dict[object, list[Ask]] = defaultdict(list)
    for ask in missing:
        if not isinstance(ask.need, Listing):
            continue
        key = short_list(ask, viewer)
        if key is None or key in pool.read_whole:
            other[_beginning(ask)].append(ask)
        else:
            short[key].append(ask)
    return [
        *(_of_short_list(key, asks, missing) for key, asks in short.items()),
        *(_of_same_beginning(asks, missing) for asks in other.values()),
    ]


def _beginning(ask: Ask) -> object:
    page = _page(ask)
    return (ask.kind, ask.id, _listing(ask).name, _listing(ask).where, page.after, page.before)


def _of_same_beginning(asks: list[Ask], missing: dict[Ask, Needs]) -> ListRead:
    largest = max(asks, key=lambda ask: _page(ask).size)
    return ListRead(largest, _merged(asks, missing), tuple(asks), None)


def _of_short_list(key: ListKey, asks: list[Ask], missing: dict[Ask, Needs]) -> ListRead:
    """One that is alone is read as it is, unless it needs more of the list than it shows."""
    needs = _merged(asks, missing)
    if len(asks) == 1 and not _looks_at_all(asks[0], needs):
        return _of_same_beginning(asks, missing)
    is_partial = any(_is_part(ask) or _looks_at_all(ask, needs) for ask in asks)
    size = PAGE_SIZE_MAX if is_partial else max(_page(ask).size for ask in asks)
    kind, name, parent_id = key
    ask = Ask(kind, parent_id, Listing(name, Page(first=size)))
    return ListRead(ask, needs, tuple(asks), key)


def _merged(asks: list[Ask], missing: dict[Ask, Needs]) -> Needs:
    needs = Needs()
    for ask in asks:
        needs.merge(missing[ask])
    return needs


def _looks_at_all(ask: Ask, needs: Needs) -> bool:
    """Whether what is wanted of the rows needs all the others too: a rule of the ledger's."""
    return DETACH_PREVIEW in needs.of("InvoicePayment") and _listing(ask).name == "payments"


def _is_part(ask: Ask) -> bool:
    """Whether its rows may lie anywhere in the list."""
    page, where = _page(ask), _listing(ask).where
    return bool(where.statuses) or page.after is not None or page.before is not None


def _listing(ask: Ask) -> Listing:
    assert isinstance(ask.need, Listing)
    return ask.need


def _page(ask: Ask) -> Page:
    return _listing(ask).page


def cut(page: FetchedPage, ask: Ask) -> FetchedPage:
    """The part of a page that a smaller one from the same place has."""
    size, members = _page(ask).size, page.members
    is_cut = len(members) > size
    if _page(ask).before is not None:
        return replace(page, members=members[-size:], has_previous=is_cut or page.has_previous)
    return replace(page, members=members[:size], has_next=is_cut or page.has_next)
