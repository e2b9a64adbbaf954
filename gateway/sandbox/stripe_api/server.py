"""The sandbox as an aiohttp application.

Here is the wire: reading requests, writing answers, and breaking connections on order.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from gateway.backends.memory.twin import Twin
from gateway.backends.stripe.rate_limit import LocalTokens
from gateway.sandbox.stripe_api.account import Account, load_state, save_state
from gateway.sandbox.stripe_api.api_errors import StripeError
from gateway.sandbox.stripe_api.events import EventBook
from gateway.sandbox.stripe_api.faults import SECONDS_MAX, Fault, FaultKind, Faults
from gateway.sandbox.stripe_api.idempotency import Answer
from gateway.sandbox.stripe_api.service import VERSION, Incoming, Service
from gateway.sandbox.stripe_api.webhooks import WebhookSender

BODY_BYTES_MAX = 1_000_000
REQUESTS_KEPT_MAX = 1_000
CLOSING_SECONDS = 2.0
"""How long a stopping sandbox waits for calls that are under way."""
NEVER_ANSWERED = (FaultKind.HANG, FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER)


@dataclass(slots=True)
class ServedRequest:
    """One request of the API. `status` is None until it is answered, and where it never is."""

    id: str
    method: str
    path: str
    params: dict[str, Any]
    idempotency_key: str | None
    version: str | None
    status: int | None = None
    replayed: bool = False
    fault: str | None = None


class Sandbox:
    """One account behind Stripe's REST API. Made by `running_sandbox`."""

    def __init__(
        self, twin: Twin, retry_delays_seconds: Sequence[float], calls_per_second: float | None
    ) -> None:
        self.account = Account(twin)
        self._calls_per_second = calls_per_second
        self._allowance: LocalTokens | None = None
        self.faults = Faults()
        self.requests: deque[ServedRequest] = deque(maxlen=REQUESTS_KEPT_MAX)
        self.webhooks = WebhookSender(self.account, VERSION, retry_delays_seconds)
        self.url = ""
        self.events = EventBook(self.account, VERSION, self.webhooks.offer)
        self._service = Service(self.account, self.webhooks)
        self.closing = asyncio.Event()
        """Lets go of the calls that were told to hang."""
        twin.listeners.append(self.events.take)

    @property
    def twin(self) -> Twin:
        return self.account.twin

    def save(self) -> dict[str, list[dict[str, Any]]]:
        """The whole state in the fixtures format."""
        return save_state(self.account)

    def load(self, text: bytes) -> None:
        """Put the state of a fixtures file in place of everything, idempotency keys too.

        Raises `FixturesRefused`; then nothing has changed.
        """
        load_state(self.account, text)
        self._service.forget_keys()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of the API."""
        incoming = Incoming(
            method=request.method,
            path=request.path,
            query=request.rel_url.raw_query_string,
            body=(await request.read()).decode("utf-8", "replace"),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        request_id = self.twin.new_id("req")
        fault = self.faults.take(incoming.method, incoming.path) or await self._limited()
        served = self._noted(incoming, request_id, fault)
        answer, met = await self._service.respond(incoming, request_id, fault)
        served.replayed = any(name == "Idempotent-Replayed" for name, _ in answer.headers)
        if met is FaultKind.HANG:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), SECONDS_MAX)
        if met in NEVER_ANSWERED:
            _reset(request)
            return web.Response()
        served.status = answer.status
        response = _response(answer, incoming, request_id)
        if met in (FaultKind.CUT_BODY, FaultKind.INVALID_JSON):
            return await _spoiled(request, response, met)
        return response

    async def _limited(self) -> Fault | None:
        """What a call beyond the limit of the account is answered, where it has one."""
        if self._calls_per_second is None:
            return None
        if self._allowance is None:
            rate, monotonic = self._calls_per_second, asyncio.get_running_loop().time
            self._allowance = LocalTokens(account_per_second=rate, monotonic=monotonic)
        is_free = await self._allowance.take("all") <= 0
        return None if is_free else Fault(FaultKind.RATE_LIMITED)

    def _noted(self, incoming: Incoming, request_id: str, fault: Fault | None) -> ServedRequest:
        try:
            params = incoming.decoded()
        except StripeError:
            params = {}
        served = ServedRequest(
            id=request_id,
            method=incoming.method,
            path=incoming.path,
            params=params,
            idempotency_key=incoming.headers.get("idempotency-key"),
            version=incoming.headers.get("stripe-version"),
            fault=None if fault is None else fault.kind.value,
        )
        self.requests.append(served)
        return served


def _response(answer: Answer, incoming: Incoming, request_id: str) -> web.Response:
    response = web.Response(
        body=orjson.dumps(answer.body, option=orjson.OPT_INDENT_2),
        status=answer.status,
        content_type="application/json",
    )
    response.headers["Request-Id"] = request_id
    response.headers["Stripe-Version"] = incoming.headers.get("stripe-version", VERSION)
    if incoming.idempotency_key is not None:
        response.headers["Idempotency-Key"] = incoming.idempotency_key
    response.headers.update(dict(answer.headers))
    return response


async def _spoiled(
    request: web.Request, response: web.Response, met: FaultKind
) -> web.StreamResponse:
    """The answer with a body that ends too early, or that is no JSON."""
    whole = response.body
    assert isinstance(whole, bytes)
    if met is FaultKind.INVALID_JSON:
        response.body = b"<html>" + whole[: len(whole) // 2]
        return response
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(whole)
    await stream.prepare(request)
    await stream.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return stream


def _reset(request: web.Request) -> None:
    """End the connection the hard way, so that the caller sees a reset."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
