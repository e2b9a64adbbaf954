"""Search: refused in so many words, as the ledger has no query language.

Source: https://docs.stripe.com/search, 2026-10-28.endive.
"""

from __future__ import annotations

from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.calls import Call, Operation
from gateway.sandbox.stripe_api.errors import StripeError
from gateway.sandbox.stripe_api.parameters import Parameter, anything

TAKES = {name: Parameter(anything) for name in ("limit", "page", "query")}


def _refuse(account: Account, call: Call) -> None:
    raise StripeError("The sandbox does not support search. Use the list with its filters.")


OPERATIONS = tuple(
    Operation("GET", f"/v1/{kind}s/search", kind, _refuse, TAKES)
    for kind in ("invoice", "payment_intent", "customer", "charge")
)
