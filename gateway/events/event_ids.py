"""From the JSON of one of Stripe's events to a `Hint`, be it a snapshot event or a thin one.

Nothing but ids is read, so any API version will do; types are plain strings. What is no id becomes
no part of a hint, as hints become parts of URLs. It judges no sender.
Source: https://docs.stripe.com/api/events/object and, of thin events,
https://docs.stripe.com/api/v2/core/events/object and the SDK's `stripe.v2.core.EventNotification`
(16.1.0), 2026-10-28.endive.
"""

from __future__ import annotations

import enum
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
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

THIN_OBJECT = "v2.core.event"
"""A thin event: the id of what has changed, without what was; its time is in another form.

Source: https://docs.stripe.com/event-destinations#thin-events (read November 2026).
"""

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_TYPE = re.compile(r"[!-~]{1,200}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class IgnoredReason(enum.StrEnum):
    """Why a true event is not taken in."""

    TYPE_NOT_FOLLOWED = "type_not_followed"
    OTHER_ACCOUNT = "other_account"
    OTHER_LIVEMODE = "other_livemode"
    NAMES_NOTHING = "names_nothing"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A true event that is none of ours: acknowledged, so that Stripe does not send it again."""

    event_id: str
    type: str
    reason: IgnoredReason


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
