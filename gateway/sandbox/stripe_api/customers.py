"""The operations on customers.

Source: https://docs.stripe.com/api/customers, 2026-10-28.endive.
"""

from __future__ import annotations

from typing import Any

from gateway.ledger.book import with_balance
from gateway.sandbox.stripe_api.account import KEPT, Account
from gateway.sandbox.stripe_api.api_call import Call
from gateway.stripe_objects.writing import deleted
from schema import records

ACCOUNT_CURRENCY = "usd"
"""The sandbox's account is a US one."""


def create(account: Account, call: Call) -> records.Customer:
    given, twin = call.params, account.twin
    customer = records.Customer(
        **account.fresh("cus", given), name=given.get("name"), email=given.get("email")
    )
    customer = _with_balance(customer, call)
    account.keep(customer.id, call.picked(*KEPT["customer"]))
    twin.customers.put(customer)
    twin.tell("customer.created", customer, request=call.request)
    return customer


def retrieve(account: Account, call: Call) -> records.Customer | dict[str, Any]:
    """One that was deleted is told as such, and not as unknown."""
    if call.id in account.twin.deleted_customers:
        return deleted("customer", call.id)
    found: records.Customer = account.get("customer", call.id)
    return found


def update(account: Account, call: Call) -> records.Customer:
    customer: records.Customer = account.get("customer", call.id)
    account.keep(customer.id, call.picked(*KEPT["customer"]))
    balanced = _with_balance(customer, call)
    return account.change(
        customer,
        call.request,
        **call.changes(customer.metadata, "name", "email"),
        credit_balance=balanced.credit_balance,
        currency=balanced.currency,
    )


def _with_balance(customer: records.Customer, call: Call) -> records.Customer:
    """`balance` is in the customer's currency, and before there is one in the account's own."""
    if "balance" not in call.params:
        return customer
    currency = customer.currency or ACCOUNT_CURRENCY
    return with_balance(customer, currency, call.params["balance"])


def delete(account: Account, call: Call) -> dict[str, Any]:
    """For good. What names the customer stays, and shows it as deleted where it is expanded."""
    customer = account.get("customer", call.id)
    account.twin.delete_customer(customer.id, call.request)
    return deleted("customer", customer.id)
