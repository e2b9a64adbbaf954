"""What the attempts of one call add up to: whether to try again, and how a write has ended.

Pure: it looks at troubles and neither sends nor waits.
Source: https://docs.stripe.com/api/idempotent_requests and
https://docs.stripe.com/error-low-level, 2026-10-28.endive.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.backends.stripe.errors import (
    IDEMPOTENCY_ERROR,
    RETRY_AFTER_SECONDS_DEFAULT,
    Ending,
    Reach,
    Trouble,
    WriteRejected,
    WriteUnknown,
    ending_of,
    settles_doubt,
)
from schema.ports import Failed, RefusalCode, Refused


@dataclass(slots=True)
class Tries:
    """What the attempts of one call came to so far."""

    deadline: float
    count: int = 0
    in_doubt: bool = False
    last: Trouble = Trouble(Reach.NOT_SENT, timed_out=True)

    def add(self, trouble: Trouble) -> None:
        self.last = trouble
        self.in_doubt = self.in_doubt or ending_of(trouble) is Ending.UNKNOWN


def worth_another(method: str, trouble: Trouble) -> bool:
    """Whether another attempt may end better. Stripe's own advice comes first.

    An answer that cannot be read is asked for again only where it matters: the same key shows
    what a write has done.
    """
    if trouble.stored:
        return False
    if trouble.should_retry is not None:
        return trouble.should_retry
    if trouble.reach is Reach.UNREADABLE:
        return method == "post"
    return trouble.reach is not Reach.ANSWERED or trouble.rate_limited or trouble.is_broken


def ended(tries: Tries, limited: Failed | None) -> Exception:
    """How a write that got no answer of success has ended.

    Once one attempt is in doubt, only an answer that Stripe gave behind its idempotency layer
    can settle the matter: not a connection that failed, a limit, or a key that lost its rights.
    """
    last = tries.last
    ending = Ending.RATE_LIMITED if limited is not None else ending_of(last)
    settles = limited is None and settles_doubt(last)
    if ending is Ending.UNKNOWN or (tries.in_doubt and not settles):
        key_reused = last.type == IDEMPOTENCY_ERROR
        return WriteUnknown(last.request_id, stored=last.stored, key_reused=key_reused)
    if ending is Ending.NOT_SENT:
        return Refused(
            RefusalCode.UPSTREAM_UNAVAILABLE,
            "upstream_unavailable",
            "Stripe cannot be reached, so nothing was sent: repeat it with the same key",
            retryable=True,
            retry_after_seconds=RETRY_AFTER_SECONDS_DEFAULT,
        )
    if ending is Ending.RATE_LIMITED:
        return _rate_limited(last, limited)
    return WriteRejected(last, in_doubt=tries.in_doubt, unsupported=ending is Ending.UNSUPPORTED)


def _rate_limited(last: Trouble, limited: Failed | None) -> Refused:
    seconds = last.retry_after_seconds or RETRY_AFTER_SECONDS_DEFAULT
    if limited is not None:
        seconds = int(limited.extensions.get("retryAfterSeconds", seconds))
    return Refused(
        RefusalCode.UPSTREAM_RATE_LIMITED,
        "upstream_rate_limited",
        f"Stripe is limiting requests, so nothing was done: repeat it in {seconds} s with the "
        "same key",
        stripe_code=last.code,
        stripe_request_id=last.request_id,
        retryable=True,
        retry_after_seconds=seconds,
    )
