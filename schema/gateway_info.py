"""GatewayInfo: what this deployment is, and what it and this caller can really do."""

from __future__ import annotations

import strawberry

from schema.fields import plain
from schema.ports import BackendDescription, BackendKind, Capability, Viewer
from schema.scalars import EventCursor

VERSION = "0.1.0"
"""Of the gateway, in one place; pyproject.toml reads it from here."""

strawberry.enum(BackendKind, description="What supplies the answers.")
strawberry.enum(Capability, description="Something that a deployment may or may not be able to do.")

SCOPE_OF: dict[Capability, str] = {
    Capability.ATTACH_PAYMENT_INTENT: "payments:write",
    Capability.ATTACH_PAYMENT_RECORD: "payments:write",
    Capability.ATTACH_OUT_OF_BAND: "payments:write",
    Capability.DETACH: "payments:write",
    Capability.CREDIT_NOTE: "credit_notes:write",
    Capability.EVENT_REPLAY: "events:read",
}


@strawberry.type(description="What this deployment is, and what it can do for this caller.")
class GatewayInfo:
    version: str = plain("Version of the gateway.")
    backend: BackendKind = plain("What supplies the answers.")
    livemode: bool = plain("True when real money moves.")
    stripe_api_version: str | None = plain("The pinned Stripe-Version; null with MEMORY.")
    capabilities: list[Capability] = plain(
        "What this deployment and this caller can really do; hide the button instead of failing "
        "the click."
    )
    scopes: list[str] = plain("The rights of this caller.")
    oldest_event_cursor: EventCursor | None = plain(
        "How far back EventCursor can resume; null while the log is empty."
    )


def gateway_info(
    description: BackendDescription, viewer: Viewer, oldest: str | None
) -> GatewayInfo:
    able = [one for one in Capability if one in description.capabilities]
    return GatewayInfo(
        version=VERSION,
        backend=description.kind,
        livemode=description.livemode,
        stripe_api_version=description.stripe_api_version,
        capabilities=[one for one in able if viewer.may(SCOPE_OF[one])],
        scopes=sorted(viewer.scopes),
        oldest_event_cursor=None if oldest is None else EventCursor(oldest),
    )
