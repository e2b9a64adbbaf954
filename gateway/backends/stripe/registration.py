"""Registers the webhook endpoint at Stripe, and compares one that is there with what is needed.

It is told which events are followed and keeps no secret: that is shown once, to whoever asked for
the endpoint. It changes and deletes nothing that is there.
Source: https://docs.stripe.com/api/webhook_endpoints and
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
from gateway.stripe_objects.reading import Fields, embedded_list, fields_of
from schema.ports import Meter, Refused

PATH = "/v1/webhook_endpoints"
KIND = "webhook_endpoint"
ENDPOINTS_MAX = 100
"""One page; an account may have 16."""
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
    "Stripe has no event for attaching a payment: attaching through this gateway is announced by "
    "the gateway itself, attaching elsewhere shows as invoice.updated or invoice_payment.paid."
)


class RegistrationRefused(Exception):
    """Nothing was registered, or it cannot be known; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new endpoint. The secret is shown this once; `notes` say what it will not deliver."""

    id: str
    secret: str = field(repr=False)
    enabled_events: tuple[str, ...]
    api_version: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; only a problem has to be mended."""

    is_problem: bool
    message: str


async def create_endpoint(
    api: StripeApi,
    url: str,
    *,
    events: Sequence[str],
    preview_events: Sequence[str],
    idempotency_key: str,
) -> Created:
    """Register the URL for all of `events`, and for those of `preview_events` that this account
    can ask for. Raises `RegistrationRefused`, and `Failed` when Stripe cannot be asked."""
    _check_url(url)
    if await _endpoints_at(api, url):
        raise RegistrationRefused(
            f"{url} is registered already: see `invoice-gateway webhook check`, or delete the "
            "endpoint at Stripe first, as its secret cannot be shown again"
        )
    names = [*events, *preview_events]
    for attempt in range(len(preview_events) + 1):
        try:
            raw = await _posted(api, url, names, f"{idempotency_key}-{attempt}")
        except WriteRejected as rejected:
            names = _without_rejected(names, preview_events, rejected)
            continue
        endpoint = fields_of(raw, KIND)
        left_out = [_not_delivered(name) for name in preview_events if name not in names]
        return Created(
            id=endpoint.id,
            secret=endpoint.needed_text("secret"),
            enabled_events=_enabled_events(endpoint),
            api_version=endpoint.text("api_version"),
            notes=(*left_out, ATTACHING_NOTE),
        )
    raise AssertionError("each attempt asks for one preview event less")


async def check_endpoint(
    api: StripeApi, url: str, *, events: Sequence[str], preview_events: Sequence[str]
) -> list[Finding]:
    """What is not as needed at the endpoint of this URL; without problems it will do.

    Raises `Failed` when Stripe cannot be asked.
    """
    found = await _endpoints_at(api, url)
    if not found:
        create = "`invoice-gateway webhook create`"
        return [Finding(True, f"no endpoint is registered for {url}: {create}")]
    findings = [one for endpoint in found for one in _faults(endpoint, events, preview_events)]
    for endpoint in found:
        if endpoint.text("api_version") != api.stripe_version:
            version = "has another API version than the gateway: this does no harm"
            findings.append(Finding(False, f"{endpoint.id} {version}"))
    if len(found) > 1:
        several = "several endpoints have this URL, each with a secret of its own"
        ids = ", ".join(endpoint.id for endpoint in found)
        findings.append(Finding(True, f"{several}: {ids}"))
    return findings


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


async def _endpoints_at(api: StripeApi, url: str) -> list[Fields]:
    raw = await api.get(PATH, {"limit": ENDPOINTS_MAX}, Meter.without_cap(SYSTEM_CALLER))
    rows, _ = embedded_list(raw)
    endpoints = [fields_of(row, KIND) for row in rows]
    return [endpoint for endpoint in endpoints if endpoint.text("url") == url]


async def _posted(
    api: StripeApi, url: str, names: Sequence[str], idempotency_key: str
) -> dict[str, Any]:
    params = {
        "url": url,
        "enabled_events": list(names),
        "api_version": api.stripe_version,
        "description": "Invoice payments gateway",
    }
    meter = Meter(SYSTEM_CALLER)
    try:
        return (await api.post(PATH, params, meter, idempotency_key=idempotency_key)).body
    except Refused as refused:
        raise RegistrationRefused(refused.message) from None
    except WriteUnknown:
        raise RegistrationRefused(
            "Stripe's answer was lost: see `invoice-gateway webhook check`; an endpoint that is "
            "there has a secret nobody saw, so delete it at Stripe and create it again"
        ) from None


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


def _faults(
    endpoint: Fields, events: Sequence[str], preview_events: Sequence[str]
) -> Iterator[Finding]:
    enabled = _enabled_events(endpoint)
    if endpoint.text("status") != "enabled":
        yield Finding(True, f"{endpoint.id} is disabled: enable it at Stripe")
    if "*" in enabled:
        yield Finding(False, f"{endpoint.id} brings every event; most of them are ignored")
        return
    missing = [name for name in events if name not in enabled]
    if missing:
        yield Finding(
            True, f"{endpoint.id} does not deliver {', '.join(missing)}: add them at Stripe"
        )
    superfluous = [name for name in enabled if name not in (*events, *preview_events)]
    if superfluous:
        yield Finding(False, f"{endpoint.id} delivers what is ignored: {', '.join(superfluous)}")
    for name in preview_events:
        if name not in enabled:
            yield Finding(False, _not_delivered(name))


def _enabled_events(endpoint: Fields) -> tuple[str, ...]:
    names = endpoint.value("enabled_events")
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def _not_delivered(name: str) -> str:
    return f"{name} is not delivered: {MADE_UP_FOR.get(name, 'catch-up finds it')}."
