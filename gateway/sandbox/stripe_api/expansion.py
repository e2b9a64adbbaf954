"""Expansion: ids become objects, and what is left out by default is put in.

A path has at most four segments, `data` included, and each must lead somewhere: paths are checked
before anything is done, so that a bad one changes nothing.
Source: https://docs.stripe.com/expand, https://docs.stripe.com/api/expanding_objects; the depth
rule's wording is from stripe/stripe-java issue 2011 and stripe/stripe-dotnet issue 3135.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.backends.memory.tables import Query
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.errors import StripeError
from gateway.sandbox.stripe_api.operations import SUB_LIST_SIZE, printed
from gateway.sandbox.stripe_api.rendering import client_secret, render
from gateway.stripe_objects.writing import deleted

DEPTH_MAX = 4
PATHS_MAX = 100
"""Stripe states no number; a bound for the work of one call."""


@dataclass(frozen=True, slots=True)
class Link:
    """An id that becomes the object of this kind. The kind may be one the sandbox never has."""

    kind: str


@dataclass(frozen=True, slots=True)
class Inside:
    """A hash, or a list of them, that is there already and holds things to expand.

    A path may end at a list object of Stripe's, which changes nothing, but at no other hash.
    """

    rules: Mapping[str, Rule]
    may_end: bool = False


@dataclass(frozen=True, slots=True)
class Included:
    """A field that is left out unless it is asked for, and what can be expanded below it."""

    value: Callable[[Account, str], Any]
    rules: Mapping[str, Rule]


Rule = Link | Inside | Included


def check(paths: Sequence[str], kind: str, *, is_list: bool) -> None:
    """Raises `StripeError` for a path that is too deep or leads nowhere."""
    if len(paths) > PATHS_MAX:
        raise StripeError(f"You can expand at most {PATHS_MAX} properties.", param="expand")
    rules: Mapping[str, Rule] = OF_KIND.get(kind, {})
    if is_list:
        rules = {"data": Inside(rules)}
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEPTH_MAX:
            raise StripeError("You cannot expand more than 4 levels of a property.")
        if not _leads_somewhere(steps, rules):
            raise _unexpandable(path, rules)


def _leads_somewhere(steps: Sequence[str], rules: Mapping[str, Rule]) -> bool:
    rule = rules.get(steps[0])
    if rule is None:
        return False
    if len(steps) == 1:
        return not isinstance(rule, Inside) or rule.may_end
    if isinstance(rule, Link) and rule.kind not in OF_KIND:
        return True
    return _leads_somewhere(steps[1:], _below(rule))


def _below(rule: Rule) -> Mapping[str, Rule]:
    return OF_KIND.get(rule.kind, {}) if isinstance(rule, Link) else rule.rules


def _unexpandable(path: str, rules: Mapping[str, Rule]) -> StripeError:
    message = f"This property cannot be expanded ({path})."
    members = rules.get("data")
    if members is not None and _leads_somewhere(path.split("."), _below(members)):
        message += f" You may want to try expanding 'data.{path}' instead."
    return StripeError(message)


def expand(account: Account, shown: dict[str, Any], paths: Sequence[str], kind: str) -> None:
    """Expand checked paths in a printed object, in place; `kind` is that of a list's members."""
    rules: Mapping[str, Rule] = OF_KIND.get(kind, {})
    if shown.get("object") == "list":
        rules = {"data": Inside(rules)}
    for path in paths:
        _expand(account, shown, path.split("."), rules, shown)


def _expand(
    account: Account,
    within: dict[str, Any],
    steps: Sequence[str],
    rules: Mapping[str, Rule],
    owner: dict[str, Any],
) -> None:
    name, rest, rule = steps[0], steps[1:], rules.get(steps[0])
    if rule is None:
        return
    if isinstance(rule, Included) and name not in within:
        within[name] = rule.value(account, owner["id"])
    elif isinstance(rule, Link) and isinstance(within.get(name), str):
        within[name] = _fetched(account, rule.kind, within[name])
    found = within.get(name)
    for member in found if isinstance(found, list) else [found]:
        if rest and isinstance(member, dict):
            inner = owner if isinstance(rule, Inside) and "id" not in member else member
            _expand(account, member, rest, _below(rule), inner)


def _fetched(account: Account, kind: str, object_id: str) -> Any:
    """The object, or its id where the account has no such object."""
    if kind == "customer" and object_id in account.twin.deleted_customers:
        return deleted(kind, object_id)
    table = account.tables.get(kind)
    record = table.get(object_id) if table is not None else None
    return object_id if record is None else render(account, record)


def _payments(account: Account, invoice_id: str) -> dict[str, Any]:
    """The first payments of an invoice, newest first as in the list of them."""
    query: Query[Any] = Query((("invoice_id", invoice_id),))
    payments = account.twin.invoice_payments.newest_first(query)
    found = list(islice(payments, SUB_LIST_SIZE + 1))
    shown = [render(account, one) for one in found[:SUB_LIST_SIZE]]
    url = f"/v1/invoices/{invoice_id}/payments"
    return printed(url, shown, has_more=len(found) > SUB_LIST_SIZE)


def _confirmation_secret(account: Account, invoice_id: str) -> dict[str, Any] | None:
    default = account.twin.book(invoice_id).open_default
    if default is None:
        return None
    return {"client_secret": client_secret(default.source_id), "type": "payment_intent"}


def _paid_off_stripe(account: Account, invoice_id: str) -> int:
    """What reached the invoice and came from neither an intent nor a charge.

    Source: the changelog of 2026-05-27.dahlia.
    """
    book = account.twin.book(invoice_id)
    by_stripe = sum(
        one.amount_paid or 0 for one in book.payments if one.source_type != "payment_record"
    )
    return max(0, book.credited - by_stripe)


_CUSTOMER = Link("customer")
_INVOICE = Link("invoice")
_ACCOUNT = Link("account")

_PAYMENT: Mapping[str, Rule] = {
    "payment_intent": Link("payment_intent"),
    "payment_record": Link("payment_record"),
    "charge": Link("charge"),
}
_INVOICE_PAYMENT: Mapping[str, Rule] = {"invoice": _INVOICE, "payment": Inside(_PAYMENT)}
_LINE: Mapping[str, Rule] = {"discounts": Link("discount"), "subscription": Link("subscription")}

OF_KIND: Mapping[str, Mapping[str, Rule]] = {
    "customer": {
        "default_source": Link("source"),
        "invoice_settings": Inside({"default_payment_method": Link("payment_method")}),
        "test_clock": Link("test_clock"),
    },
    "invoice": {
        "account_tax_ids": Link("tax_id"),
        "amount_paid_off_stripe": Included(_paid_off_stripe, {}),
        "application": Link("application"),
        "confirmation_secret": Included(_confirmation_secret, {}),
        "customer": _CUSTOMER,
        "default_payment_method": Link("payment_method"),
        "default_source": Link("source"),
        "discounts": Link("discount"),
        "from_invoice": Inside({"invoice": _INVOICE}),
        "latest_revision": _INVOICE,
        "lines": Inside({"data": Inside(_LINE)}, may_end=True),
        "on_behalf_of": _ACCOUNT,
        "parent": Inside({"subscription_details": Inside({"subscription": Link("subscription")})}),
        "payments": Included(_payments, {"data": Inside(_INVOICE_PAYMENT)}),
        "test_clock": Link("test_clock"),
        "total_discount_amounts": Inside({"discount": Link("discount")}),
    },
    "line_item": _LINE,
    "invoiceitem": {"customer": _CUSTOMER, "discounts": Link("discount"), "invoice": _INVOICE},
    "invoice_payment": _INVOICE_PAYMENT,
    "payment_intent": {
        "application": Link("application"),
        "customer": _CUSTOMER,
        "latest_charge": Link("charge"),
        "on_behalf_of": _ACCOUNT,
        "payment_method": Link("payment_method"),
        "review": Link("review"),
        "transfer_data": Inside({"destination": _ACCOUNT}),
    },
    "credit_note": {
        "customer": _CUSTOMER,
        "customer_balance_transaction": Link("customer_balance_transaction"),
        "discount_amounts": Inside({"discount": Link("discount")}),
        "invoice": _INVOICE,
        "refunds": Inside({"refund": Link("refund")}),
    },
    "payment_record": {},
    "charge": {"customer": _CUSTOMER, "payment_intent": Link("payment_intent")},
    "event": {},
    "webhook_endpoint": {},
}
"""What can be expanded in the objects of each kind."""
