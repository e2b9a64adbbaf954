"""What of a loaded tree may be cached, under which key, for how long, and what it depends on.

Only what is listed here is ever kept: a secret, a preview of what is not yet, and any failure
other than "there is no such object" are not. A value carries the tokens of the names it depends on,
and an event drops names. An invoice's name covers its payments, credit notes and lists too: Stripe
moves the default payment and its PaymentIntent with the balance, and announces neither. A
customer's name covers what all their invoices share, as a PaymentIntent pays invoices of its own
customer only. Replicas of two releases share names while one takes over from the other, so a name
never changes its meaning, and what an event drops only ever grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.backends.assembly import Ask
from gateway.backends.caching.entries import DELETED, EVERYBODY, GONE, Keys
from gateway.backends.caching.source import ask_of, bare, walk
from gateway.backends.first_rows import ROWS_OF_INVOICE
from gateway.backends.harvest import Harvest
from schema import records
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
    Telling,
    Viewer,
)

ANY = "any"
"""What every drop renews: for what any event may have changed."""


VALUE_SECONDS = 60.0
"""Bounds what Stripe changes without an event that is followed, such as a customer's name."""
INTENT_SECONDS = 10.0
"""A PaymentIntent that is not settled moves on without an event that is followed."""
TELLING_SECONDS = 30.0
"""Who is told of an event is told within moments, and has fallen behind if it takes longer."""
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


def likely_names(ask: Ask, telling: Telling | None) -> Iterator[str]:
    """What most answers depend on, as far as it can be told before they are looked at."""
    if ask.id is not None and ask.kind in ("Invoice", "Customer", "PaymentIntent"):
        yield f"{ask.kind}:{ask.id}"
    if telling is not None:
        yield _invoice(telling.invoice_id)


def keepable(keys: Keys, viewer: Viewer, tree: Loaded[Any]) -> Iterator[Keepable]:
    """Everything of a tree that may be kept."""
    everything = list(walk(tree))
    customers = {
        one.outcome.id: one.outcome.customer_id
        for one in everything
        if isinstance(one.outcome, records.Invoice)
    }
    for held in everything:
        match held.need, held.outcome:
            case None, records.InvoiceLineItem():
                continue
            case None, record:
                key = keys.held(viewer, Ask(type(record).__name__, record.id))
                yield Keepable(key, _of_record(record), record, _seconds(record))
            case ById() | Link(), Deleted(kind=kind, id=id):
                # Nothing deleted comes back, so it is kept for as long as what is there.
                yield Keepable(
                    keys.gone(viewer, kind, id), _of_gone(kind, id), DELETED, VALUE_SECONDS
                )
            case ById(kind, id, quiet), outcome if _is_not_found(quiet, outcome):
                key = keys.gone(viewer, kind, id)
                yield Keepable(key, _of_gone(kind, id), GONE, GONE_SECONDS)
            case Listing() as need, LoadedPage() as page:
                key = keys.held(viewer, ask_of(held.parent, need))
                seconds = INTENT_SECONDS if need.name == "payment_intents" else VALUE_SECONDS
                yield Keepable(key, _of_page(need, held.parent), bare(page), seconds)
            case Computed() as need, outcome if need.name in COMPUTED:
                thing = bare(outcome)
                if thing is None or isinstance(thing, int | records.DetachPreview):
                    key = keys.held(viewer, ask_of(held.parent, need))
                    names = _of_computed(held.parent, customers)
                    yield Keepable(key, names, thing, INTENT_SECONDS)


def brought(keys: Keys, harvest: Harvest) -> Iterator[Keepable]:
    """Everything that may be kept of a read for nobody in particular.

    What the events of all the customer's invoices drop is kept a second time, for a moment: for who
    is told of this invoice's. In a burst it would else be gone before the first of them had it.
    """
    invoice_ids = [one.id for one in harvest.records if isinstance(one, records.Invoice)]
    for record in harvest.records:
        ask = Ask(type(record).__name__, record.id)
        names = _of_record(record)
        yield Keepable(keys.held(EVERYBODY, ask), names, record, _seconds(record))
        own = [name for name in names if not _is_of_others(name)]
        for invoice_id in invoice_ids if own != names else ():
            names = list(dict.fromkeys([_invoice(invoice_id), *own]))
            yield Keepable(keys.told(invoice_id, ask), names, record, TELLING_SECONDS)
    for at, rows in harvest.rows.items():
        if at[0] == "Invoice" and at[1] in ROWS_OF_INVOICE:
            yield Keepable(keys.rows(at), [_invoice(at[2])], rows, VALUE_SECONDS)
    for ask, value in harvest.answers.items():
        key = keys.held(EVERYBODY, ask)
        yield Keepable(key, [_invoice(ask.id or "")], value, INTENT_SECONDS)
    for one in harvest.deleted:
        names = [_customer(one.id)] if one.kind == "Customer" else _of_gone(one.kind, one.id)
        yield Keepable(keys.gone(EVERYBODY, one.kind, one.id), names, DELETED, VALUE_SECONDS)
    for payment_id, invoice_id in harvest.detached.items():
        key = keys.gone(EVERYBODY, "InvoicePayment", payment_id)
        yield Keepable(key, [_invoice(invoice_id)], GONE, GONE_SECONDS)


def _is_not_found(quiet: bool, outcome: Any) -> bool:
    """Whether there is no such object, for this viewer; other failures say nothing about it."""
    if outcome is None:
        return quiet
    return isinstance(outcome, Failed) and outcome.code is ErrorCode.NOT_FOUND


def _seconds(record: Any) -> float:
    if isinstance(record, records.PaymentIntent) and not record.is_settled:
        return INTENT_SECONDS
    return VALUE_SECONDS


def _of_record(record: Any) -> list[str]:
    """What a record depends on; nothing where no event that is followed tells of it."""
    match record:
        case records.Invoice(status="draft", customer_id=str(customer_id)):
            # Until it is finalized it shows the customer's name, e-mail and balance of now.
            return [_invoice(record.id), _customer(customer_id)]
        case records.Invoice():
            return [_invoice(record.id)]
        case records.InvoicePayment() | records.CreditNote():
            return [_invoice(record.invoice_id)]
        case records.PaymentIntent():
            own = [_intent(record.id)]
            return own if record.is_settled else [*own, _whose(record.customer_id)]
        case records.Customer():
            return [_customer(record.id)]
        case _:
            return []


def _of_page(listing: Listing, parent: Any) -> list[str]:
    """What a list depends on; its members depend on nothing more."""
    where = listing.where
    if where.attachable_to is not None:
        return [_invoice(where.attachable_to), _whose_list(listing, parent)]
    return [_whose_list(listing, parent)]


def _whose_list(listing: Listing, parent: Any) -> str:
    where = listing.where
    if isinstance(parent, records.Invoice):
        return _invoice(parent.id)
    if where.invoice_id is not None:
        return _invoice(where.invoice_id)
    if isinstance(parent, records.Customer):
        return _customer(parent.id)
    return _whose(where.customer_id or getattr(parent, "customer_id", None))


def _of_computed(parent: Any, customers: Mapping[str, str | None]) -> list[str]:
    """What a computed value depends on. `customers` says whose the invoices nearby are.

    Whether a payment can be detached hangs on its intent, which other invoices share.
    """
    if isinstance(parent, records.Invoice):
        return [_invoice(parent.id)]
    if isinstance(parent, records.InvoicePayment):
        return [_invoice(parent.invoice_id), _whose(customers.get(parent.invoice_id))]
    return [ANY]


def _of_gone(kind: str, record_id: str) -> list[str]:
    """What the knowledge that an object does not exist depends on."""
    return [_invoice(record_id)] if kind == "Invoice" else [ANY]


def dropped_by(
    invoice_id: str | None, customer_id: str | None, payment_intent_id: str | None
) -> list[str]:
    """Everything that an event about these may have changed."""
    dropped = [ANY]
    if invoice_id is not None:
        dropped.append(_invoice(invoice_id))
    if customer_id is not None:
        dropped.append(_customer(customer_id))
    if payment_intent_id is not None:
        dropped.append(_intent(payment_intent_id))
    return dropped


def _invoice(invoice_id: str) -> str:
    return f"Invoice:{invoice_id}"


def _customer(customer_id: str) -> str:
    return f"Customer:{customer_id}"


def _is_of_others(name: str) -> bool:
    """Whether events about other invoices drop it, too."""
    return name == ANY or name.startswith(_customer(""))


def _intent(intent_id: str) -> str:
    return f"PaymentIntent:{intent_id}"


def _whose(customer_id: str | None) -> str:
    """What all the invoices of one customer touch; of nobody, what any invoice touches."""
    return ANY if customer_id is None else _customer(customer_id)
