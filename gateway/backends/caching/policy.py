"""What of a loaded tree may be cached, under which key, for how long, and what it depends on.

Only what is listed here is ever kept: a secret, a preview of what is not yet, and any failure
other than "there is no such object" are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.backends.assembly import Ask
from gateway.backends.caching import dependencies
from gateway.backends.caching.entries import DELETED, GONE, Keys
from gateway.backends.caching.source import Held, ask_of, bare, is_not_found, walk
from schema import records
from schema.ports import ById, Computed, Deleted, Link, Listing, Loaded, LoadedPage, Viewer

VALUE_SECONDS = 60.0
"""Bounds what Stripe changes without an event that is followed, such as a customer's name."""
INTENT_SECONDS = 10.0
"""A PaymentIntent that is not settled moves on without an event that is followed."""
GONE_SECONDS = 5.0
"""An unknown id is asked for again and again by whoever waits for it to appear."""
COMPUTED = frozenset({"amount_paid_out_of_band", "detach_preview"})
"""The computed values that may be kept."""


@dataclass(frozen=True, slots=True)
class Keepable:
    """One thing to be kept; `names` are what it depends on."""

    key: str
    names: list[str]
    thing: Any
    seconds: float


def is_keepable(ask: Ask) -> bool:
    """Whether the cache could hold an answer."""
    return not isinstance(ask.need, Computed) or ask.need.name in COMPUTED


def keepable(keys: Keys, viewer: Viewer, tree: Loaded[Any]) -> Iterator[Keepable]:
    """Everything of a tree that may be kept."""
    everything = list(walk(tree))
    invoices = [one.outcome for one in everything if isinstance(one.outcome, records.Invoice)]
    customers = {invoice.id: invoice.customer_id for invoice in invoices}
    for held in everything:
        match held.need:
            case None if not isinstance(held.outcome, records.InvoiceLineItem):
                yield _object(keys, viewer, held.outcome)
            case ById() | Link() if isinstance(held.outcome, Deleted):
                yield _deleted(keys, viewer, held.outcome)
            case ById() as need if is_not_found(need, held.outcome):
                key = keys.gone(viewer, need.kind, need.id)
                yield Keepable(key, dependencies.of_gone(need.kind, need.id), GONE, GONE_SECONDS)
            case Listing() as need if isinstance(held.outcome, LoadedPage):
                yield _page(keys, viewer, held, need)
            case Computed() as need:
                yield from _computed(keys, viewer, held, need, customers)
            case _:
                continue


def _deleted(keys: Keys, viewer: Viewer, one: Deleted) -> Keepable:
    """Nothing deleted comes back, so it is kept for as long as what is there."""
    depends_on = dependencies.of_gone(one.kind, one.id)
    return Keepable(keys.gone(viewer, one.kind, one.id), depends_on, DELETED, VALUE_SECONDS)


def _object(keys: Keys, viewer: Viewer, record: Any) -> Keepable:
    key = keys.held(viewer, Ask(type(record).__name__, record.id))
    return Keepable(key, dependencies.of_record(record), record, _seconds(record))


def _page(keys: Keys, viewer: Viewer, held: Held, need: Listing) -> Keepable:
    page = bare(held.outcome)
    moves_on = need.name == "payment_intents"
    return Keepable(
        keys.held(viewer, ask_of(held.parent, need)),
        dependencies.of_page(need, held.parent),
        page,
        INTENT_SECONDS if moves_on else VALUE_SECONDS,
    )


def _computed(
    keys: Keys, viewer: Viewer, held: Held, need: Computed, customers: Mapping[str, str | None]
) -> Iterator[Keepable]:
    thing = bare(held.outcome)
    is_value = thing is None or isinstance(thing, int | records.DetachPreview)
    if need.name in COMPUTED and is_value:
        key = keys.held(viewer, ask_of(held.parent, need))
        depends_on = dependencies.of_computed(need, held.parent, customers)
        yield Keepable(key, depends_on, thing, INTENT_SECONDS)


def _seconds(record: Any) -> float:
    if isinstance(record, records.PaymentIntent) and not record.is_settled:
        return INTENT_SECONDS
    return VALUE_SECONDS
