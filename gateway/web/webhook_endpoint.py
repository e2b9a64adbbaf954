"""`POST /webhooks/stripe`: a webhook is acknowledged once it is durably in the log, not before.

Who is not Stripe learns nothing but 400. What cannot be taken in now is answered 503, so that
Stripe sends it again. No body is ever logged.

A refused webhook is an event that only catch-up brings, minutes later, so the bound on its length
must never be met by a true one. It keeps hostile bodies from filling memory, together with
`LARGE_BODIES_MAX`. An event holds its object and, where it tells of a change, the previous values
of what changed, at most as long again. The longest object is an invoice with the first ten lines:
metadata of its own and of its subscription, and for each line of itself, and in older API versions
of its price and plan. 50 entries with keys of 40 and values of 500 characters are 27,000 characters
each. In JSON one character takes at most twelve bytes, a pair of escaped surrogates:

    2 x ((2 + 10 x 3) x 27,000 + 200,000 of texts and ids) x 12 bytes = 25.5 MB

Source: https://docs.stripe.com/webhooks (retries, what counts as taken),
https://docs.stripe.com/api/metadata (50 keys, 40 and 500 characters),
https://docs.stripe.com/api/invoices/object (lines, parent.subscription_details.metadata),
https://docs.stripe.com/api/events/object (previous_attributes), 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field

from aiohttp import web

from gateway.events.event_ids import Ignored
from gateway.events.hints import Hint
from gateway.events.webhook import RefusedReason, WebhookReader, WebhookRefused
from gateway.web.connections import ConcurrencyLimit
from gateway.web.http_errors import CLOSE, HttpRefusal, json_response
from gateway.web.request_body import read_body
from schema.ports import ErrorCode, EventOrigin, Failed

METADATA_CHARACTERS_MAX = 50 * (40 + 500)
METADATA_MAX = 2 + 10 * 3
TEXT_CHARACTERS_MAX = 200_000
CHARACTER_BYTES_MAX = 12
EVENT_BYTES_MAX = (
    2 * (METADATA_MAX * METADATA_CHARACTERS_MAX + TEXT_CHARACTERS_MAX) * CHARACTER_BYTES_MAX
)

LARGE_BYTES = 256_000
"""Nearly all webhooks are far shorter; beyond it a body needs one of a few slots."""
LARGE_BODIES_MAX = 4
"""Bodies beyond `LARGE_BYTES` in memory at once, as anybody can send some: 128 MB."""
BODY_BYTES_MAX = 32_000_000
"""Beyond `EVENT_BYTES_MAX`, which no event of Stripe's can reach."""
READ_TIMEOUT_SECONDS = 10.0
RECEIVE_TIMEOUT_SECONDS = 20.0
"""Stripe states no time-out of its own; others saw 10 to 30 seconds. What is not in by then is
better sent again, and what comes in later is recognised."""
UNDER_WAY_MAX = 2_000
"""True webhooks that wait for the log or for Stripe at once; each holds no more than its ids."""
RETRY_AFTER_SECONDS = 10

_COME_AGAIN = "Not taken in: send it again."

Receive = Callable[[Hint, EventOrigin], Awaitable[int]]
"""`Intake.receive`."""

ADVICE: dict[str, str] = {
    RefusedReason.BODY_TOO_LARGE: (
        "longer than %d bytes, which is beyond Stripe's own limits, so it was refused unread: if "
        "it was Stripe's all the same, only catch-up brings its event"
    ),
    RefusedReason.BODY_INCOMPLETE: (
        "its body did not arrive whole within %g seconds: if it was Stripe's, look at the proxy "
        "before the gateway"
    ),
}
"""What is wrong with the set-up and not with one webhook: told once, and counted each time."""

_log = logging.getLogger("gateway.web.webhooks")


@dataclass(slots=True)
class WebhookEndpoint:
    """Answers the webhooks' path, whatever the method."""

    reader: WebhookReader
    receive: Receive
    _: KW_ONLY
    body_bytes_max: int = BODY_BYTES_MAX
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS
    receive_timeout_seconds: float = RECEIVE_TIMEOUT_SECONDS
    under_way_max: int = UNDER_WAY_MAX
    _under_way: int = field(default=0, init=False)
    _told: set[str] = field(default_factory=set, init=False)
    _large_bodies: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(LARGE_BODIES_MAX, _COME_AGAIN, status=503),
        init=False,
    )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            raise HttpRefusal(405, "Use POST.", {"Allow": "POST"})
        read = await self._read(request)
        if isinstance(read, Ignored):
            _log.info("webhook %s %s: ignored, %s", read.event_id, read.type, read.reason.value)
        else:
            await self._take(read)
        return json_response({"received": True}, 200)

    async def _read(self, request: web.Request) -> Hint | Ignored:
        """What the webhook says; its body is held no longer than for that."""
        signatures = request.headers.getall("Stripe-Signature", [])
        # Of several nobody could say which one counts.
        signature = signatures[0] if len(signatures) == 1 else None
        with ExitStack() as held:
            body = await self._body(request, self._watch(held))
            try:
                return self.reader.hint_from(body, signature)
            except WebhookRefused as refused:
                _log.warning("webhook refused: %s", refused.reason.value)
                raise HttpRefusal(400, "Bad request.") from None

    def _watch(self, held: ExitStack) -> Callable[[int], None]:
        """Told how long a body is so far, it takes a slot once that is long. Raises 503."""
        is_large = False

        def grown(length: int) -> None:
            nonlocal is_large
            if length > LARGE_BYTES and not is_large:
                held.enter_context(self._large_bodies.slot())
                is_large = True

        return grown

    async def _body(self, request: web.Request, grown: Callable[[int], None]) -> bytes:
        """The body. Raises `HttpRefusal`, and counts what is refused for its length or its time."""
        try:
            return await read_body(
                request,
                bytes_max=self.body_bytes_max,
                timeout_seconds=self.read_timeout_seconds,
                grown=grown,
            )
        except HttpRefusal as refusal:
            if refusal.status == 503:
                self.reader.counts.put_off += 1
                raise _come_again(CLOSE) from None
            reason, ceiling = RefusedReason.BODY_INCOMPLETE, self.read_timeout_seconds
            if refusal.status == 413:
                reason, ceiling = RefusedReason.BODY_TOO_LARGE, self.body_bytes_max
            self.reader.counts.refused[reason] += 1
            self._tell_once(reason, ceiling)
            raise

    def _tell_once(self, reason: RefusedReason, *figures: float) -> None:
        """Warn of the first of its kind; the metric counts the others."""
        if reason not in self._told:
            self._told.add(reason)
            _log.warning(f"webhook {reason.value}: {ADVICE[reason]}", *figures)

    async def _take(self, hint: Hint) -> None:
        """Take it in to the end, or ask for it again. Raises `HttpRefusal` 503."""
        if self._under_way >= self.under_way_max:
            raise self._put_off(hint, "too many are under way")
        self._under_way += 1
        try:
            async with asyncio.timeout(self.receive_timeout_seconds):
                entries = await self.receive(hint, EventOrigin.WEBHOOK)
        except Failed as failed:
            raise self._put_off(hint, failed.message) from None
        except OSError as error:
            # The name alone: a store's own words may hold its address.
            raise self._put_off(hint, type(error).__name__) from None
        finally:
            self._under_way -= 1
        if entries:
            self.reader.counts.taken += 1
        else:
            self.reader.counts.known += 1
        _log.info("webhook %s %s: %d entries", hint.event_id, hint.type, entries)

    def _put_off(self, hint: Hint, why: str) -> HttpRefusal:
        self.reader.counts.put_off += 1
        _log.warning("webhook %s %s put off: %s", hint.event_id, hint.type, why)
        return _come_again()


def _come_again(headers: Mapping[str, str] | None = None) -> HttpRefusal:
    """Stripe sends it again; no other sender has a right to be told more."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), **(headers or {})}
    return HttpRefusal(503, _COME_AGAIN, headers, ErrorCode.INTERNAL_SERVER_ERROR)
