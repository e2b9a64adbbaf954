"""Lists as Stripe serves them: their pages, their first rows, and what can be cut from those.

A short list hangs on one object, and a page of Stripe's has mostly all of it; so its first rows
answer for other sizes, states and cursors too. Nothing here fetches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage, cursor_gone
from schema.ports import ListFilter, Listing, Viewer


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
