"""Reading charges: the old ones that invoice payments may point at. The sandbox makes none.

Source: https://docs.stripe.com/api/charges, 2026-10-28.endive.
"""

from __future__ import annotations

from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call, Listed, Operation
from gateway.sandbox.stripe_api.lists import page_of, query_of
from gateway.sandbox.stripe_api.parameters import refused, table, text, window
from schema import records


def retrieve(account: Account, call: Call) -> records.Charge:
    found: records.Charge = account.get("charge", call.id)
    return found


def list_all(account: Account, call: Call) -> Listed:
    customer_id: str | None = call.params.get("customer")

    def check(one: records.Charge) -> bool:
        return customer_id is None or one.customer_id == customer_id

    return page_of(call, "charge", account.twin.charges, query_of(call, check))


OPERATIONS = (
    Operation(
        "GET",
        "/v1/charges",
        "charge",
        list_all,
        table(created=window, customer=text, payment_intent=refused, transfer_group=refused),
        is_list=True,
    ),
    Operation("GET", "/v1/charges/{charge}", "charge", retrieve),
)
