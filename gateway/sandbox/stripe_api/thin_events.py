"""Thin events: what one says of a fact, and the list of those that there were.

A thin event names the object that a fact is about and the request behind it, and shows nothing of
the object; where the same fact has a snapshot event as well, it names that. Its type is `v1.` and
the type of the snapshot event. It is in no API version.
Source: https://docs.stripe.com/api/v2/core/events,
https://docs.stripe.com/webhooks/migrate-snapshot-to-thin-events, and stripe-python 16.1.0.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.backends.memory.tables import Query
from gateway.backends.memory.twin import Request, TwinEvent
from gateway.ledger.facts import NO_SNAPSHOT, NO_THIN
from gateway.sandbox.stripe_api.account import KIND_OF, Account, EventDestination, ThinEvent
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import invalid
from gateway.sandbox.stripe_api.parameters import moment_text
from gateway.sandbox.stripe_api.rendering import Json, render
from gateway.sandbox.stripe_api.token_pages import asked_page

PATH = "/v2/core/events"
DESTINATIONS_PATH = "/v2/core/event_destinations"
PING = "v2.core.event_destination.ping"
TYPES_MAX = 20
"""How many `types` one list takes."""


def has_snapshot(event_type: str) -> bool:
    """Whether there is a snapshot event about such a fact."""
    return event_type not in NO_SNAPSHOT and event_type != PING


def has_thin(event_type: str) -> bool:
    """Whether there is a thin event about such a fact."""
    return event_type not in NO_THIN


def thin_event(
    event: TwinEvent, *, milliseconds: int, livemode: bool, changes: Json | None
) -> ThinEvent:
    """The thin event about a fact. Its id is made from that of the fact, so that it needs no other;
    who receives it must not count on that."""
    subject = event.object
    body: Json = {
        "id": f"evt_test_{event.id.removeprefix('evt_')}",
        "object": "v2.core.event",
        "changes": changes,
        "context": None,
        "created": moment_text(milliseconds),
        "livemode": livemode,
        "reason": _reason(event.request),
        "related_object": _related(subject),
        "snapshot_event": event.id if has_snapshot(event.type) else None,
        "type": event.type if event.type == PING else f"v1.{event.type}",
    }
    return ThinEvent(
        body["id"],
        event.created,
        body["type"],
        orjson.dumps(body),
        object_id=subject.id,
        milliseconds=milliseconds,
    )


def _reason(request: Request) -> Json | None:
    if request.id is None:
        return None
    told = {"id": request.id, "idempotency_key": request.idempotency_key}
    return {"type": "request", "request": told}


def _related(subject: Any) -> Json:
    if isinstance(subject, EventDestination):
        url = f"{DESTINATIONS_PATH}/{subject.id}"
        return {"id": subject.id, "type": "event_destination", "url": url}
    kind = KIND_OF[type(subject)]
    return {"id": subject.id, "type": kind, "url": f"/v1/{kind}s/{subject.id}"}


def notification(event: ThinEvent, *, names_snapshot_event: bool) -> Json:
    """What is sent of the event. Whether it names the snapshot event is documented on one page of
    Stripe's and missing in the SDK's type."""
    told: Json = orjson.loads(event.body)
    del told["changes"]
    if not names_snapshot_event:
        del told["snapshot_event"]
    return told


def list_events(account: Account, call: Call) -> Json:
    """The events of one object, of these types, of that time; newest first."""
    page = asked_page(call)
    given = page.filters
    types = given.get("types")
    if types is not None and len(types) > TYPES_MAX:
        raise invalid(f"You can give at most {TYPES_MAX} types.", "types")
    start, end = given.get("created", (None, None))
    object_id = given.get("object_id")

    def check(event: ThinEvent) -> bool:
        is_early = start is not None and event.milliseconds < start
        is_late = end is not None and event.milliseconds > end
        return not is_early and not is_late and (types is None or event.type in types)

    equals = () if object_id is None else (("object_id", object_id),)
    query: Query[ThinEvent] = Query(equals=equals, check=check)
    members = list(account.thin_events.newest_first(query))
    return page.printed(PATH, members, lambda event: render(account, event))
