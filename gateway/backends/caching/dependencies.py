"""What cached values depend on: the names whose tokens they carry, and what an event drops.

An invoice's name covers its payments, credit notes and lists too: Stripe moves the default
payment and its PaymentIntent with the balance, and announces neither. A customer's name covers
what all their invoices share, as a PaymentIntent pays invoices of its own customer only. Replicas
of two releases share names while one takes over from the other, so a name never changes its
meaning, and what an event drops only ever grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema import records
from schema.ports import Computed, Listing

ANY = "any"
"""What every drop renews: for what any event may have changed."""


def of_record(record: Any) -> list[str]:
    """What a record depends on; nothing where no event that is followed tells of it."""
    match record:
        case records.Invoice(status="draft", customer_id=str(customer_id)):
            # Until it is finalized it shows the customer's name, e-mail and balance of now.
            return [invoice(record.id), customer(customer_id)]
        case records.Invoice():
            return [invoice(record.id)]
        case records.InvoicePayment() | records.CreditNote() | records.InvoiceLineItem():
            return [invoice(record.invoice_id)]
        case records.PaymentIntent():
            own = [intent(record.id)]
            return own if record.is_settled else [*own, whose(record.customer_id)]
        case records.Customer():
            return [customer(record.id)]
        case _:
            return []


def of_page(listing: Listing, parent: Any) -> list[str]:
    """What a list depends on; its members depend on nothing more."""
    where = listing.where
    if where.attachable_to is not None:
        return [invoice(where.attachable_to), _whose_list(listing, parent)]
    return [_whose_list(listing, parent)]


def _whose_list(listing: Listing, parent: Any) -> str:
    where = listing.where
    if isinstance(parent, records.Invoice):
        return invoice(parent.id)
    if where.invoice_id is not None:
        return invoice(where.invoice_id)
    if isinstance(parent, records.Customer):
        return customer(parent.id)
    return whose(where.customer_id or getattr(parent, "customer_id", None))


def of_computed(need: Computed, parent: Any, customers: Mapping[str, str | None]) -> list[str]:
    """What a computed value depends on. `customers` says whose the invoices nearby are.

    Whether a payment can be detached hangs on its intent, which other invoices share.
    """
    if isinstance(parent, records.Invoice):
        return [invoice(parent.id)]
    if isinstance(parent, records.InvoicePayment):
        return [invoice(parent.invoice_id), whose(customers.get(parent.invoice_id))]
    return [ANY]


def of_gone(kind: str, record_id: str) -> list[str]:
    """What the knowledge that an object does not exist depends on."""
    return [invoice(record_id)] if kind == "Invoice" else [ANY]


def dropped_by(
    invoice_id: str | None, customer_id: str | None, payment_intent_id: str | None
) -> list[str]:
    """Everything that an event about these may have changed."""
    dropped = [ANY]
    if invoice_id is not None:
        dropped.append(invoice(invoice_id))
    if customer_id is not None:
        dropped.append(customer(customer_id))
    if payment_intent_id is not None:
        dropped.append(intent(payment_intent_id))
    return dropped


def invoice(invoice_id: str) -> str:
    return f"Invoice:{invoice_id}"


def customer(customer_id: str) -> str:
    return f"Customer:{customer_id}"


def intent(intent_id: str) -> str:
    return f"PaymentIntent:{intent_id}"


def whose(customer_id: str | None) -> str:
    """What all the invoices of one customer touch; of nobody, what any invoice touches."""
    return ANY if customer_id is None else customer(customer_id)
