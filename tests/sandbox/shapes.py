"""Answered objects held against the types of Stripe's SDK, as its annotations state them.

The SDK writes Optional both for what may be null and for what may be absent. So every field must
be there, save those that Stripe is known to leave out, and null is for the Optional ones.
"""

from __future__ import annotations

import decimal
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import stripe

LEFT_OUT: Mapping[str, frozenset[str]] = {
    "Invoice": frozenset(
        [
            "amount_paid_off_stripe",
            "confirmation_secret",
            "deleted",
            "payments",
            "status_details",
            "threshold_reason",
        ]
    ),
    "Invoice.Issuer": frozenset({"account"}),
    "Invoice.Parent.SubscriptionDetails": frozenset({"subscription_proration_date"}),
    "InvoiceItem": frozenset({"deleted"}),
    "InvoiceLineItem": frozenset({"tax_calculation_reference"}),
    "CreditNoteLineItem": frozenset({"invoice_line_item", "tax_calculation_reference"}),
    "InvoicePayment.Payment": frozenset({"charge", "payment_intent", "payment_record"}),
    "PaymentIntent": frozenset(
        ["async_workflows", "hooks", "payment_details", "payment_record", "presentment_details"]
    ),
    "PaymentIntent.AmountDetails.Tip": frozenset({"amount"}),
    "Customer": frozenset(
        [
            "business_name",
            "cash_balance",
            "customer_account",
            "deleted",
            "individual_name",
            "sources",
            "subscriptions",
            "tax",
            "tax_ids",
        ]
    ),
    "WebhookEndpoint": frozenset({"deleted", "secret"}),
    "Event": frozenset({"account", "context", "reason"}),
    "Event.Data": frozenset({"previous_attributes"}),
}
"""Fields that may be absent. Source: https://docs.stripe.com/api, 2026-10-28.endive."""

OPEN = frozenset(
    [
        "PaymentIntent.AmountDetails",
        "PaymentIntent.AutomaticPaymentMethods",
        "PaymentIntent.NextAction",
        "PaymentIntent.LastPaymentError",
        "PaymentIntent.PaymentMethodOptions",
        "PaymentMethod",
        "PaymentRecord.PaymentMethodDetails",
        "PaymentRecord.PaymentMethodDetails.Custom",
    ]
)
"""Objects whose fields depend on a payment method: those that are there must have their types."""

_SCALARS: Mapping[Any, type | tuple[type, ...]] = {
    str: str,
    bool: bool,
    float: (int, float),
    decimal.Decimal: str,
}


class _Names(dict[str, Any]):
    """The SDK's classes by name; what it does not export may be any object."""

    def __missing__(self, name: str) -> Any:
        if not name[:1].isupper():
            raise KeyError(name)
        return getattr(stripe, name, stripe.StripeObject)


@cache
def fields_of(kind: type) -> Mapping[str, Any]:
    """The fields of one of the SDK's objects, with their types."""
    hints = typing.get_type_hints(kind, localns=_Names())
    own = {name for base in kind.__mro__ for name in _annotated(base)}
    return {
        name: hint
        for name, hint in hints.items()
        if name in own and not name.startswith("_") and typing.get_origin(hint) is not _CLASS_VAR
    }


_CLASS_VAR = typing.get_origin(typing.ClassVar[int])
_NOT_STRIPES = frozenset({"StripeObject", "APIResource", "ListObject", "dict", "object"})


def _annotated(base: type) -> set[str]:
    if base.__name__ in _NOT_STRIPES or base.__module__ in ("typing", "builtins"):
        return set()
    return set(vars(base).get("__annotations__", {}))


def problems(shown: Any, hint: Any, path: str = "") -> Iterator[str]:
    """Everything in a printed object that its type in the SDK does not allow."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or origin is typing.Literal:
        if origin is typing.Literal and shown not in arguments:
            yield f"{path}: {shown!r} is none of {arguments}"
    elif origin in (typing.Union, types.UnionType):
        yield from _of_union(shown, arguments, path)
    elif origin is list:
        yield from _of_list(shown, arguments[0], path)
    elif origin is stripe.ListObject:
        yield from _of_list_object(shown, arguments[0], path)
    elif hint is int:
        if type(shown) is not int:
            yield f"{path}: {shown!r} is no integer"
    elif hint in _SCALARS:
        if not isinstance(shown, _SCALARS[hint]):
            yield f"{path}: {shown!r} is no {hint.__name__}"
    elif not isinstance(shown, dict):
        yield f"{path}: {shown!r} is no object"
    elif isinstance(hint, type) and origin is None:
        yield from _of_object(shown, hint, path)


def _of_union(shown: Any, arguments: tuple[Any, ...], path: str) -> Iterator[str]:
    found = [list(problems(shown, one, path)) for one in arguments if one is not types.NoneType]
    if shown is None:
        if types.NoneType not in arguments:
            yield f"{path}: null is not allowed"
    elif all(found):
        objects = [one for one in found if not one[0].startswith(f"{path}: ")]
        yield from min(objects or found, key=len)


def _of_list(shown: Any, member: Any, path: str) -> Iterator[str]:
    if not isinstance(shown, list):
        yield f"{path}: {shown!r} is no list"
        return
    for at, one in enumerate(shown):
        yield from problems(one, member, f"{path}[{at}]")


def _of_list_object(shown: Any, member: Any, path: str) -> Iterator[str]:
    if not isinstance(shown, dict) or shown.get("object") != "list":
        yield f"{path}: {shown!r} is no list object"
        return
    if set(shown) != {"object", "data", "has_more", "url"}:
        yield f"{path}: has the fields {sorted(shown)}"
    yield from _of_list(shown["data"], member, f"{path}.data")


def _of_object(shown: dict[str, Any], kind: type, path: str) -> Iterator[str]:
    name, known = kind.__qualname__, fields_of(kind)
    if not known:
        return
    absent = set() if name in OPEN else set(known) - set(shown) - LEFT_OUT.get(name, frozenset())
    for field in sorted(absent):
        yield f"{path}.{field}: is absent"
    for field in sorted(set(shown) - set(known)):
        yield f"{path}.{field}: is not known to the SDK"
    for field in sorted(set(shown) & set(known)):
        yield from problems(shown[field], known[field], f"{path}.{field}")
