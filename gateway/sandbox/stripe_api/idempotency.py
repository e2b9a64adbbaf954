"""Idempotency keys: the first answer under a key is the answer to every repeat.

Answers of calls that began are kept for a day, errors too; what was stopped before it began is
not. In v2 those that succeeded are kept, for a month: what failed is tried again.
Source: https://docs.stripe.com/api/idempotent_requests and
https://docs.stripe.com/error-low-level, 2026-10-28.endive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from gateway.sandbox.stripe_api.api_errors import IDEMPOTENCY_ERROR, StripeError, invalid, stated

KEY_LENGTH_MAX = 255
KEY_SECONDS = 24 * 3600
"""Stripe may forget a key a day after it came; here it always does, the answer with it."""
KEY_SECONDS_IN_V2 = 30 * KEY_SECONDS
"""Source: https://docs.stripe.com/api-v2-overview (idempotency)."""
KEYS_KEPT_MAX = 10_000
"""A bound for one day's keys, oldest first out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer, before it is put on the wire."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Entry:
    """What was asked first under a key: method and path, and parameters; and the answer."""

    place: str
    params: Any
    request_id: str
    since: int
    answer: Answer | None = None


class IdempotencyKeys:
    """The keys of one account, each kept for `seconds`. `now` gives epoch seconds."""

    def __init__(self, now: Callable[[], int], seconds: int = KEY_SECONDS) -> None:
        self._now = now
        self._seconds = seconds
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def begin(self, key: str, place: str, params: Any, request_id: str) -> Answer | None:
        """The answer to repeat, or None where this call is the first under its key.

        Raises `StripeError`: 400 where the key was used for something else, 409 where the first
        call is still under way.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise invalid(f"Idempotency keys have at most {KEY_LENGTH_MAX} characters.", None)
        self._forget_old()
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(place, params, request_id, self._now())
            if len(self._entries) > KEYS_KEPT_MAX:
                del self._entries[next(self._answered())]
            return None
        _check_same(entry, key, place, params)
        if entry.answer is None:
            raise stated("key_in_use", key=key)
        repeated = (("Idempotent-Replayed", "true"), ("Original-Request", entry.request_id))
        return Answer(entry.answer.status, entry.answer.body, (*entry.answer.headers, *repeated))

    def finish(self, key: str | None, answer: Answer) -> None:
        """The call under this key has its answer, for good."""
        if key is not None and key in self._entries:
            self._entries[key].answer = answer

    def give_up(self, key: str | None) -> None:
        """The call under this key never began; the key is free again."""
        if key is not None and key in self._entries and self._entries[key].answer is None:
            del self._entries[key]

    def clear(self) -> None:
        """Every key is free again, save those of calls that are under way."""
        for key in list(self._answered()):
            del self._entries[key]

    def _forget_old(self) -> None:
        """What is old enough is free again, save what is under way. The oldest stand first."""
        horizon = self._now() - self._seconds
        old = takewhile(lambda key: self._entries[key].since <= horizon, self._entries)
        for key in list(old):
            if self._entries[key].answer is not None:
                del self._entries[key]

    def _answered(self) -> Iterator[str]:
        return (key for key, entry in self._entries.items() if entry.answer is not None)


def _check_same(entry: _Entry, key: str, place: str, params: Any) -> None:
    if entry.place != place:
        reason = f"for the same endpoint they were first used for ('{entry.place}' not '{place}')"
    elif entry.params != params:
        reason = "with the same parameters they were first used with"
    else:
        return
    raise StripeError(
        f"Keys for idempotent requests can only be used {reason}. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
        kind=IDEMPOTENCY_ERROR,
    )
