"""The operations on webhook endpoints.

Source: https://docs.stripe.com/api/webhook_endpoints, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from gateway.sandbox.stripe_api.account import Account, WebhookEndpoint, merged
from gateway.sandbox.stripe_api.errors import invalid
from gateway.sandbox.stripe_api.operations import (
    Call,
    Operation,
    listing,
    reading,
)
from gateway.sandbox.stripe_api.rendering import render

ENDPOINTS_MAX = 16
"""Per account. Source: https://docs.stripe.com/webhooks."""

NOT_BY_NAME = frozenset({"invoice_payment.detached"})
"""Types of events that no endpoint can ask for by name; `*` is the way.

Source: the changelog of stripe-node 22.4.0-beta.1 (2026-06-24.preview).
"""


def create(account: Account, call: Call) -> dict[str, Any]:
    """The endpoint with its secret, which is shown this once."""
    if len(account.webhook_endpoints) >= ENDPOINTS_MAX:
        raise invalid(f"You have reached the maximum of {ENDPOINTS_MAX} endpoints.", None)
    given, twin = call.params, account.twin
    endpoint = WebhookEndpoint(
        id=twin.new_id("we"),
        created=twin.now(),
        url=_url(given["url"]),
        secret=twin.new_id("whsec"),
        enabled_events=_events(given["enabled_events"]),
        api_version=given.get("api_version"),
        description=given.get("description"),
        livemode=twin.livemode,
        metadata=merged((), given.get("metadata")),
    )
    account.webhook_endpoints.put(endpoint)
    return {**render(account, endpoint), "secret": endpoint.secret}


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url")
    return url


def _events(names: list[str]) -> tuple[str, ...]:
    for at, name in enumerate(names):
        if name in NOT_BY_NAME or (name != "*" and "." not in name):
            raise invalid(f"Invalid enabled_events[{at}]: {name}", f"enabled_events[{at}]")
    if not names:
        raise invalid("Invalid array: enabled_events must not be empty", "enabled_events")
    return tuple(names)


def update(account: Account, call: Call) -> WebhookEndpoint:
    endpoint, given = account.get("webhook_endpoint", call.id), call.params
    fields: dict[str, Any] = call.picked("description")
    if "url" in given:
        fields["url"] = _url(given["url"])
    if "enabled_events" in given:
        fields["enabled_events"] = _events(given["enabled_events"])
    if "disabled" in given:
        fields["enabled"] = not given["disabled"]
    if "metadata" in given:
        fields["metadata"] = merged(endpoint.metadata, given["metadata"])
    changed: WebhookEndpoint = replace(endpoint, **fields)
    account.webhook_endpoints.put(changed)
    return changed


def delete(account: Account, call: Call) -> dict[str, Any]:
    endpoint = account.get("webhook_endpoint", call.id)
    account.webhook_endpoints.remove(endpoint.id)
    return {"id": endpoint.id, "object": "webhook_endpoint", "deleted": True}


KIND = "webhook_endpoint"
ONE = "/v1/webhook_endpoints/{webhook_endpoint}"

OPERATIONS = (
    listing(KIND, "/v1/webhook_endpoints"),
    Operation("POST", "/v1/webhook_endpoints", KIND, create),
    reading(KIND, ONE),
    Operation("POST", ONE, KIND, update),
    Operation("DELETE", ONE, KIND, delete),
)
