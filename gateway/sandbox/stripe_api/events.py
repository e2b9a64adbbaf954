"""Events: each fact as a snapshot event, as a thin one, or as both, and the list of the former.

An event is printed once, when it happens, kept for a while, and listed. What an update changed is
found by printing the object as it was and as it is, so that the names and the nesting of
`previous_attributes` are those of the API; includable fields are in no event.
Source: https://docs.stripe.com/api/events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from typing import Any

import orjson

from gateway.backends.memory.tables import Table
from gateway.backends.memory.twin import EVENTS_KEPT_MAX, TwinEvent
from gateway.sandbox.stripe_api.account import Account, StoredEvent
from gateway.sandbox.stripe_api.api_call import Call, page_of
from gateway.sandbox.stripe_api.api_errors import exclusive, invalid
from gateway.sandbox.stripe_api.rendering import render
from gateway.sandbox.stripe_api.thin_events import PING, has_snapshot, has_thin, thin_event

TYPES_MAX = 20
"""How many `types` one list takes."""


class EventBook:
    """Takes the twin's events in, prints them, and hands each to the sender of webhooks: of a fact
    the snapshot event first, then the thin one, where there are both."""

    def __init__(
        self, account: Account, version: str, announce: Callable[[StoredEvent], None]
    ) -> None:
        self._account = account
        self._version = version
        self._announce = announce
        self._milliseconds = 0
        for event in account.twin.events:
            self._stored(event)

    def take(self, event: TwinEvent) -> None:
        destinations = list(self._account.destinations())
        for stored in self._stored(event):
            if event.type == PING:
                waiting = [one for one in destinations if one.id == event.object.id and one.is_open]
            else:
                waiting = [one for one in destinations if one.wants(stored)]
            stored.waiting.update(one.id for one in waiting)
            self._announce(stored)

    def _stored(self, event: TwinEvent) -> list[StoredEvent]:
        """The events about this fact, kept for a while."""
        stored: list[StoredEvent] = []
        content: dict[str, Any] = {}
        if has_snapshot(event.type):
            content = self._content(event)
            snapshot = self._snapshot(event, content)
            stored.append(snapshot)
            _keep(self._account.events, snapshot)
        if has_thin(event.type):
            thin = thin_event(
                event,
                milliseconds=self._moment(event.created),
                livemode=self._account.twin.livemode,
                changes=_changes(content),
            )
            stored.append(thin)
            _keep(self._account.thin_events, thin)
        return stored

    def _moment(self, created: int) -> int:
        """Events of one second are a millisecond apart, for as long as it has some left."""
        start = created * 1000
        self._milliseconds = max(start, min(self._milliseconds + 1, start + 999))
        return self._milliseconds

    def _content(self, event: TwinEvent) -> dict[str, Any]:
        """The object as it is now, and what it was before where it was updated."""
        subject, account = event.object, self._account
        content: dict[str, Any] = {"object": render(account, subject)}
        kept_before = account.replaced.pop(subject.id, None)
        if event.type.endswith(".updated"):
            before = render(account, replace(subject, **dict(event.previous)), kept_before)
            content["previous_attributes"] = difference(before, content["object"])
        return content

    def _snapshot(self, event: TwinEvent, content: dict[str, Any]) -> StoredEvent:
        body: dict[str, Any] = {
            "id": event.id,
            "object": "event",
            "api_version": self._version,
            "created": event.created,
            "data": content,
            "livemode": self._account.twin.livemode,
            "request": asdict(event.request),
            "type": event.type,
        }
        return StoredEvent(event.id, event.created, event.type, orjson.dumps(body))


def _keep(events: Table[Any], stored: StoredEvent) -> None:
    events.put(stored)
    if len(events) > EVENTS_KEPT_MAX:
        events.remove(next(iter(events)).id)


def _changes(content: dict[str, Any]) -> dict[str, Any] | None:
    """What a thin event about an update says of it; None for any other."""
    before = content.get("previous_attributes")
    if before is None:
        return None
    now = content["object"]
    return {"before": before, "after": {name: now.get(name) for name in before}}


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


def list_events(account: Account, call: Call) -> dict[str, Any]:
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
