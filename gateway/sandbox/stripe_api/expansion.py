"""Expansion: ids become objects, and what is left out by default is put in.

A path has at most four segments, `data` included, and each must lead somewhere: paths are checked
before anything is done, so that a bad one changes nothing. What can be expanded is in
`objects.toml`.
Source: https://docs.stripe.com/expand, https://docs.stripe.com/api/expanding_objects; the depth
rule's wording is from stripe/stripe-java issue 2011 and stripe/stripe-dotnet issue 3135.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from gateway.backends.memory.tables import Query
from gateway.sandbox.stripe_api.account import OBJECTS, Account
from gateway.sandbox.stripe_api.api_errors import StripeError
from gateway.sandbox.stripe_api.rendering import beginning, client_secret, render
from gateway.stripe_objects.writing import deleted

DEPTH_MAX = 4
PATHS_MAX = 100
"""Stripe states no number; a bound for the work of one call."""

EXPANDABLE: Mapping[str, Mapping[str, str]] = {
    **{kind: stated["expandable"] for kind, stated in OBJECTS.items()},
    "included": {},
    "list": {},
}
"""The places of each kind; in a kind that is not here, which the sandbox never has, all are."""


def check(paths: Sequence[str], kind: str, *, is_list: bool) -> None:
    """Raises `StripeError` for a path that is too deep or leads nowhere."""
    if len(paths) > PATHS_MAX:
        raise StripeError(f"You can expand at most {PATHS_MAX} properties.", param="expand")
    for path in paths:
        if path.count(".") >= DEPTH_MAX:
            raise StripeError("You cannot expand more than 4 levels of a property.")
        within = path.removeprefix("data.") if is_list else path
        if (is_list and within == path) or not _leads_somewhere(within, kind):
            message = f"This property cannot be expanded ({path})."
            if is_list and _leads_somewhere(path, kind):
                message += f" You may want to try expanding 'data.{path}' instead."
            raise StripeError(message)


def _leads_somewhere(path: str, kind: str) -> bool:
    if kind not in EXPANDABLE:
        return True
    place = _place(path, kind)
    rest = path[len(place) + 1 :]
    return place != "" and (path == place or _leads_somewhere(rest, EXPANDABLE[kind][place]))


@lru_cache(PATHS_MAX)
def _place(path: str, kind: str) -> str:
    """The longest expandable place with which a path begins; empty where there is none."""
    places = [one for one in EXPANDABLE.get(kind, ()) if f"{path}.".startswith(f"{one}.")]
    return max(places, key=len, default="")


def expand(account: Account, shown: dict[str, Any], paths: Sequence[str], kind: str) -> None:
    """Expand checked paths in a printed object, in place; `kind` is that of a list's members."""
    for path in paths:
        if shown.get("object") != "list":
            _expand(account, shown, path, kind)
            continue
        for member in shown["data"]:
            _expand(account, member, path.removeprefix("data."), kind)


def _expand(account: Account, shown: dict[str, Any], path: str, kind: str) -> None:
    place = _place(path, kind)
    if not place:
        return
    first, rest, target = path.partition(".")[0], path[len(place) + 1 :], EXPANDABLE[kind][place]
    if EXPANDABLE[kind].get(first) == "included" and first not in shown:
        shown[first] = INCLUDED[first](account, shown["id"])
    *above, last = place.split(".")
    for holder in _holders(shown, above):
        if isinstance(holder.get(last), str):
            holder[last] = _fetched(account, target, holder[last])
        for inner in _holders(holder, [last]) if rest else ():
            _expand(account, inner, rest, target)


def _holders(shown: Any, steps: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The hashes at the end of these steps, each of them where a list is on the way."""
    for one in shown if isinstance(shown, list) else [shown]:
        if isinstance(one, dict) and steps:
            yield from _holders(one.get(steps[0]), steps[1:])
        elif isinstance(one, dict):
            yield one


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
    return beginning(account, f"/v1/invoices/{invoice_id}/payments", payments)


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


INCLUDED: Mapping[str, Callable[[Account, str], Any]] = {
    "amount_paid_off_stripe": _paid_off_stripe,
    "confirmation_secret": _confirmation_secret,
    "payments": _payments,
}
"""What an invoice leaves out unless it is asked for, from its id."""
