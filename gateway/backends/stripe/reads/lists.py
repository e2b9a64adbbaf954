"""Lists as Stripe serves them: which needs one call answers, and what is cut from its rows.

A short list hangs on one invoice, intent or record, and its first hundred rows are mostly all of
it: whatever is wanted of them (other sizes, states, cursors, what is worked out) is cut from these
rows. Of a long list only pages that begin at the same place have one call. Nothing here fetches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace

from gateway.backends.assembly import Ask
from gateway.backends.first_rows import ListKey
from schema.ports import PAGE_SIZE_MAX, Computed, ListFilter, Listing, Needs, Page, Viewer

SHORT_LISTS = frozenset({"payments", "lines", "credit_notes", "invoice_payments"})
"""Lists below one object of which a page of Stripe's has mostly all."""

AT_THE_ROOT = (
    ("Invoice", "payments", "invoice_id"),
    ("PaymentIntent", "invoice_payments", "payment_intent_id"),
    ("PaymentRecord", "invoice_payments", "payment_record_id"),
)
"""The short lists that `invoicePayments` shows when its filter names their parent alone."""

DETACH_PREVIEW = Computed("detach_preview")


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


@dataclass(frozen=True, slots=True)
class ListRead:
    """One call for a list, and everything that it may answer."""

    ask: Ask
    needs: Needs
    answers: tuple[Ask, ...]
    whole: ListKey | None = None
    """The short list whose first rows are read, for the answers to be cut from them."""


def list_reads(
    missing: dict[Ask, Needs], read_whole: Set[ListKey], viewer: Viewer
) -> list[ListRead]:
    """The calls for lists that are missing; the first rows of `read_whole` did not answer them."""
    short: dict[ListKey, list[Ask]] = defaultdict(list)
    other: dict[object, list[Ask]] = defaultdict(list)
    for ask in missing:
        key, listing = short_list(ask, viewer), listing_of(ask)
        if key is None or key in read_whole:
            page = listing.page
            beginning = (ask.kind, ask.id, listing.name, listing.where, page.after, page.before)
            other[beginning].append(ask)
        else:
            short[key].append(ask)
    reads = [_largest(asks, missing) for asks in other.values()]
    return [*(_of_short_list(key, asks, missing) for key, asks in short.items()), *reads]


def _largest(asks: list[Ask], missing: dict[Ask, Needs]) -> ListRead:
    """The one of which all the others are a part."""
    needs = Needs()
    for ask in asks:
        needs.merge(missing[ask])
    return ListRead(max(asks, key=lambda ask: listing_of(ask).page.size), needs, tuple(asks))


def _of_short_list(key: ListKey, asks: list[Ask], missing: dict[Ask, Needs]) -> ListRead:
    """One that is alone is read as it is, unless it needs more of the list than it shows."""
    largest = _largest(asks, missing)
    # A rule of the ledger's looks at all the payments of an invoice.
    is_for_a_rule = DETACH_PREVIEW in largest.needs.of("InvoicePayment")
    looks_at_all = is_for_a_rule and any(listing_of(ask).name == "payments" for ask in asks)
    if len(asks) == 1 and not looks_at_all:
        return largest
    is_partial = looks_at_all or any(_is_part(listing_of(ask)) for ask in asks)
    kind, name, parent_id = key
    size = PAGE_SIZE_MAX if is_partial else listing_of(largest.ask).page.size
    first_rows = Ask(kind, parent_id, Listing(name, Page(first=size)))
    return ListRead(first_rows, largest.needs, tuple(asks), key)


def _is_part(listing: Listing) -> bool:
    """Whether its rows may lie anywhere in the list."""
    page = listing.page
    return bool(listing.where.statuses) or page.after is not None or page.before is not None


def listing_of(ask: Ask) -> Listing:
    assert isinstance(ask.need, Listing)
    return ask.need
