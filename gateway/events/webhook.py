"""From the raw bytes of a webhook to a `Hint`: who signed it and when, and the ids it names.

It knows no HTTP, asks nobody and takes nothing in: that is the intake's work.
Source: https://docs.stripe.com/webhooks/signature (the header, the tolerance),
2026-10-28.endive.
"""

from __future__ import annotations

import enum
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.events.event_ids import Ignored, IgnoredReason, read_event
from gateway.events.hints import Hint

SIGNATURE_AGE_SECONDS_MAX = 300
"""Stripe's own advice; it signs anew for every retry. Held in both directions, because a time far
ahead would keep a stolen delivery good for as long."""

FOLLOWED_EVENTS = (
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_attempt_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoice.will_be_due",
    "invoice_payment.paid",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.partially_funded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.updated",
)
"""What an endpoint has to be registered for: every name of Stripe's list that the intake takes
in, be it only to drop what is cached.

Source: https://docs.stripe.com/api/webhook_endpoints/create, 2026-10-28.endive.
"""
PREVIEW_EVENTS = ("invoice_payment.detached", "invoice.payment.overpaid")
"""Followed as well, but only some accounts can ask for them by name, if any can.

Source: the changelog of stripe-node 22.4.0-beta.1 (2026-06-24.preview).
"""

_TIME = re.compile(r"t=(\d{1,12})", re.ASCII)


class RefusedReason(enum.StrEnum):
    """Why a request is no webhook of Stripe's; for our log and counters, never for its sender."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    TIME_OUT_OF_TOLERANCE = "time_out_of_tolerance"
    NOT_AN_EVENT = "not_an_event"
    BODY_TOO_LARGE = "body_too_large"
    BODY_INCOMPLETE = "body_incomplete"


class WebhookRefused(Exception):
    """Not Stripe's, not of now, or not an event."""

    def __init__(self, reason: RefusedReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(slots=True)
class Counts:
    """What became of the webhooks since the start of the process.

    `matched` counts by the place of the secret in the settings, so that a rotated one can be taken
    out once it matches no more. `known` made no entry; `put_off` Stripe was asked to send again.
    """

    matched: list[int]
    refused: Counter[RefusedReason] = field(default_factory=Counter)
    ignored: Counter[IgnoredReason] = field(default_factory=Counter)
    taken: int = 0
    known: int = 0
    put_off: int = 0


class WebhookReader:
    """Reads the webhooks of one account with any of its secrets, several while one is rotated."""

    def __init__(
        self, secrets: Sequence[str], *, now: Callable[[], int], account: str, livemode: bool
    ) -> None:
        assert secrets, "an endpoint without a secret would refuse everything"
        assert all(secret.strip() for secret in secrets), "a blank secret is a mistake"
        self.counts = Counts(matched=[0] * len(secrets))
        self._secrets = tuple(secrets)
        self._now = now
        self._account = account
        self._livemode = livemode

    def hint_from(self, body: bytes, signature: str | None) -> Hint | Ignored:
        """What the body says, once it is certain who says so. Raises `WebhookRefused`."""
        try:
            read = self._read(body, signature)
        except WebhookRefused as refused:
            self.counts.refused[refused.reason] += 1
            raise
        if isinstance(read, Ignored):
            self.counts.ignored[read.reason] += 1
        return read

    def _read(self, body: bytes, signature: str | None) -> Hint | Ignored:
        if not signature:
            raise WebhookRefused(RefusedReason.SIGNATURE_MISSING)
        signed_at = _signed_at(signature)
        matching = [at for at, one in enumerate(self._secrets) if _is_signed(body, signature, one)]
        if not matching:
            raise WebhookRefused(RefusedReason.SIGNATURE_WRONG)
        if abs(self._now() - signed_at) > SIGNATURE_AGE_SECONDS_MAX:
            raise WebhookRefused(RefusedReason.TIME_OUT_OF_TOLERANCE)
        self.counts.matched[matching[0]] += 1
        read = read_event(_decoded(body), account=self._account, livemode=self._livemode)
        if read is None:
            raise WebhookRefused(RefusedReason.NOT_AN_EVENT)
        return read


def _signed_at(signature: str) -> int:
    """The time in the header, which must be there once and plainly.

    The SDK takes the first of several and reads `t=1=2` as 1; what it verifies and what we compare
    with our clock must be the same number. It also breaks on what is not ASCII.
    """
    times = [part for part in signature.split(",") if part.split("=")[0] == "t"]
    match = _TIME.fullmatch(times[0]) if len(times) == 1 else None
    if match is None or not signature.isascii():
        raise WebhookRefused(RefusedReason.SIGNATURE_MALFORMED)
    return int(match[1])


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether a `v1` of the header is this secret's, compared in constant time by the SDK. It is
    given no tolerance, as it would look at the wall clock, and at old signatures alone."""
    from stripe import SignatureVerificationError, WebhookSignature

    try:
        WebhookSignature.verify_header(body, signature, secret)
    except (SignatureVerificationError, UnicodeDecodeError):
        return False  # The SDK signs text, and what is not UTF-8 is no JSON either.
    return True


def _decoded(body: bytes) -> object:
    """The JSON in the body, None for what is none. Not by orjson: it refuses half surrogate pairs,
    which a customer may have typed and Stripe sends."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
