"""How a write that Stripe did not do is told to the caller: `Refused`, with Stripe's own details.

Only words and codes; whether something was done is known by whoever asks for one of these.
"""

from __future__ import annotations

from gateway.backends.stripe.errors import WriteRejected, WriteUnknown
from schema.ports import ErrorCode, Failed, RefusalCode, Refused

STORED_FAILURE = "upstream_failed"
"""The rule of a failure that Stripe has stored under the key."""


def not_sent(failed: Failed) -> Refused:
    """A write that was not sent, because what must be known before it could not be read."""
    if failed.code is ErrorCode.UPSTREAM_RATE_LIMITED:
        code, rule = RefusalCode.UPSTREAM_RATE_LIMITED, "upstream_rate_limited"
    else:
        code, rule = RefusalCode.UPSTREAM_UNAVAILABLE, "upstream_unavailable"
    return Refused(
        code,
        rule,
        f"nothing was sent, because a look at the invoice failed ({failed.message}): repeat it "
        "with the same key",
        stripe_code=failed.extensions.get("stripeCode"),
        stripe_request_id=failed.extensions.get("requestId"),
        retryable=True,
        retry_after_seconds=failed.extensions.get("retryAfterSeconds", 1),
    )


def unsupported(what: str, rejected: WriteRejected) -> Refused:
    return explained_by(
        Refused(
            RefusalCode.UNSUPPORTED_BY_BACKEND,
            "unsupported_by_stripe_account",
            f"this Stripe account cannot {what}: see gateway.capabilities",
        ),
        rejected,
    )


def upstream_rejected(rejected: WriteRejected, invoice_id: str) -> Refused:
    """A refusal of Stripe's for which no rule of the ledger stands."""
    if rejected.status in (401, 403):
        words = "the gateway's key has no right to do this: see invoice-gateway doctor"
    else:
        words = rejected.message or f"status {rejected.status}, without a message"
    refused = Refused(
        RefusalCode.UPSTREAM_REJECTED,
        rejected.stripe_code or "upstream_rejected",
        f"Stripe refused this: {words}",
        invoice_id=invoice_id,
    )
    return explained_by(refused, rejected)


def explained_by(refused: Refused, rejected: WriteRejected) -> Refused:
    """The refusal with Stripe's own code, request id and page beside our rule."""
    refused.stripe_code = rejected.stripe_code
    refused.stripe_request_id = rejected.request_id
    refused.doc_url = rejected.doc_url
    refused.settles = rejected.settles
    return refused


def outcome_unknown(unknown: WriteUnknown, invoice_id: str, *, seen: str = "") -> Refused:
    """Perhaps done; `seen` says what a look showed, if there was one. The key decides on a
    repeat."""
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        "upstream_outcome_unknown",
        f"Stripe's answer was lost{seen}: repeat it with the same idempotencyKey, which cannot "
        "do it twice",
        invoice_id=invoice_id,
        stripe_request_id=unknown.request_id,
        retryable=True,
        retry_after_seconds=1,
        looked=bool(seen),
    )


def never_known(unknown: WriteUnknown, invoice_id: str) -> Refused:
    """Perhaps done and undone since: the key holds a failure, and what is there proves nothing."""
    refused = outcome_unknown(unknown, invoice_id, seen=", and what is there proves nothing")
    refused.retryable, refused.retry_after_seconds = False, None
    return refused


def not_done(unknown: WriteUnknown, invoice_id: str) -> Refused:
    """A failure that Stripe has stored under the key, and that changed nothing.

    It is a definite end, unlike a fresh failure, so the journal's next attempt gets a new key.
    """
    return Refused(
        RefusalCode.UPSTREAM_UNAVAILABLE,
        STORED_FAILURE,
        "Stripe failed and did nothing, as a look at the invoice showed: repeat it",
        invoice_id=invoice_id,
        stripe_request_id=unknown.request_id,
        retryable=True,
        retry_after_seconds=1,
        settles=True,
    )


def half_done(refused: Refused, payment_record_id: str) -> Refused:
    """An attach that did not go out after its payment was reported: only the same key resumes it,
    while a definite refusal would let the journal report the payment a second time."""
    return Refused(
        RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
        "upstream_half_done",
        f"the payment was reported as {payment_record_id} and is not attached yet "
        f"({refused.message})",
        stripe_code=refused.stripe_code,
        stripe_request_id=refused.stripe_request_id,
        retryable=True,
        retry_after_seconds=refused.retry_after_seconds,
        looked=refused.looked,
    )
