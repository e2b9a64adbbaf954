"""What is registered at Stripe to be sent events: webhook endpoints, and event destinations.

Both lists are read, as an account may have either. An endpoint stands in both, as a destination for
snapshot events; it is one here.
Source: https://docs.stripe.com/api/webhook_endpoints/list and
https://docs.stripe.com/api/v2/core/event_destinations, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import KeyRefused
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.ledger.facts import NO_SNAPSHOT
from gateway.stripe_objects.reading import Fields, embedded_list, fields_of
from schema.ports import ErrorCode, Failed, Meter

ENDPOINTS = "/v1/webhook_endpoints"
ENDPOINT_KIND = "webhook_endpoint"
DESTINATIONS = "/v2/core/event_destinations"
DESTINATION_KIND = "v2.core.event_destination"
ENDPOINTS_MAX = 100
"""One page; an account may have 16."""
PAGES_MAX = 10
"""Of destinations, whose pages have a size of Stripe's choice."""
SNAPSHOT, THIN = "snapshot", "thin"
WEBHOOK = "webhook_endpoint"
EVERY_EVENT = "*"
THIN_PREFIX = "v1."
OWN_EVENTS = "@self"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where Stripe sends events. `event_payload` is `thin` or `snapshot`; `url` None where it is no
    webhook."""

    id: str
    event_payload: str
    transport: str
    url: str | None
    enabled_events: tuple[str, ...]
    is_enabled: bool
    why_disabled: str | None
    api_version: str | None
    hears_own_events: bool
    created: int | None
    """Epoch seconds."""

    @property
    def is_active(self) -> bool:
        """Whether anything of this account is sent there."""
        return self.is_enabled and self.hears_own_events

    def brings(self, name: str) -> bool:
        """Whether it tells of the fact that has this name as a snapshot event."""
        return EVERY_EVENT in self.enabled_events or self.name_of(name) in self.enabled_events

    def name_of(self, name: str) -> str:
        """What it has to be asked for to bring that."""
        return f"{THIN_PREFIX}{name}" if self.event_payload == THIN else name


def thin_names(events: Sequence[str]) -> tuple[str, ...]:
    """The thin events about the same facts, and those that have no snapshot event."""
    return tuple(f"{THIN_PREFIX}{name}" for name in (*events, *sorted(NO_SNAPSHOT)))


@dataclass(frozen=True, slots=True)
class Registered:
    """All that is there; `sees_destinations` is False where the key may not list those of v2."""

    destinations: tuple[Destination, ...]
    sees_destinations: bool

    def at(self, url: str, payload: str | None = None) -> list[Destination]:
        """The webhooks of this URL, with this payload or any."""
        return [
            one
            for one in self.destinations
            if one.url == url and one.transport == WEBHOOK and payload in (None, one.event_payload)
        ]


async def registered(api: StripeApi) -> Registered:
    """Everything, endpoints first. Raises `Failed` when Stripe cannot be asked."""
    raw = await api.get(ENDPOINTS, {"limit": ENDPOINTS_MAX}, _meter())
    rows, _ = embedded_list(raw)
    endpoints = [_of_endpoint(fields_of(row, ENDPOINT_KIND)) for row in rows]
    try:
        others = await _destinations(api)
    except Failed as failed:
        if not isinstance(failed, KeyRefused) and failed.code is not ErrorCode.NOT_FOUND:
            raise
        return Registered(tuple(endpoints), sees_destinations=False)
    new = [one for one in others if not any(_is_same(one, known) for known in endpoints)]
    return Registered((*endpoints, *new), sees_destinations=True)


async def _destinations(api: StripeApi) -> list[Destination]:
    """Those that v2 lists. Raises `Failed`."""
    found: list[Destination] = []
    query: Mapping[str, Any] = {}
    for _ in range(PAGES_MAX):
        asked = {**query, "include": ["webhook_endpoint.url"]}
        page = await api.get(DESTINATIONS, asked, _meter())
        rows, _ = embedded_list(page)
        found += [_of_destination(fields_of(row, DESTINATION_KIND)) for row in rows]
        following = page.get("next_page_url")
        if not isinstance(following, str):
            break
        query = dict(parse_qsl(urlsplit(following).query))
    return found


def _meter() -> Meter:
    return Meter.without_cap(SYSTEM_CALLER)


def _is_same(one: Destination, endpoint: Destination) -> bool:
    """Whether this is the endpoint as v2 lists it. Stripe does not say that its id is the same."""
    if one.id == endpoint.id:
        return True
    mine = (one.event_payload, one.url, one.created, set(one.enabled_events))
    return mine == (SNAPSHOT, endpoint.url, endpoint.created, set(endpoint.enabled_events))


def _of_endpoint(endpoint: Fields) -> Destination:
    created = endpoint.value("created")
    return Destination(
        id=endpoint.id,
        event_payload=SNAPSHOT,
        transport=WEBHOOK,
        url=endpoint.text("url"),
        enabled_events=tuple(_texts(endpoint.value("enabled_events"))),
        is_enabled=endpoint.text("status") == "enabled",
        why_disabled=None,
        api_version=endpoint.text("api_version"),
        hears_own_events=True,
        created=created if type(created) is int else None,
    )


def _of_destination(one: Fields) -> Destination:
    heard = [*_texts(one.value("events_from"))]
    disabled = _within(_within(one.raw, "status_details"), "disabled")
    reason = disabled.get("reason")
    url = _within(one.raw, WEBHOOK).get("url")
    return Destination(
        id=one.id,
        event_payload=one.text("event_payload") or SNAPSHOT,
        transport=one.text("type") or "",
        url=url if isinstance(url, str) else None,
        enabled_events=tuple(_texts(one.value("enabled_events"))),
        is_enabled=one.text("status") == "enabled",
        why_disabled=reason if isinstance(reason, str) else None,
        api_version=one.text("snapshot_api_version"),
        hears_own_events=not heard or OWN_EVENTS in heard,
        created=_seconds(one.text("created")),
    )


def _within(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Iterator[str]:
    yield from (one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _seconds(text: str | None) -> int | None:
    """The second in which a time of v2 lies."""
    try:
        return None if text is None else int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None
