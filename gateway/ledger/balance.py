"""The customer's balance: what an invoice takes from it, and what goes back to it.

At finalization the whole balance in the invoice's currency meets its total. Credit lowers what is
due, and what it does not need stays; a debit raises it; a total below zero becomes credit, and
what cannot be charged, being too little or no whole step of the currency, is carried over. So
`amount_due = total + starting_balance - ending_balance`, before credit notes. In these two fields
and in Stripe's `balance` credit is below zero, in `Customer.credit_balance` it is above.
Source: https://docs.stripe.com/billing/customer/balance and
https://docs.stripe.com/api/invoices/object (starting_balance, ending_balance), 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.ledger.amounts import chargeable
from gateway.ledger.book import Book, credit_customer
from schema.records import Customer, Invoice


def foretold(draft: Invoice, customer: Customer | None) -> Invoice:
    """The draft as it stands towards the balance now: what would be due if it were finalized."""
    balance = 0 if customer is None else customer.balance_in(draft.currency)
    due = chargeable(max(0, draft.total + balance), draft.currency)
    return replace(draft, starting_balance=balance, amount_due=due, amount_remaining=due)


def applied(book: Book) -> Book:
    """The book after the balance has met its invoice's total, once, at finalization."""
    invoice = foretold(book.invoice, book.customer)
    ending = invoice.total + invoice.starting_balance - invoice.amount_due
    book = replace(book, invoice=replace(invoice, ending_balance=ending))
    return credit_customer(book, invoice.starting_balance - ending)


def returned(book: Book) -> Book:
    """The book after a voided invoice has given back what it took; its own fields stay as told."""
    return credit_customer(book, taken(book.invoice))


def taken(invoice: Invoice) -> int:
    """How much credit finalization took from the balance; below zero where it took a debit over."""
    if invoice.ending_balance is None:
        return 0
    return invoice.ending_balance - invoice.starting_balance
