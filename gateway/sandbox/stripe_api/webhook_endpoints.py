"""The operations on webhook endpoints, which are destinations for snapshot events as v1 knows them.

Source: https://docs.stripe.com/api/webhook_endpoints, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from gateway.sandbox.stripe_api.account import Account, EventDestination
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import invalid
from gateway.sandbox.stripe_api.rendering import render
from gateway.stripe_objects.writing import deleted

DESTINATIONS_MAX = 16
"""Per account, endpoints included. Source: https://docs.stripe.com/webhooks."""
NOT_BY_NAME = frozenset({"invoice_payment.detached"})
"""Types of events that no endpoint can ask for by name; `*` is the way.

Source: the changelog of stripe-node 22.4.0-beta.1 (2026-06-24.preview).
"""


def create(account: Account, call: Call) -> dict[str, Any]:
    """The endpoint with its secret, which is shown this once."""
    check_room(account)
    given = call.params
    endpoint = EventDestination(
        **account.fresh("we", given),
        url=checked_url(given["url"]),
        secret=account.twin.new_id("whsec"),
        enabled_events=checked_events(given["enabled_events"], has_snapshot_name),
        api_version=given.get("api_version"),
        description=given.get("description"),
    )
    account.webhook_endpoints.put(endpoint)
    return {**render(account, endpoint), "secret": endpoint.secret}


def check_room(account: Account) -> None:
    """Raises `StripeError` where the account has as many destinations as it may have."""
    if sum(1 for _ in account.destinations()) >= DESTINATIONS_MAX:
        raise invalid(f"You have reached the maximum of {DESTINATIONS_MAX} endpoints.", None)


def checked_url(url: str, param: str = "url") -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", param)
    return url


def checked_events(names: Sequence[str], is_known: Callable[[str], bool]) -> tuple[str, ...]:
    """The names, each of them known, or `*`. Raises `StripeError`, which says which one is not."""
    for at, name in enumerate(names):
        if name != "*" and not is_known(name):
            raise invalid(f"Invalid enabled_events[{at}]: {name}", f"enabled_events[{at}]")
    if not names:
        raise invalid("Invalid array: enabled_events must not be empty", "enabled_events")
    return tuple(names)


def has_snapshot_name(name: str) -> bool:
    """Whether snapshot events can be asked for by this name."""
    return "." in name and not name.startswith(("v1.", "v2.")) and name not in NOT_BY_NAME


def update(account: Account, call: Call) -> EventDestination:
    endpoint: EventDestination = account.get("webhook_endpoint", call.id)
    given, changes = call.params, call.changes(endpoint.metadata, "description")
    if "url" in given:
        changes["url"] = checked_url(given["url"])
    if "enabled_events" in given:
        changes["enabled_events"] = checked_events(given["enabled_events"], has_snapshot_name)
    if "disabled" in given:
        changes["enabled"] = not given["disabled"]
    changed = replace(endpoint, updated=account.twin.now(), **changes)
    account.webhook_endpoints.put(changed)
    return changed


def delete(account: Account, call: Call) -> dict[str, Any]:
    endpoint = account.get("webhook_endpoint", call.id)
    account.webhook_endpoints.remove(endpoint.id)
    return deleted("webhook_endpoint", endpoint.id)
