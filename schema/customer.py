"""Customer: who is billed, and the lists that hang off them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from schema import records
from schema.cost import list_size
from schema.fields import field, instant_field, is_record, plain, recognized
from schema.invoice_status import InvoiceStatus
from schema.money import Money, money
from schema.node import Connection, Node, checked_id, page_arguments
from schema.ports import ListFilter, Listing, Loaded

if TYPE_CHECKING:
    from schema.invoice import Invoice
    from schema.payment_intent import PaymentIntent

LazyInvoice = Annotated["Invoice", strawberry.lazy("schema.invoice")]
LazyPaymentIntent = Annotated["PaymentIntent", strawberry.lazy("schema.payment_intent")]


def invoices_need(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    status: Any = None,
) -> Listing:
    statuses = () if status is None else (recognized(status, "status"),)
    return Listing(
        "invoices", page_arguments(first, after, last, before), ListFilter(statuses=statuses)
    )


def payment_intents_need(
    first: int | None = None, after: str | None = None, attachable_to: str | None = None
) -> Listing:
    if attachable_to is not None:
        checked_id("Invoice", attachable_to, "attachableTo")
    return Listing(
        "payment_intents", page_arguments(first, after), ListFilter(attachable_to=attachable_to)
    )


@strawberry.type(description="Who is billed.")
class Customer(Node):
    is_type_of = is_record(records.Customer)

    name: str | None = plain("Full name or business name; null when Stripe was told none.")
    email: str | None = plain("E-mail address; null when Stripe was told none.")

    @field(
        "What the next invoice in this currency starts with: below 0 is credit in the customer's "
        "favour, above 0 is debt. Null while the customer has no currency, as before the first "
        "balance or invoice."
    )
    @staticmethod
    def balance(parent: strawberry.Parent[Any]) -> Money | None:
        currency = parent.record.currency
        if currency is None:
            return None
        return money(parent.record.balance_in(currency), currency)

    @field(
        "The balance in every currency that has one, by currency; each invoice meets that of its "
        "own. Stripe's sign here is the other one: above 0 is credit, below 0 is debt."
    )
    @staticmethod
    def invoice_credit_balance(parent: strawberry.Parent[Any]) -> list[Money]:
        return [money(amount, currency) for currency, amount in parent.record.credit_balance]

    created_at = instant_field("created", "When the customer was created.")

    @field(
        "Invoices of this customer, newest first. Null, with an entry in errors, when "
        "only this fetch failed.",
        needs=invoices_need,
        directives=[list_size("first", "last")],
    )
    @staticmethod
    def invoices(
        parent: strawberry.Parent[Loaded[Any]],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        status: InvoiceStatus | None = None,
    ) -> Connection[LazyInvoice] | None:
        return parent.child(invoices_need(first, after, last, before, status))  # type: ignore[no-any-return]

    @field(
        "PaymentIntents of this customer, newest first. `attachableTo` keeps those "
        "whose currency, status and amount fit that invoice now: pages may then be short, and "
        "attaching has the last word.",
        needs=payment_intents_need,
        directives=[list_size("first")],
    )
    @staticmethod
    def payment_intents(
        parent: strawberry.Parent[Loaded[Any]],
        first: int | None = 10,
        after: str | None = None,
        attachable_to: strawberry.ID | None = None,
    ) -> Connection[LazyPaymentIntent] | None:
        return parent.child(payment_intents_need(first, after, attachable_to))  # type: ignore[no-any-return]
