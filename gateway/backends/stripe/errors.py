"""Stripe's errors and the network's, translated once: for reads a `Failed`, for writes an `Ending`.

`trouble_of` reads whatever one attempt raised into plain facts, and everything else looks at those
alone. Stripe's own words are passed on only without anything that looks like a key or a secret.
The SDK and aiohttp are imported by whoever has met an error of theirs.
Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-low-level, read for
2026-10-28.endive; the SDK's behaviour was measured with stripe-python 16.1.0.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schema.ports import ErrorCode, Failed

RETRY_AFTER_SECONDS_DEFAULT = 1
"""What is said where Stripe says nothing: its limits are per second."""
RETRY_AFTER_SECONDS_MAX = 3600
"""A longer wait than this is no advice, but a mistake on the way."""
MESSAGE_LENGTH_MAX = 300

IDEMPOTENCY_ERROR = "idempotency_error"
"""The key was used before with other parameters, as by another release of this gateway: then it is
that call which may have been done, and this answer says nothing about it."""

_SECRET = re.compile(r"\b(?:sk|rk|pk|ek|whsec)_[\w*.…-]*[\w*]|\b\w+_secret_\w+")
_SHOULD_RETRY: Mapping[object, bool] = {"true": True, "false": False}
_UNRECOGNIZED = ("Unrecognized request URL", "Invalid Stripe API version")
_PREVIEW_PARAMETERS = frozenset({"amount_requested", "payment_record_data"})


class Reach(enum.Enum):
    """How far an attempt got."""

    NOT_SENT = "not_sent"
    LOST = "lost"
    UNREADABLE = "unreadable"
    ANSWERED = "answered"


class Ending(enum.Enum):
    """What one attempt of a write has certainly done."""

    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    RATE_LIMITED = "rate_limited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why one attempt did not succeed.

    `stored` says that Stripe replayed an earlier answer, which it will give to every repeat.
    """

    reach: Reach
    timed_out: bool = False
    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    message: str | None = None
    doc_url: str | None = None
    request_id: str | None = None
    should_retry: bool | None = None
    retry_after_seconds: int | None = None
    stored: bool = False

    @property
    def rate_limited(self) -> bool:
        """429 precedes Stripe's idempotency layer, and a lock that was not had changed nothing."""
        return self.status == 429 or self.code in ("lock_timeout", "rate_limit")

    @property
    def word(self) -> str:
        """What it was, in one word of a short list, for counting."""
        if self.rate_limited:
            return "rate_limited"
        if self.timed_out:
            return "timeout"
        if self.reach is not Reach.ANSWERED:
            return str(self.reach.value)
        return "error" if self.is_broken else "rejected"

    @property
    def is_broken(self) -> bool:
        """Stripe failed, or is at work under the same key: nothing can be said about the outcome.

        Source: https://docs.stripe.com/api/idempotent_requests, 2026-10-28.endive.
        """
        return self.status is not None and (self.status >= 500 or self.status in (409, 424))


class WriteUnknown(Exception):
    """Sent, and perhaps done. `stored` as in `Trouble`: repeating the key cannot help.
    `key_reused`: Stripe knows the key from a call with other parameters."""

    def __init__(
        self, request_id: str | None = None, *, stored: bool = False, key_reused: bool = False
    ) -> None:
        super().__init__("the outcome of the write is unknown")
        self.request_id = request_id
        self.stored = stored
        self.key_reused = key_reused


class WriteRejected(Exception):
    """Refused by Stripe for good. `in_doubt` where an earlier attempt may have been done.

    `settles`: it was refused behind the idempotency layer, so that none with its key was done.
    """

    def __init__(self, trouble: Trouble, *, in_doubt: bool = False) -> None:
        super().__init__(f"Stripe answered {trouble.status}")
        self.status = trouble.status or 0
        self.stripe_code = trouble.code
        self.message = trouble.message
        self.param = trouble.param
        self.request_id = trouble.request_id
        self.doc_url = trouble.doc_url
        self.in_doubt = in_doubt
        self.unsupported = ending_of(trouble) is Ending.UNSUPPORTED
        self.settles = settles_doubt(trouble)


def upstream_errors() -> tuple[type[Exception], ...]:
    """Everything one attempt may raise that is Stripe's or the network's fault.

    The SDK lets aiohttp's own errors through while it reads a body, and trips over error bodies
    of an unexpected shape with the last three.
    """
    from aiohttp import ClientError
    from stripe import StripeError

    return (StripeError, ClientError, OSError, ValueError, TypeError, AttributeError)


def trouble_of(error: Exception) -> Trouble:
    """The facts about an attempt that raised one of `upstream_errors`."""
    from aiohttp import ClientError
    from stripe import APIConnectionError, StripeError

    if isinstance(error, APIConnectionError):
        return _network(error.__cause__ or error)
    if isinstance(error, StripeError):
        return _answered(error)
    if isinstance(error, ClientError | OSError):
        return _network(error)
    return Trouble(Reach.UNREADABLE)


def _network(error: BaseException) -> Trouble:
    """A connection that was never made carried nothing; on any other the request may have gone."""
    from aiohttp import ClientConnectorError, ConnectionTimeoutError, InvalidURL

    never_made = isinstance(error, ClientConnectorError | ConnectionTimeoutError | InvalidURL)
    reach = Reach.NOT_SENT if never_made else Reach.LOST
    return Trouble(reach, timed_out=isinstance(error, TimeoutError))


def _answered(error: Any) -> Trouble:
    """A status with Stripe's envelope, or without one: then the body could not be read.

    The code is taken from the body, as the SDK leaves `error.code` empty on 409, 429 and 5xx.
    """
    headers = _headers(error)
    body = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    status = error.http_status if type(error.http_status) is int else None
    answered = status is not None and (said is body or status >= 400)
    return Trouble(
        Reach.ANSWERED if answered else Reach.UNREADABLE,
        status=status,
        code=_text(said, "code"),
        type=_text(said, "type"),
        param=_text(said, "param"),
        message=_without_secrets(_text(said, "message")),
        doc_url=_text(said, "doc_url"),
        request_id=_text(headers, "Request-Id"),
        should_retry=_SHOULD_RETRY.get(headers.get("Stripe-Should-Retry")),
        retry_after_seconds=_retry_after(_text(headers, "Retry-After")),
        stored=is_stored(headers),
    )


def _headers(error: Any) -> Mapping[str, Any]:
    """Headers of the answer. For an unreadable body the SDK puts them in place of the JSON."""
    if error.headers:
        return error.headers  # type: ignore[no-any-return]
    misplaced = error.json_body
    return misplaced if isinstance(misplaced, Mapping) and not isinstance(misplaced, dict) else {}


def is_stored(headers: Mapping[str, str]) -> bool:
    """Whether Stripe replayed an answer that it had stored under the key.

    Neither header is in Stripe's reference (open fact): without them a replay is merely taken
    for a fresh answer, which is safe, as both are met by reading back.
    """
    original = headers.get("Original-Request")
    replayed = str(headers.get("Idempotent-Replayed", "")).lower() == "true"
    return replayed or (original is not None and original != headers.get("Request-Id"))


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _without_secrets(message: str | None) -> str | None:
    return None if message is None else _SECRET.sub("[secret]", message)[:MESSAGE_LENGTH_MAX]


def _retry_after(value: str | None) -> int | None:
    """Whole seconds, rounded up; the form with a date is not used by Stripe."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return math.ceil(seconds) if 0 <= seconds <= RETRY_AFTER_SECONDS_MAX else None


def ending_of(trouble: Trouble) -> Ending:
    """What an attempt of a write that met this trouble has certainly done."""
    if trouble.reach is Reach.NOT_SENT:
        return Ending.NOT_SENT
    if trouble.reach is not Reach.ANSWERED or trouble.status is None or trouble.status < 400:
        return Ending.UNKNOWN
    if trouble.rate_limited:
        return Ending.RATE_LIMITED
    if trouble.is_broken or trouble.type == IDEMPOTENCY_ERROR:
        return Ending.UNKNOWN
    return Ending.UNSUPPORTED if _is_unsupported(trouble) else Ending.REJECTED


def settles_doubt(trouble: Trouble) -> bool:
    """Whether this answer tells that nothing with its key was done, in earlier attempts either.

    A URL that is unknown, or a key without rights, is refused before the idempotency key is looked
    at. Source: https://docs.stripe.com/api/idempotent_requests, 2026-10-28.endive.
    """
    return ending_of(trouble) is Ending.REJECTED and trouble.status not in (401, 403)


def _is_unsupported(trouble: Trouble) -> bool:
    """Whether this account or version has no such operation or parameter.

    Stripe gives an unknown URL or version no code and no parameter; a missing object has both.
    This is the one place where its words are looked at, and only where there is nothing else.
    Source: seen in answers of 2013 to 2025; the reference is silent.
    """
    if trouble.code == "parameter_unknown":
        return trouble.param in _PREVIEW_PARAMETERS
    if trouble.code or trouble.param or trouble.type != "invalid_request_error":
        return False
    return trouble.status in (400, 404) and (trouble.message or "").startswith(_UNRECOGNIZED)


class KeyRefused(Failed):
    """Stripe does not let this key read what was asked for, or what was to be expanded."""


class KeyUnknown(KeyRefused):
    """401: Stripe knows no such key, which says nothing of what the right one may read.

    Source: https://docs.stripe.com/api/errors, 2026-10-28.endive.
    """


def failed(trouble: Trouble) -> Failed:
    """What a read answers: one of the closed list of codes, with Stripe's code and request id."""
    details = {"stripeCode": trouble.code, "requestId": trouble.request_id}
    known = {name: value for name, value in details.items() if value is not None}
    if trouble.status == 404 or trouble.code == "resource_missing":
        return Failed(ErrorCode.NOT_FOUND, trouble.message or "Stripe has no such object", **known)
    if trouble.rate_limited:
        seconds = trouble.retry_after_seconds or RETRY_AFTER_SECONDS_DEFAULT
        return Failed(
            ErrorCode.UPSTREAM_RATE_LIMITED,
            f"Stripe is limiting requests: repeat in {seconds} s",
            retryAfterSeconds=seconds,
            **known,
        )
    if trouble.timed_out:
        return Failed(ErrorCode.UPSTREAM_TIMEOUT, "Stripe did not answer in time", **known)
    kind = {401: KeyUnknown, 403: KeyRefused}.get(trouble.status or 0, Failed)
    return kind(ErrorCode.UPSTREAM_ERROR, _what_happened(trouble), **known)


def _what_happened(trouble: Trouble) -> str:
    """In our words where Stripe's would say something about the key."""
    if trouble.reach is Reach.NOT_SENT:
        return "Stripe cannot be reached"
    if trouble.reach is Reach.LOST:
        return "the connection to Stripe was lost before it answered"
    if trouble.reach is Reach.UNREADABLE:
        return "Stripe's answer cannot be read"
    if trouble.status in (401, 403):
        return "Stripe does not accept the gateway's key for this: see invoice-gateway doctor"
    return f"Stripe answered {trouble.status}: {trouble.message or 'without a message'}"
