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

_ALPHABET = (string.ascii_letters + string.digits).encode()
_UNEVEN = bytes(range(256 // len(_ALPHABET) * len(_ALPHABET), 256))
"""Random bytes that would favour the first characters, and are left out."""
_CHARACTERS = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))


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
    """Reads random bytes once for an id, as the operating system is asked for them each time."""

    def new(self, prefix: str) -> str:
        characters = b""
        while len(characters) < ID_LENGTH:
            characters += drawn(secrets.token_bytes(2 * ID_LENGTH))
        return f"{prefix}_{characters[:ID_LENGTH].decode()}"


def drawn(random_bytes: bytes) -> bytes:
    """The letters and digits that these bytes draw, each as likely as another; a few draw none."""
    return random_bytes.translate(_CHARACTERS, _UNEVEN)


def chance() -> float:
    """From 0 up to 1, for jitter only."""
    return random.random()


def request_id() -> str:
    """An id for one request, for the answer and the log."""
    return f"req_{secrets.token_hex(12)}"
