"""Stops calling Stripe while it does not answer, so that callers are told at once and not after
ten seconds each.

A few attempts in a row without an answer open it; then one attempt at a time finds out whether
Stripe is back. Any answer closes it, an error too: whoever says no is there. It counts attempts
and knows neither calls nor retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.backends.stripe.errors import Reach, Trouble

FAILURES_MAX = 10
"""In a row; one write with its retries and looks may go without several answers by itself."""
OPEN_SECONDS = 1.0
"""Between two attempts to find out; callers are told to come again after about as long."""

UNANSWERED = frozenset({Reach.NOT_SENT, Reach.LOST})


class BreakerOpen(Exception):
    """Nothing was sent, because nothing was answered lately; `trouble` is what callers are told."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble


class Passage:
    """One attempt. It ends with its answer, or with its trouble, or tells nothing."""

    def __init__(self) -> None:
        self.was_answered: bool | None = None
        self.timed_out = False

    def answered(self) -> None:
        self.was_answered = True

    def failed(self, trouble: Trouble) -> None:
        self.was_answered = trouble.reach not in UNANSWERED
        self.timed_out = trouble.timed_out


class Breaker:
    """One per account. `monotonic` counts seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._open_until = 0.0
        self._is_finding_out = False
        self._timed_out = False

    @contextmanager
    def passage(self) -> Iterator[Passage]:
        """For one attempt. Raises `BreakerOpen`."""
        is_closed = self._failures < FAILURES_MAX
        if not is_closed and (self._is_finding_out or self._monotonic() < self._open_until):
            raise BreakerOpen(Trouble(Reach.NOT_SENT, timed_out=self._timed_out))
        self._is_finding_out = not is_closed
        passage = Passage()
        try:
            yield passage
        finally:
            if not is_closed:
                self._is_finding_out = False
            self._end(passage)

    def _end(self, passage: Passage) -> None:
        """What was cancelled, or refused by our own budget, says nothing about Stripe."""
        if passage.was_answered:
            self._failures = 0
        elif passage.was_answered is False:
            self._failures += 1
            self._timed_out = passage.timed_out
            self._open_until = self._monotonic() + OPEN_SECONDS
