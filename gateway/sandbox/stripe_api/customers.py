"""The operations on customers.

Source: https://docs.stripe.com/api/customers, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.ledger.book import with_balance
from gateway.sandbox.stripe_api import edits
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.lists import page_of, query_of
from gateway.sandbox.stripe_api.parameters import (
    Table,
    anything,
    boolean,
    clearable,
    hash_of,
    integer,
    list_of,
    metadata,
    one_of,
    refused,
    required,
    table,
    text,
    window,
)
from gateway.stripe_objects.writing import deleted
from schema import records

KEPT = (
    "address",
    "business_name",
    "description",
    "individual_name",
    "invoice_prefix",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)
ACCOUNT_CURRENCY = "usd"
"""The sandbox's account is a US one."""
ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def _address(raw: Any, name: str) -> dict[str, Any] | None:
    """An address has all its fields, null where they were not given; an empty one unsets it."""
    if raw == "":
        return None
    given = hash_of(**dict.fromkeys(ADDRESS, clearable))(raw, name)
    return {field: given.get(field) for field in ADDRESS}


def _shipping(raw: Any, name: str) -> dict[str, Any] | None:
    if raw == "":
        return None
    known = hash_of(address=required(_address), name=required(text), phone=clearable)
    shipping: dict[str, Any] = known(raw, name)
    return {"carrier": None, "phone": None, "tracking_number": None, **shipping}


UPDATED: Table = table(
    address=_address,
    balance=integer,
    business_name=clearable,
    cash_balance=refused,
    default_source=refused,
    description=clearable,
    email=clearable,
    individual_name=clearable,
    invoice_prefix=text,
    invoice_settings=anything,
    metadata=metadata,
    name=clearable,
    next_invoice_sequence=integer,
    phone=clearable,
    preferred_locales=list_of(text),
    shipping=_shipping,
    source=refused,
    tax=anything,
    tax_exempt=one_of("exempt", "none", "reverse"),
    validate=boolean,
)
CREATED: Table = {
    **{name: row for name, row in UPDATED.items() if name != "default_source"},
    **table(payment_method=refused, tax_id_data=refused, test_clock=refused),
}


def create(account: Account, call: Call) -> records.Customer:
    twin = account.twin
    customer = records.Customer(
        id=twin.new_id("cus"),
        created=twin.now(),
        livemode=twin.livemode,
        name=call.params.get("name"),
        email=call.params.get("email"),
        metadata=merged((), call.params.get("metadata")),
    )
    customer = _with_balance(customer, call)
    account.keep(customer.id, call.picked(*KEPT))
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
    customer = account.get("customer", call.id)
    fields: dict[str, Any] = call.picked("name", "email")
    if "metadata" in call.params:
        fields["metadata"] = merged(customer.metadata, call.params["metadata"])
    account.keep(customer.id, call.picked(*KEPT))
    balanced = _with_balance(customer, call)
    fields |= {"credit_balance": balanced.credit_balance, "currency": balanced.currency}
    return edits.change_customer(account.twin, customer, call.request, **fields)


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


def list_all(account: Account, call: Call) -> Listed:
    email: str | None = call.params.get("email")
    check: Callable[[records.Customer], bool] | None = None
    if email is not None:

        def check(customer: records.Customer) -> bool:
            return customer.email == email

    query = query_of(call, check)
    return page_of(call, "customer", account.twin.customers, query)


ONE = "/v1/customers/{customer}"

OPERATIONS = (
    Operation(
        "GET",
        "/v1/customers",
        "customer",
        list_all,
        table(created=window, email=text, test_clock=refused),
        is_list=True,
    ),
    Operation("POST", "/v1/customers", "customer", create, CREATED),
    Operation("GET", ONE, "customer", retrieve),
    Operation("POST", ONE, "customer", update, UPDATED),
    Operation("DELETE", ONE, "customer", delete),
)
