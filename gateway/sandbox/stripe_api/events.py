"""Events: printed once, when they happen, kept for a while, and listed.

What an update changed is found by printing the object as it was and as it is, so that the names
and the nesting of `previous_attributes` are those of the API. Includable fields are in no event.
Source: https://docs.stripe.com/api/events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from gateway.backends.memory.twin import EVENTS_KEPT_MAX, TwinEvent
from gateway.sandbox.stripe_api.account import Account, StoredEvent
from gateway.sandbox.stripe_api.calls import Call, page_of
from gateway.sandbox.stripe_api.errors import exclusive, invalid
from gateway.sandbox.stripe_api.rendering import render

TYPES_MAX = 20
"""How many `types` one list takes."""


class EventBook:
    """Takes the twin's events in, prints them, and hands each to the sender of webhooks."""

    def __init__(
        self, account: Account, version: str, announce: Callable[[StoredEvent], None]
    ) -> None:
        self._account = account
        self._version = version
        self._announce = announce
        for event in account.twin.events:
            self._store(event)

    def take(self, event: TwinEvent) -> None:
        stored = self._store(event)
        endpoints = self._account.webhook_endpoints
        stored.waiting.update(one.id for one in endpoints if one.wants(event.type))
        self._announce(stored)

    def _store(self, event: TwinEvent) -> StoredEvent:
        subject, account = event.object, self._account
        content: dict[str, Any] = {"object": render(account, subject)}
        kept_before = account.replaced.pop(subject.id, None)
        if event.type.endswith(".updated"):
            before = render(account, replace(subject, **dict(event.previous)), kept_before)
            content["previous_attributes"] = difference(before, content["object"])
        body: dict[str, Any] = {
            "id": event.id,
            "object": "event",
            "api_version": self._version,
            "created": event.created,
            "data": content,
            "livemode": account.twin.livemode,
            "request": asdict(event.request),
            "type": event.type,
        }
        stored = StoredEvent(event.id, event.created, event.type, orjson.dumps(body))
        account.events.put(stored)
        if len(account.events) > EVENTS_KEPT_MAX:
            account.events.remove(next(iter(account.events)).id)
        return stored


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What stood in `before` where `after` differs; within a hash only what changed in it."""
    found: dict[str, Any] = {}
    for name, value in before.items():
        now = after.get(name)
        if value == now:
            continue
        if isinstance(value, dict) and isinstance(now, dict):
            found[name] = difference(value, now)
        else:
            found[name] = value
    return found


def list_all(account: Account, call: Call) -> dict[str, Any]:
    kind, kinds = call.params.get("type"), call.params.get("types")
    if kind is not None and kinds is not None:
        raise exclusive("type", "types", param="types")
    if kinds is not None and len(kinds) > TYPES_MAX:
        raise invalid(f"You can give at most {TYPES_MAX} types.", "types")
    patterns = kinds if kinds is not None else [kind] if kind is not None else ["*"]
    delivered = call.params.get("delivery_success")

    def check(event: StoredEvent) -> bool:
        if delivered is not None and delivered == bool(event.waiting):
            return False
        return any(fnmatchcase(event.type, pattern) for pattern in patterns)

    return page_of(account, call, "event", check)
