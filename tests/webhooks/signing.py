"""Bodies of events and their signatures, as Stripe would send them."""

from __future__ import annotations

from typing import Any

import orjson
import stripe

SECRET = "whsec_test_new"
OLD_SECRET = "whsec_test_old"
OTHER_SECRET = "whsec_test_another"
ACCOUNT = "acct_1"


def signed(body: bytes, at: int, secret: str = SECRET) -> str:
    """The header that the SDK makes for tests of webhooks."""
    header: str = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
    return header


def event(
    subject: dict[str, Any] | None = None,
    *,
    type: str = "invoice.updated",
    id: str = "evt_1",
    created: Any = 1_767_225_600,
    **more: Any,
) -> dict[str, Any]:
    """An event of a test account; about an invoice unless told otherwise."""
    return {
        "id": id,
        "object": "event",
        "type": type,
        "created": created,
        "livemode": False,
        "data": {"object": subject or {"object": "invoice", "id": "in_1"}},
        **more,
    }


def body_of(raw: Any) -> bytes:
    return orjson.dumps(raw)
