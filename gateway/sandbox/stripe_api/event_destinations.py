"""The operations on event destinations: webhooks for thin or for snapshot events, and clouds.

Endpoints of v1 are among them, for snapshot events. Nothing is ever sent to a cloud. The secret
stands in the answer of `create` alone, the URL in those that are told to include it.
Source: https://docs.stripe.com/api/v2/core/event_destinations, 2026-10-28.endive. That endpoints of
v1 are listed under their own id, and that others are not listed in v1, is our reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.ledger.facts import NO_THIN
from gateway.sandbox.stripe_api.account import OWN_EVENTS, WEBHOOK, Account, EventDestination
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import invalid, missing, no_such
from gateway.sandbox.stripe_api.parameters import moment_text
from gateway.sandbox.stripe_api.rendering import Json, render
from gateway.sandbox.stripe_api.thin_events import DESTINATIONS_PATH, PING
from gateway.sandbox.stripe_api.token_pages import asked_page
from gateway.sandbox.stripe_api.webhook_endpoints import (
    check_room,
    checked_events,
    checked_url,
    has_snapshot_name,
)

PATH = DESTINATIONS_PATH
KIND = "v2.core.event_destination"
CLOUDS = ("amazon_eventbridge", "azure_event_grid")
THIN = "thin"
URL, SECRET = "webhook_endpoint.url", "webhook_endpoint.signing_secret"
"""What is left out unless it is to be included; the secret by `create` alone."""


def create(account: Account, call: Call) -> Json:
    check_room(account)
    given = call.params
    transport, payload = given["type"], given["event_payload"]
    if transport not in given:
        raise missing(transport)
    if payload == THIN and "snapshot_api_version" in given:
        raise invalid("Thin events have no API version.", "snapshot_api_version")
    is_webhook = transport == WEBHOOK
    made = EventDestination(
        **account.fresh("ed", given),
        url=checked_url(given[WEBHOOK]["url"], f"{WEBHOOK}[url]") if is_webhook else None,
        secret=account.twin.new_id("whsec"),
        enabled_events=_events(given["enabled_events"], payload),
        api_version=given.get("snapshot_api_version"),
        description=given.get("description"),
        name=given["name"],
        payload=payload,
        transport=transport,
        cloud={} if is_webhook else given[transport],
        events_from=tuple(given.get("events_from", (OWN_EVENTS,))),
    )
    account.event_destinations.put(made)
    secret = made.secret if is_webhook and SECRET in given.get("include", ()) else None
    return _shown(made, given, secret=secret)


def _events(names: Sequence[str], payload: str) -> tuple[str, ...]:
    return checked_events(names, _has_thin_name if payload == THIN else has_snapshot_name)


def _has_thin_name(name: str) -> bool:
    return name.startswith(("v1.", "v2.")) and name.removeprefix("v1.") not in NO_THIN


def list_destinations(account: Account, call: Call) -> Json:
    """All of them, newest first."""
    page = asked_page(call)
    members = sorted(account.destinations(), key=lambda one: one.created)
    return page.printed(PATH, members[::-1], lambda one: _shown(one, page.filters))


def retrieve(account: Account, call: Call) -> Json:
    return _shown(_found(account, call), call.params)


def update(account: Account, call: Call) -> Json:
    found, given = _found(account, call), call.params
    changes = call.changes(found.metadata, "description", "name")
    if "enabled_events" in given:
        changes["enabled_events"] = _events(given["enabled_events"], found.payload)
    if WEBHOOK in given:
        changes["url"] = checked_url(given[WEBHOOK]["url"], f"{WEBHOOK}[url]")
    return _changed(account, call, found, changes)


def enable(account: Account, call: Call) -> Json:
    return _changed(account, call, _found(account, call), {"enabled": True})


def disable(account: Account, call: Call) -> Json:
    return _changed(account, call, _found(account, call), {"enabled": False})


def delete(account: Account, call: Call) -> Json:
    found = _found(account, call)
    _table_of(account, found).remove(found.id)
    return {"id": found.id, "object": KIND}


def ping(account: Account, call: Call) -> Json:
    """Send this destination one event that says nothing; answers the event."""
    account.twin.tell(PING, _found(account, call), request=call.request)
    return render(account, account.thin_events.matching("object_id", call.id)[-1])


def _found(account: Account, call: Call) -> EventDestination:
    endpoint = account.webhook_endpoints.get(call.id)
    found = endpoint or account.event_destinations.get(call.id)
    if found is None:
        raise no_such(KIND, call.id, "id")
    return found


def _table_of(account: Account, one: EventDestination) -> Any:
    is_endpoint = one.id in account.webhook_endpoints
    return account.webhook_endpoints if is_endpoint else account.event_destinations


def _changed(
    account: Account, call: Call, found: EventDestination, changes: Mapping[str, Any]
) -> Json:
    changed = replace(found, updated=account.twin.now(), **changes)
    _table_of(account, found).put(changed)
    return _shown(changed, call.params)


def _shown(one: EventDestination, asked: Mapping[str, Any], *, secret: str | None = None) -> Json:
    url = one.url if URL in asked.get("include", ()) else None
    is_webhook = one.transport == WEBHOOK
    return {
        "id": one.id,
        "object": KIND,
        "amazon_eventbridge": None,
        "azure_event_grid": None,
        "created": moment_text(one.created * 1000),
        "description": one.description or "",
        "enabled_events": list(one.enabled_events),
        "event_payload": one.payload,
        "events_from": list(one.events_from),
        "livemode": one.livemode,
        "metadata": dict(one.metadata),
        "name": one.name or one.description or "",
        "snapshot_api_version": one.api_version,
        "status": "enabled" if one.enabled else "disabled",
        "status_details": None if one.enabled else {"disabled": {"reason": "user"}},
        "type": one.transport,
        "updated": moment_text((one.updated or one.created) * 1000),
        WEBHOOK: {"signing_secret": secret, "url": url} if is_webhook else None,
        **_cloud(one),
    }


def _cloud(one: EventDestination) -> Json:
    """What there is at the other end of one that leads to a cloud."""
    place = f"aws.partner/stripe.com/{one.id}"
    match one.transport:
        case "amazon_eventbridge":
            arn = f"arn:aws:events:{one.cloud['aws_region']}::event-source/{place}"
            shown = {
                "aws_account_id": one.cloud["aws_account_id"],
                "aws_event_source_arn": arn,
                "aws_event_source_status": "active",
            }
        case "azure_event_grid":
            topic = {"azure_partner_topic_name": one.id, "azure_partner_topic_status": "activated"}
            shown = {**one.cloud, **topic}
        case _:
            return {}
    return {one.transport: shown}
