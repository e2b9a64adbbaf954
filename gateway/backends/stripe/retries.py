"""When to try again, and when not to try at all; it neither sends nor waits.

What the attempts of one call add up to says whether another is worth it, and how a write has ended.
A breaker stops all calls while Stripe does not answer, so that callers are told at once and not
after ten seconds each: a few attempts in a row without an answer open it, then one at a time finds
out whether Stripe is back. Any answer closes it, an error too: whoever says no is there.
Source: https://docs.stripe.com/api/idempotent_requests and
https://docs.stripe.com/error-low-level, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

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

FAILURES_MAX = 10
"""In a row; one write with its retries and looks may go without several answers by itself."""
OPEN_SECONDS = 1.0
"""Between two attempts to find out; callers are told to come again after about as long."""
UNANSWERED = frozenset({Reach.NOT_SENT, Reach.LOST})

Outcome = TypeVar("Outcome")


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
    if ending is not Ending.RATE_LIMITED:
        return WriteRejected(last, in_doubt=tries.in_doubt)
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


class BreakerOpen(Exception):
    """Nothing was sent, because nothing was answered lately; `trouble` is what callers are told."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble


class Breaker:
    """One per account. `monotonic` counts seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._open_until = 0.0
        self._is_finding_out = False
        self._timed_out = False

    async def run(self, attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """One attempt, which ends with its trouble, an answer, or None.

        None, as an attempt that was cancelled or refused by our own budget, says nothing about
        Stripe. Raises `BreakerOpen`.
        """
        is_closed = self._failures < FAILURES_MAX
        if not is_closed and (self._is_finding_out or self._monotonic() < self._open_until):
            raise BreakerOpen(Trouble(Reach.NOT_SENT, timed_out=self._timed_out))
        self._is_finding_out = not is_closed
        try:
            outcome = await attempt()
        finally:
            if not is_closed:
                self._is_finding_out = False
        if isinstance(outcome, Trouble) and outcome.reach in UNANSWERED:
            self._failures += 1
            self._timed_out = outcome.timed_out
            self._open_until = self._monotonic() + OPEN_SECONDS
        elif outcome is not None:
            self._failures = 0
        return outcome
