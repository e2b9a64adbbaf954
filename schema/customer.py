"""Customer: who is billed, and the lists that hang off them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from schema import records
from schema.enums import InvoiceStatus, spelling
from schema.fields import derived, plain
from schema.money import Money, money
from schema.node import Connection, Node, listed, optional_id, page_arguments
from schema.ports import ListFilter, Listing
from schema.scalars import DateTime

if TYPE_CHECKING:
    from schema.invoice import Invoice
    from schema.invoice_payment import PaymentIntent

LazyInvoice = Annotated["Invoice", strawberry.lazy("schema.invoice")]
LazyPaymentIntent = Annotated["PaymentIntent", strawberry.lazy("schema.invoice_payment")]


def _invoices(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    status: InvoiceStatus | None = None,
) -> Listing:
    statuses = () if status is None else (spelling(status, "status"),)
    page = page_arguments(first, after, last, before)
    return Listing("invoices", page, ListFilter(statuses=statuses))


def _payment_intents(
    first: int | None = 10, after: str | None = None, attachable_to: strawberry.ID | None = None
) -> Listing:
    where = ListFilter(attachable_to=optional_id("Invoice", attachable_to, "attachableTo"))
    return Listing("payment_intents", page_arguments(first, after), where)


def _balance(customer: records.Customer) -> Money | None:
    currency = customer.currency
    return None if currency is None else money(customer.balance_in(currency), currency)


@strawberry.type(description="Who is billed.")
class Customer(Node):
    name: str | None = plain("Full name or business name; null when Stripe was told none.")
    email: str | None = plain("E-mail address; null when Stripe was told none.")

    balance: Money | None = derived(
        "What the next invoice in this currency starts with: below 0 is credit in the customer's "
        "favour, above 0 is debt. Null while the customer has no currency, as before the first "
        "balance or invoice.",
        _balance,
    )
    invoice_credit_balance: list[Money] = derived(
        "The balance in every currency that has one, by currency; each invoice meets that of its "
        "own. Stripe's sign here is the other one: above 0 is credit, below 0 is debt.",
        lambda customer: [money(amount, currency) for currency, amount in customer.credit_balance],
    )
    created_at: DateTime = plain("When the customer was created.", of="created")
    invoices: Connection[LazyInvoice] | None = listed(
        "Invoices of this customer, newest first. Null, with an entry in errors, when only this "
        "fetch failed.",
        _invoices,
    )
    payment_intents: Connection[LazyPaymentIntent] | None = listed(
        "PaymentIntents of this customer, newest first. `attachableTo` keeps those whose "
        "currency, status and amount fit that invoice now: pages may then be short, and "
        "attaching has the last word.",
        _payment_intents,
    )
