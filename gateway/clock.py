"""Time and fresh ids: the only module that may look at the clock or draw random numbers.

Everything else is handed `Clock` and `Ids`, so that tests own both.
"""

from __future__ import annotations

import random
import secrets
import string
import time
from typing import Protocol

ID_LENGTH = 24
"""Random characters behind a prefix: 142 bits, as many as Stripe's own ids have."""

_ALPHABET = string.ascii_letters + string.digits


class Clock(Protocol):
    """Epoch seconds, for what is recorded, and a steady count of seconds, for what is waited."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...


class SystemClock:
    def now(self) -> int:
        return int(time.time())

    def monotonic(self) -> float:
        return time.monotonic()


class Ids(Protocol):
    """Fresh ids with Stripe's prefixes."""

    def new(self, prefix: str) -> str: ...


class RandomIds:
    def new(self, prefix: str) -> str:
        return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def chance() -> float:
    """From 0 up to 1, for jitter only."""
    return random.random()


def request_id() -> str:
    """An id for one request, for the answer and the log."""
    return f"req_{secrets.token_hex(12)}"
