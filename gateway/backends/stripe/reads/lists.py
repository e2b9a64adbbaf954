"""Lists as Stripe serves them: their pages, what is cut from them, which needs share a call.

A short list hangs on one object, and a page of Stripe's has mostly all of it; so its first rows
answer for other sizes, states and cursors too, and one call answers every need over it. Of a long
list only pages that begin at the same place have one call. Nothing here fetches.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage, cursor_gone
from gateway.backends.stripe.reads.pool import Pool
from schema.ports import PAGE_SIZE_MAX, Computed, ListFilter, Listing, Needs, Page, Viewer


@dataclass(slots=True)
class Embedded:
    """The first rows of a list, newest first: they came inside its parent or by themselves."""

    members: tuple[Any, ...]
    has_more: bool


ListKey = tuple[str, str, str]
"""A short list: its parent's kind, its name, its parent's id."""

SHORT_LISTS = frozenset({"payments", "lines", "credit_notes", "invoice_payments"})
"""Lists below one object of which a page of Stripe's has mostly all."""


AT_THE_ROOT = (
    ("Invoice", "payments", "invoice_id"),
    ("PaymentIntent", "invoice_payments", "payment_intent_id"),
    ("PaymentRecord", "invoice_payments", "payment_record_id"),
)
"""The short lists that `invoicePayments` shows when its filter names their parent alone."""


def short_list(ask: Ask, viewer: Viewer) -> ListKey | None:
    """The short list of which this is a part; None for any other.

    `invoicePayments(filter: {invoiceId})` is the list that an invoice's payments are. To a
    restricted viewer a list of other invoices' payments shows only some of its rows.
    """
    listing = ask.need
    if not isinstance(listing, Listing) or listing.name not in SHORT_LISTS:
        return None
    if listing.name == "invoice_payments" and viewer.customers is not None:
        return None
    where = replace(listing.where, statuses=())
    if ask.kind is not None and ask.id is not None:
        return (ask.kind, listing.name, ask.id) if where == ListFilter() else None
    for kind, name, argument in AT_THE_ROOT:
        parent_id = getattr(where, argument)
        if parent_id is not None and where == replace(ListFilter(), **{argument: parent_id}):
            return kind, name, parent_id
    return None


def page_of(rows: Embedded, listing: Listing) -> FetchedPage | None:
    """The page, if these first rows of its list are enough for it.

    Raises `Failed` CURSOR_GONE where they are all and its cursor's object is not among them.
    """
    page, members = listing.page, rows.members
    cursor = page.after or page.before
    ids = [one.id for one in members]
    if cursor is not None and cursor.object_id not in ids:
        if rows.has_more:
            return None
        raise cursor_gone()
    if page.before is not None:
        before = filtered(members[: ids.index(page.before.object_id)], listing.where)
        return FetchedPage(before[-page.size :], True, len(before) > page.size)
    start = 0 if page.after is None else ids.index(page.after.object_id) + 1
    rest = filtered(members[start:], listing.where)
    if rows.has_more and page.size > len(rest):
        return None
    return FetchedPage(
        rest[: page.size], page.size < len(rest) or rows.has_more, page.after is not None
    )


def filtered(members: tuple[Any, ...], where: ListFilter) -> tuple[Any, ...]:
    """The members of an embedded list that a filter leaves."""
    if not where.statuses:
        return members
    return tuple(one for one in members if one.status in where.statuses)


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
