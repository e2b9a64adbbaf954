"""From the raw bytes of a webhook to a `Hint`: who signed it and when, and the ids it names.

Of the body nothing but ids is read, so any API version will do; types are plain strings. It knows
no HTTP, asks nobody and takes nothing in: that is the intake's work.
Source: https://docs.stripe.com/webhooks/signature (the header, the tolerance),
https://docs.stripe.com/api/events/object and, of thin events,
https://docs.stripe.com/api/v2/core/events/object and the SDK's `stripe.v2.core.EventNotification`
(16.1.0), 2026-10-28.endive.
"""

from __future__ import annotations

import enum
import json
import re
from calendar import timegm
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.events.hints import (
    CUSTOMER_TYPES,
    INTENT_PREFIX,
    THIN_PREFIX,
    Hint,
    is_followed,
    snapshot_name,
)
from schema.records import INSTANT_MAX

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

THIN_OBJECT = "v2.core.event"
"""A thin event: the id of what has changed, without what was; its time is in another form.

Source: https://docs.stripe.com/event-destinations#thin-events (read November 2026).
"""

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_TYPE = re.compile(r"[!-~]{1,200}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_TIME = re.compile(r"t=(\d{1,12})", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class RefusedReason(enum.StrEnum):
    """Why a request is no webhook of Stripe's; for our log and counters, never for its sender."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    TIME_OUT_OF_TOLERANCE = "time_out_of_tolerance"
    NOT_AN_EVENT = "not_an_event"
    BODY_TOO_LARGE = "body_too_large"
    BODY_INCOMPLETE = "body_incomplete"


class IgnoredReason(enum.StrEnum):
    """Why a true event is not taken in."""

    TYPE_NOT_FOLLOWED = "type_not_followed"
    OTHER_ACCOUNT = "other_account"
    OTHER_LIVEMODE = "other_livemode"
    NAMES_NOTHING = "names_nothing"


class WebhookRefused(Exception):
    """Not Stripe's, not of now, or not an event."""

    def __init__(self, reason: RefusedReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ignored:
    """A true event that is none of ours: acknowledged, so that Stripe does not send it again."""

    event_id: str
    type: str
    reason: IgnoredReason


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


def read_event(raw: object, *, account: str, livemode: bool) -> Hint | Ignored | None:
    """What an event is to us; None for what is no event. Webhooks and catch-up both ask here."""
    if not isinstance(raw, Mapping):
        return None
    event_id, raw_type = _plain(_ID, raw.get("id")), _plain(_TYPE, raw.get("type"))
    if event_id is None or raw_type is None:
        return None
    is_thin = raw.get("object") == THIN_OBJECT
    if is_thin != raw_type.startswith(THIN_PREFIX) or not is_followed(raw_type):
        return Ignored(event_id, raw_type, IgnoredReason.TYPE_NOT_FOLLOWED)
    hint = _hint_of_thin(raw, account) if is_thin else hint_of_event(raw, account)
    if hint is None:
        return None
    if hint.account != account:
        return Ignored(event_id, raw_type, IgnoredReason.OTHER_ACCOUNT)
    if hint.livemode != livemode:
        return Ignored(event_id, raw_type, IgnoredReason.OTHER_LIVEMODE)
    return Ignored(event_id, raw_type, IgnoredReason.NAMES_NOTHING) if not _subject(hint) else hint


def hint_of_event(raw: Mapping[str, Any], account: str) -> Hint | None:
    """The ids in an event; None where it has no time. `account` is ours, for events that name none,
    as all do that are not sent on behalf of a connected account."""
    created = created_at(raw)
    if created is None:
        return None
    content, request = _mapping(raw.get("data")), _mapping(raw.get("request"))
    named = raw.get("account")
    return Hint(
        event_id=raw["id"],
        type=raw["type"],
        created=created,
        account=account if named is None else str(named),
        livemode=raw.get("livemode") is True,
        request_key=_plain(_KEY, request.get("idempotency_key")),  # ours are; others' may not be
        **_ids(_mapping(content.get("object"))),
    )


def _hint_of_thin(raw: Mapping[str, Any], account: str) -> Hint | None:
    """The ids in a thin event; None where it has no time.

    The SDK's own reading of it leaves out `snapshot_event`, which is how two events are known to
    be one fact, and breaks on what is not as it should be. A `context` is a path whose end is the
    account; events of one's own account may have none.
    """
    created = created_at(raw)
    if created is None:
        return None
    context, request = raw.get("context"), _mapping(_mapping(raw.get("reason")).get("request"))
    ids = _related_ids(raw["type"], _mapping(raw.get("related_object")))
    return Hint(
        event_id=raw["id"],
        type=raw["type"],
        created=created,
        account=str(context).rpartition("/")[2] if context else account,
        livemode=raw.get("livemode") is True,
        request_key=_plain(_KEY, request.get("idempotency_key")),
        snapshot_event_id=_plain(_ID, raw.get("snapshot_event")),
        is_snapshot_unsaid=None if "snapshot_event" in raw else True,
        invoice_id=ids.get("invoice"),
        invoice_payment_id=ids.get("invoice_payment"),
        payment_intent_id=ids.get("payment_intent"),
        customer_id=ids.get("customer"),
        credit_note_id=ids.get("credit_note"),
    )


def created_at(raw: Mapping[str, Any]) -> int | None:
    """When it happened, in epoch seconds; None where that is no time. Of a thin event's the
    fraction is cut off, as a snapshot event's has none."""
    created, second = raw.get("created"), None
    if raw.get("object") != THIN_OBJECT:
        second = created if type(created) is int else None
    elif isinstance(created, str) and _INSTANT.fullmatch(created):
        try:
            second = timegm(datetime.fromisoformat(created).utctimetuple())
        except (ValueError, OverflowError):
            return None
    return second if second is not None and 0 <= second <= INSTANT_MAX else None


def _related_ids(raw_type: str, related: Mapping[str, Any]) -> dict[str, str | None]:
    """What a thin event is about, by its kind: nothing, unless it is an object of the kind that the
    type speaks of, as its id becomes part of a URL."""
    kind = snapshot_name(raw_type).partition(".")[0]
    return {kind: _plain(_ID, related.get("id"))} if related.get("type") == kind else {}


def _subject(hint: Hint) -> str | None:
    """The id without which an event of this type says nothing."""
    name = snapshot_name(hint.type)
    if name.startswith(INTENT_PREFIX):
        return hint.payment_intent_id
    if name in CUSTOMER_TYPES:
        return hint.customer_id
    if hint.is_thin and hint.related is not None:
        return hint.related.id
    return hint.invoice_id


def _ids(subject: Mapping[str, Any]) -> dict[str, Any]:
    """What an event's object names, as fields of the hint."""
    match subject.get("object"):
        case "invoice":
            customer = _reference(subject.get("customer"))
            return {"invoice_id": _reference(subject), "customer_id": customer}
        case "invoice_payment":
            payment = _mapping(subject.get("payment"))
            return {
                "invoice_id": _reference(subject.get("invoice")),
                "invoice_payment_id": _reference(subject),
                "payment_intent_id": _reference(payment.get("payment_intent")),
            }
        case "payment_intent":
            return {
                "payment_intent_id": _reference(subject),
                "customer_id": _reference(subject.get("customer")),
            }
        case "customer":
            return {"customer_id": _reference(subject)}
        case "credit_note":
            customer = _reference(subject.get("customer"))
            return {"invoice_id": _reference(subject.get("invoice")), "customer_id": customer}
        case _:
            return {}


def _reference(value: object) -> str | None:
    """An id, or the id of the object that stands in its place."""
    return _plain(_ID, value.get("id") if isinstance(value, Mapping) else value)


def _plain(form: re.Pattern[str], value: object) -> str | None:
    """The value, where it is a text of this form."""
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
