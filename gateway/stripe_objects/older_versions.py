"""What Stripe's objects said elsewhere, or not at all, in versions since 2022, put in its place.

An object of today passes through as it is. An invoice's `paid`, `payment_intent`, `charge` and
`paid_out_of_band` are not used and need no place.
Source: https://docs.stripe.com/upgrades, read at 2026-10-28.endive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateway.ledger.credit_notes import split_of, type_of

Raw = Mapping[str, object]

_DECIMAL = re.compile(r"(-?[0-9]{1,30})(?:\.([0-9]{1,30}))?", re.ASCII)
"""Far longer than any number of Stripe's, which have at most 12 places."""


def exact_decimal(text: str | None) -> str | None:
    """The number in its shortest form, as Stripe writes 2 also as "2.0"; None for what is none."""
    found = None if text is None else _DECIMAL.fullmatch(text)
    if found is None:
        return None
    places = (found[2] or "").rstrip("0")
    return f"{found[1]}.{places}" if places else found[1]


def _invoice(raw: Raw) -> Raw:
    """Its subscription stood in the invoice itself before 2025-03-31.basil."""
    if raw.get("subtotal") is None and type(raw.get("total")) is int:
        raw = {**raw, "subtotal": raw["total"]}
    if raw.get("subscription") is None or _subscription(raw) is not None:
        return raw
    return {**raw, "parent": {"subscription_details": {"subscription": raw["subscription"]}}}


def _subscription(raw: Raw) -> object:
    parent = raw.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, Mapping) else None
    return details.get("subscription") if isinstance(details, Mapping) else None


def _line_item(raw: Raw) -> Raw:
    """A quantity was whole; in today's objects the exact one counts."""
    decimal, whole = raw.get("quantity_decimal"), raw.get("quantity")
    if type(whole) is not int or (isinstance(decimal, str) and exact_decimal(decimal)):
        return raw
    return {**raw, "quantity_decimal": str(whole)}


def _customer(raw: Raw) -> Raw:
    """`balance` is the one in the customer's currency, and below zero in their favour.

    Source: https://docs.stripe.com/api/customers/object, 2026-09-30.preview.
    """
    stated, balance, currency = (
        raw.get(name) for name in ("invoice_credit_balance", "balance", "currency")
    )
    held = dict(stated) if isinstance(stated, Mapping) else {}
    if not balance or not isinstance(currency, str):
        return raw
    if any(isinstance(code, str) and code.lower() == currency.lower() for code in held):
        return raw
    credit = -balance if type(balance) is int else balance
    return {**raw, "invoice_credit_balance": {**held, currency: credit}}


def _credit_note(raw: Raw) -> Raw:
    """Before 2025-05-28.basil a note was either pre- or post-payment and had at most one refund.

    Stripe shows no credited amount: it is what is given back and neither refunded nor out of band.
    """
    amount, kind = raw.get("amount"), raw.get("type")
    if type(amount) is not int:
        return raw
    stated_pre, stated_post = (_whole(raw, f"{part}_payment_amount") for part in ("pre", "post"))
    pre, post = split_of(amount, str(kind), stated_pre, stated_post)
    given_back = post - (_whole(raw, "out_of_band_amount") or 0)
    refunds = _refunds(raw, given_back)
    refunded = sum(
        _whole(one, "amount_refunded") or 0 for one in refunds if isinstance(one, Mapping)
    )
    return {
        "pre_payment_amount": pre,
        "post_payment_amount": post,
        **{name: value for name, value in raw.items() if value is not None},
        "type": kind if kind and isinstance(kind, str) else type_of(pre, post),
        "refunds": refunds,
        "credit_amount": max(0, given_back - refunded),
    }


def _whole(raw: Raw, name: str) -> int | None:
    value = raw.get(name)
    return value if type(value) is int else None


def _refunds(raw: Raw, given_back: int) -> list[object]:
    """The one refund stood in `refund`, without its amount."""
    stated, only = raw.get("refunds"), raw.get("refund")
    if isinstance(stated, list):
        return stated
    if only is None or given_back <= 0 or raw.get("customer_balance_transaction") is not None:
        return []
    return [{"amount_refunded": given_back, "refund": only}]


AS_TODAY: Mapping[str, Callable[[Raw], Raw]] = {
    "invoice": _invoice,
    "line_item": _line_item,
    "customer": _customer,
    "credit_note": _credit_note,
}
"""By the object's name, what makes an object of any version one of today."""
