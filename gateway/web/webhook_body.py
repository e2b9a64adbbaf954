"""How long a webhook may be: longer than anything that Stripe's own limits allow.

A refused webhook is an event that only catch-up brings, minutes later, so the bound must never be
met by a true one. It keeps hostile bodies from filling memory, together with `LARGE_BODIES_MAX`.

An event holds its object and, where it tells of a change, the previous values of what changed, at
most as long again. The longest object is an invoice with the first ten lines: metadata of its own
and of its subscription, and for each line of itself, and in older API versions of its price and
plan. 50 entries with keys of 40 and values of 500 characters are 27,000 characters each. In JSON
one character takes at most twelve bytes, a pair of escaped surrogates:

    2 x ((2 + 10 x 3) x 27,000 + 200,000 of texts and ids) x 12 bytes = 25.5 MB

Source: https://docs.stripe.com/api/metadata (50 keys, 40 and 500 characters),
https://docs.stripe.com/api/invoices/object (lines, parent.subscription_details.metadata),
https://docs.stripe.com/api/events/object (previous_attributes), 2026-10-28.endive.
"""

from __future__ import annotations

from gateway.web.http_errors import HttpRefusal
from schema.ports import ErrorCode

METADATA_CHARACTERS_MAX = 50 * (40 + 500)
METADATA_MAX = 2 + 10 * 3
TEXT_CHARACTERS_MAX = 200_000
CHARACTER_BYTES_MAX = 12
EVENT_BYTES_MAX = (
    2 * (METADATA_MAX * METADATA_CHARACTERS_MAX + TEXT_CHARACTERS_MAX) * CHARACTER_BYTES_MAX
)

LARGE_BYTES = 256_000
"""Nearly all webhooks are far shorter; beyond it a body needs one of a few places."""
LARGE_BODIES_MAX = 4
"""Bodies beyond `LARGE_BYTES` in memory at once, as anybody can send some: 128 MB by default."""


class LargeBodies:
    """Gives out the places for large bodies of one process."""

    def __init__(self) -> None:
        self._taken = 0

    def place(self) -> LargeBodyPlace:
        return LargeBodyPlace(self)

    def take(self) -> None:
        """Raises `HttpRefusal` 503 where none is left: Stripe sends the webhook again."""
        if self._taken >= LARGE_BODIES_MAX:
            headers = {"Retry-After": "10", "Connection": "close"}
            message = "Not taken in: send it again."
            raise HttpRefusal(503, ErrorCode.INTERNAL_SERVER_ERROR, message, headers)
        self._taken += 1

    def give_back(self) -> None:
        self._taken -= 1


class LargeBodyPlace:
    """The place of one body, taken once the body has grown large; a context manager."""

    def __init__(self, bodies: LargeBodies) -> None:
        self._bodies = bodies
        self._is_taken = False

    def __enter__(self) -> LargeBodyPlace:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_taken:
            self._bodies.give_back()

    def grown(self, length: int) -> None:
        """The body has this many bytes now. Raises `HttpRefusal` 503."""
        if length > LARGE_BYTES and not self._is_taken:
            self._bodies.take()
            self._is_taken = True
