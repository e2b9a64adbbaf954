"""Compares what is registered at Stripe for the gateway's URL with what is needed.

It says what is missing, doubled or in vain, and what to do; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.registered import (
    EVERY_EVENT,
    SNAPSHOT,
    THIN,
    WEBHOOK,
    Destination,
    Registered,
    registered,
)
from gateway.backends.stripe.registration import ATTACHING_NOTE, not_delivered
from gateway.ledger.facts import NO_SNAPSHOT, NO_THIN

CLOUDS = {"amazon_eventbridge": "Amazon EventBridge", "azure_event_grid": "Azure Event Grid"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; only a problem has to be mended."""

    is_problem: bool
    message: str


async def check_registered(
    api: StripeApi, url: str, *, events: Sequence[str], preview_events: Sequence[str]
) -> list[Finding]:
    """What is not as needed at the endpoints and destinations of this URL; without problems they
    will do. Raises `Failed` when Stripe cannot be asked."""
    found = await registered(api)
    here = found.at(url)
    check = _Check(here, events, preview_events, api.stripe_version)
    return [*_elsewhere(found, url), *check.findings(url)]


def _elsewhere(found: Registered, url: str) -> Iterator[Finding]:
    """What cannot be seen, and what leads away."""
    if not found.sees_destinations:
        yield Finding(
            False,
            "Stripe does not let this key or account list event destinations "
            "(/v2/core/event_destinations): whether one sends thin events here is not known",
        )
    for one in found.destinations:
        if one.transport != WEBHOOK:
            cloud = CLOUDS.get(one.transport, one.transport)
            leads = f"leads to {cloud}: nothing of it reaches this gateway"
            yield Finding(False, f"{one.id} {leads}")


@dataclass(frozen=True, slots=True)
class _Check:
    """Of the destinations at one URL."""

    here: Sequence[Destination]
    events: Sequence[str]
    preview_events: Sequence[str]
    stripe_version: str

    def findings(self, url: str) -> Iterator[Finding]:
        if not self.here:
            create = "`invoice-gateway webhook create`"
            yield Finding(True, f"no endpoint is registered for {url}: {create}")
            return
        for one in self.here:
            yield from self._of(one)
        yield from self._not_told()
        yield from self._several()

    def _active(self, *payloads: str) -> list[Destination]:
        return [one for one in self.here if one.is_active and one.event_payload in payloads]

    def _is_brought(self, name: str) -> bool:
        return any(one.brings(name) for one in self._active(SNAPSHOT, THIN))

    def _of(self, one: Destination) -> Iterator[Finding]:
        if not one.is_enabled:
            yield self._of_disabled(one)
        elif not one.hears_own_events:
            yield Finding(
                True, f"{one.id} hears of other accounts alone: make another at Stripe for @self"
            )
        if EVERY_EVENT in one.enabled_events:
            yield Finding(False, f"{one.id} brings every event; most of them are ignored")
        else:
            yield from self._of_events(one)
        if one.event_payload == SNAPSHOT and one.api_version != self.stripe_version:
            version = "has another API version than the gateway: this does no harm"
            yield Finding(False, f"{one.id} {version}")

    def _of_disabled(self, one: Destination) -> Finding:
        why = "" if one.why_disabled is None else f" ({one.why_disabled})"
        if self._active(one.event_payload):
            return Finding(False, f"{one.id} is disabled{why} and not needed: delete it at Stripe")
        return Finding(True, f"{one.id} is disabled{why}: enable it at Stripe")

    def _of_events(self, one: Destination) -> Iterator[Finding]:
        without = NO_THIN if one.event_payload == THIN else NO_SNAPSHOT
        followed = (*self.events, *self.preview_events, *sorted(NO_SNAPSHOT))
        names = {one.name_of(name) for name in followed if name not in without}
        needed = (*self.events, *sorted(NO_SNAPSHOT)) if one.event_payload == THIN else self.events
        missing = [
            one.name_of(name)
            for name in needed
            if not one.brings(name) and not self._is_brought(name)
        ]
        if missing:
            yield Finding(
                True, f"{one.id} does not deliver {', '.join(missing)}: add them at Stripe"
            )
        superfluous = [name for name in one.enabled_events if name not in names]
        if superfluous:
            yield Finding(False, f"{one.id} delivers what is ignored: {', '.join(superfluous)}")

    def _not_told(self) -> Iterator[Finding]:
        """What none of those that are there can deliver."""
        for name in self.preview_events:
            if not any(one.brings(name) for one in self._active(SNAPSHOT)):
                yield Finding(False, not_delivered(name))
        if not self._active(THIN):
            yield Finding(False, ATTACHING_NOTE)

    def _several(self) -> Iterator[Finding]:
        for payload, word in ((SNAPSHOT, "endpoints"), (THIN, "thin destinations")):
            active = self._active(payload)
            if len(active) > 1:
                several = f"several {word} have this URL, each with a secret of its own"
                ids = ", ".join(one.id for one in active)
                yield Finding(True, f"{several}: {ids}; keep one, and delete the others at Stripe")
        if self._active(THIN) and self._active(SNAPSHOT):
            yield Finding(
                False,
                "thin and snapshot events come here: each fact is told once, and costs two "
                "requests; both secrets have to be set, until one of them is deleted at Stripe",
            )
