"""Registers the gateway at Stripe, for snapshot events or for thin ones.

Snapshot events come to a webhook endpoint of v1, thin ones to an event destination of v2. It is
told which events are followed and keeps no secret: that is shown once, to whoever asked for it. It
changes and deletes nothing that is there.
Source: https://docs.stripe.com/api/webhook_endpoints,
https://docs.stripe.com/api/v2/core/event_destinations and
https://docs.stripe.com/webhooks (versioning, at most 16 endpoints), 2026-10-28.endive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.backends.stripe.registered import (
    DESTINATION_KIND,
    DESTINATIONS,
    ENDPOINT_KIND,
    ENDPOINTS,
    SNAPSHOT,
    THIN,
    WEBHOOK,
    Registered,
    registered,
    thin_names,
)
from gateway.ledger.facts import NO_THIN
from gateway.stripe_objects.reading import Fields, fields_of
from schema.ports import Meter, Refused

NAME = "Invoice payments gateway"
_EVENT_PARAM = re.compile(r"enabled_events\[(\d{1,3})\]", re.ASCII)

MADE_UP_FOR: Mapping[str, str] = {
    "invoice_payment.detached": (
        "detaching through this gateway is announced by the gateway itself; a payment detached "
        "elsewhere is found by catch-up in Stripe's list of events, and where it reopens the "
        "invoice, invoice.updated comes at once"
    ),
    "invoice.payment.overpaid": "invoice.overpaid says the same of the whole invoice",
}
ATTACHING_NOTE = (
    "Snapshot events tell neither of attaching a payment nor of a canceled invoice payment: "
    "attaching through this gateway is announced by the gateway itself, attaching elsewhere is "
    "found by catch-up, and a payment that is canceled with its intent shows as "
    "payment_intent.canceled. Thin events tell of both at once: "
    "`invoice-gateway webhook create --payload thin`."
)
NO_ACCESS = (
    "Stripe does not let this key or account use event destinations (/v2/core/event_destinations), "
    "which thin events need: give a restricted key that right, or register for snapshot events"
)


class RegistrationRefused(Exception):
    """Nothing was registered, or it cannot be known; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Created:
    """What was made. The secret is shown this once; `notes` say what it will not deliver, and what
    else comes to its URL. Thin events have no `api_version`."""

    id: str
    secret: str = field(repr=False)
    enabled_events: tuple[str, ...]
    api_version: str | None
    notes: tuple[str, ...]


async def create_endpoint(
    api: StripeApi,
    url: str,
    *,
    events: Sequence[str],
    preview_events: Sequence[str],
    idempotency_key: str,
) -> Created:
    """Register the URL for all of `events` as snapshot events, and for those of `preview_events`
    that this account can ask for. Raises `RegistrationRefused`, and `Failed` when Stripe cannot be
    asked."""
    there = await _room_for(api, url, SNAPSHOT)
    names = [*events, *preview_events]
    for attempt in range(len(preview_events) + 1):
        params = {
            "url": url,
            "enabled_events": names,
            "api_version": api.stripe_version,
            "description": NAME,
        }
        try:
            raw = await _posted(api, ENDPOINTS, params, f"{idempotency_key}-{attempt}")
        except WriteRejected as rejected:
            names = _without_rejected(names, preview_events, rejected)
            continue
        endpoint = fields_of(raw, ENDPOINT_KIND)
        left_out = [not_delivered(name) for name in preview_events if name not in names]
        about_attaching = [] if there.at(url, THIN) else [ATTACHING_NOTE]
        return Created(
            id=endpoint.id,
            secret=endpoint.needed_text("secret"),
            enabled_events=_enabled_events(endpoint),
            api_version=endpoint.text("api_version"),
            notes=(*left_out, *about_attaching, *_beside(there, url)),
        )
    raise AssertionError("each attempt asks for one preview event less")


async def create_thin_destination(
    api: StripeApi, url: str, *, events: Sequence[str], idempotency_key: str
) -> Created:
    """Register the URL for the thin events about all that `events` are about, and for those that
    have no snapshot event. Raises `RegistrationRefused`, and `Failed` when Stripe cannot be asked.
    """
    there = await _room_for(api, url, THIN)
    if not there.sees_destinations:
        raise RegistrationRefused(NO_ACCESS)
    params = {
        "name": NAME,
        "type": WEBHOOK,
        "event_payload": THIN,
        "enabled_events": thin_names(events),
        WEBHOOK: {"url": url},
        "include": [f"{WEBHOOK}.signing_secret"],
    }
    try:
        raw = await _posted(api, DESTINATIONS, params, idempotency_key)
    except WriteRejected as rejected:
        raise _refusal(rejected) from None
    made = fields_of(raw, DESTINATION_KIND)
    return Created(
        id=made.id,
        secret=_signing_secret(made),
        enabled_events=_enabled_events(made),
        api_version=None,
        notes=(*map(not_delivered, sorted(NO_THIN)), *_beside(there, url)),
    )


async def _room_for(api: StripeApi, url: str, payload: str) -> Registered:
    """What is there already. Raises `RegistrationRefused` for a URL that cannot be, or that has
    such a destination."""
    _check_url(url)
    there = await registered(api)
    if there.at(url, payload):
        raise RegistrationRefused(
            f"{url} is registered already for {payload} events: see `invoice-gateway webhook "
            "check`, or delete that at Stripe first, as its secret cannot be shown again"
        )
    return there


def _beside(there: Registered, url: str) -> Iterator[str]:
    """What else comes to the URL from now on."""
    for one in there.at(url):
        yield (
            f"{one.id} sends {one.event_payload} events to the same URL, signed with its own "
            "secret: set "
            "both, separated by a comma. A fact that comes by both is told once; delete what you "
            "do not need at Stripe."
        )


def _signing_secret(made: Fields) -> str:
    webhook = made.value(WEBHOOK)
    secret = webhook.get("signing_secret") if isinstance(webhook, dict) else None
    if not isinstance(secret, str) or not secret:
        raise RegistrationRefused(
            f"Stripe made {made.id} and did not show its secret, and never does later: reveal it "
            "in Stripe's dashboard, or delete the destination there"
        )
    return secret


def _check_url(url: str) -> None:
    """Let through https, and plain http to this machine, as a sandbox uses it.

    Source: https://docs.stripe.com/webhooks (HTTPS in live mode), 2026-10-28.endive.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in ("http", "https"):
        raise RegistrationRefused(
            f"{url} is no URL of a webhook: give it whole, as in https://pay.example/webhooks/stripe"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise RegistrationRefused(f"{url} must begin with https://, as Stripe demands")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _posted(
    api: StripeApi, path: str, params: Mapping[str, Any], idempotency_key: str
) -> dict[str, Any]:
    meter = Meter(SYSTEM_CALLER)
    try:
        return (await api.post(path, params, meter, idempotency_key=idempotency_key)).body
    except Refused as refused:
        raise RegistrationRefused(refused.message) from None
    except WriteUnknown:
        raise RegistrationRefused(
            "Stripe's answer was lost: see `invoice-gateway webhook check`; an endpoint that is "
            "there has a secret nobody saw, so delete it at Stripe and create it again"
        ) from None


def _refusal(rejected: WriteRejected) -> RegistrationRefused:
    """Why Stripe made no destination for thin events."""
    if rejected.unsupported or rejected.status in (401, 403, 404):
        return RegistrationRefused(NO_ACCESS)
    why = rejected.message or f"status {rejected.status}"
    return RegistrationRefused(f"Stripe refuses the destination: {why}")


def _without_rejected(
    names: Sequence[str], preview_events: Sequence[str], rejected: WriteRejected
) -> list[str]:
    """The names without the preview event that Stripe took offence at, or without all of them
    where it does not say which. Raises `RegistrationRefused` for any other offence."""
    param, message = rejected.param or "", rejected.message or ""
    left = [name for name in names if name not in preview_events]
    if "enabled_events" not in param + message or len(left) == len(names):
        why = message or f"status {rejected.status}"
        raise RegistrationRefused(f"Stripe refuses the endpoint: {why}") from None
    match = _EVENT_PARAM.fullmatch(param)
    at = int(match[1]) if match is not None else len(names)
    if at < len(names) and names[at] in preview_events:
        return [*names[:at], *names[at + 1 :]]
    return left


def _enabled_events(endpoint: Fields) -> tuple[str, ...]:
    names = endpoint.value("enabled_events")
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def not_delivered(name: str) -> str:
    """That such a snapshot event, or the thin one about the same, will not come."""
    return f"{name} is not delivered: {MADE_UP_FOR.get(name, 'catch-up finds it')}."
