"""The first rows of a list, as they come with an object, and the pages that are cut from them.

Rows come newest first, as many as somebody has read, and with them whether more lie behind. Nothing
here fetches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage, cursor_gone
from schema.ports import ListFilter, Listing, Page

ListKey = tuple[str, str, str]
"""A list below one object: its parent's kind, its name, its parent's id."""
ROWS_OF_INVOICE = frozenset({"payments", "lines"})
"""The lists of which Stripe's invoice has the first rows with it."""


def rows_of(ask: Ask) -> ListKey | None:
    """The first rows from which this list may be cut: if it is an invoice's, and begins there."""
    listing = ask.need
    if not isinstance(listing, Listing) or listing.name not in ROWS_OF_INVOICE:
        return None
    if ask.kind != "Invoice" or ask.id is None or listing.page.after or listing.page.before:
        return None
    is_plain = replace(listing.where, statuses=()) == ListFilter()
    return (ask.kind, listing.name, ask.id) if is_plain else None


def cut(rows: FetchedPage, wanted: Page) -> FetchedPage:
    """The page that these rows from the same place begin with, or end with if read backward."""
    size, is_cut = wanted.size, len(rows.members) > wanted.size
    if wanted.before is not None:
        has_previous = is_cut or rows.has_previous
        return replace(rows, members=rows.members[-size:], has_previous=has_previous)
    return replace(rows, members=rows.members[:size], has_next=is_cut or rows.has_next)


def page_of(rows: FetchedPage, listing: Listing) -> FetchedPage | None:
    """The page, if these first rows of its list are enough for it.

    Raises `Failed` CURSOR_GONE where they are all and its cursor's object is not among them.
    """
    page, members = listing.page, rows.members
    cursor = page.after or page.before
    ids = [one.id for one in members]
    if cursor is not None and cursor.object_id not in ids:
        if rows.has_next:
            return None
        raise cursor_gone()
    if page.before is not None:
        before = filtered(members[: ids.index(page.before.object_id)], listing.where)
        return cut(FetchedPage(before, True, False), page)
    start = 0 if page.after is None else ids.index(page.after.object_id) + 1
    rest = filtered(members[start:], listing.where)
    if rows.has_next and page.size > len(rest):
        return None
    return cut(FetchedPage(rest, rows.has_next, page.after is not None), page)


def filtered(members: tuple[Any, ...], where: ListFilter) -> tuple[Any, ...]:
    """The members that a filter leaves: Stripe filters by one status only."""
    if not where.statuses:
        return members
    return tuple(one for one in members if one.status in where.statuses)
