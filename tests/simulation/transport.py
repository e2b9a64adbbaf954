"""The way to Stripe: the SDK's own HTTP client with the network taken out.

Everything above it, encoding and decoding too, is the real thing. What a network does to calls is
done here: they are late, lost on the way there or back, refused, or the last that a process makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import stripe

from gateway.sandbox.stripe_api.api_errors import StripeError
from gateway.sandbox.stripe_api.faults import Fault as SandboxFault
from gateway.sandbox.stripe_api.faults import FaultKind
from gateway.sandbox.stripe_api.idempotency import Answer
from gateway.sandbox.stripe_api.service import VERSION, Incoming
from tests.simulation.boundary import CALL, PROCESS, Boundary, check_alive, thawed
from tests.simulation.plan import Fault
from tests.simulation.stripe_side import StripeSide

REFUSALS = {
    "401": (401, "Invalid API Key provided"),
    "403": (403, "The provided key does not have the required permissions for this endpoint"),
}
FAULTS = {
    "500": SandboxFault(FaultKind.SERVER_ERROR),
    "500 applied": SandboxFault(FaultKind.SERVER_ERROR, applied=True),
    "429": SandboxFault(FaultKind.RATE_LIMITED),
    "lock": SandboxFault(FaultKind.LOCK_TIMEOUT),
}
NO_ANSWER = {"hang", "hang applied", "late", "reset after", "cut", "garbled"}


class InProcessClient(stripe.HTTPClient):
    """The SDK's transport into `StripeSide`, with everything that a network does to calls."""

    name = "simulated"

    def __init__(self, side: StripeSide, boundary: Boundary) -> None:
        super().__init__()
        self._side = side
        self._boundary = boundary

    async def close_async(self) -> None:
        """There is nothing to close."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        check_alive()
        call, loop = CALL.get(), asyncio.get_running_loop()
        begun = loop.time()
        try:
            await thawed()
            answer = await self._request(method, url, headers, post_data)
            await thawed()
            check_alive()
            return answer
        finally:
            if call is not None:
                call.own_seconds += loop.time() - begun

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        at = urlsplit(url)
        incoming = Incoming(
            method=method.upper(),
            path=at.path,
            query=at.query,
            body=post_data or "",
            headers={name.lower(): value for name, value in headers.items()},
        )
        what = label_of(incoming)
        fault = self._boundary.fate("http", what)
        kind = None if fault is None else fault.kind
        departed = self._era()
        await asyncio.sleep(self._boundary.wait_of("http", incoming.method))
        if self._era() != departed:  # no connection lives through a day's sleep
            raise _connection_error(aiohttp.ServerDisconnectedError())
        if kind == "no connection":
            raise _connection_error(aiohttp.ConnectionTimeoutError())
        if kind == "reset before":
            raise _connection_error(aiohttp.ServerDisconnectedError())
        if kind in REFUSALS:
            status, message = REFUSALS[kind]
            error = StripeError(message, status=status)
            return _whole(Answer(status, error.body("req_refused")), incoming, "req_refused")
        if kind == "502":
            return b"<html>bad gateway</html>", 502, _Headers({"Content-Type": "text/html"})
        # From here on Stripe has it, whatever becomes of who has sent it.
        return await self._at_stripe(incoming, fault, departed)

    async def _at_stripe(
        self, incoming: Incoming, fault: Fault | None, departed: int
    ) -> tuple[bytes, int, Mapping[str, str]]:
        kind = None if fault is None else fault.kind
        seconds = 0.0 if fault is None or kind == "slow after" else fault.seconds
        served = _beyond_the_process(self._served(incoming, kind, seconds, departed))
        if kind == "crash before":
            await self._crash(served)
        answer = await asyncio.shield(served)
        if kind == "crash after":
            await self._crash(served)
        if kind in ("hang", "hang applied", "late"):
            await asyncio.get_running_loop().create_future()
        if kind == "reset after":
            raise _connection_error(aiohttp.ServerDisconnectedError())
        if kind == "cut":
            raise aiohttp.ClientPayloadError("Response payload is not completed")
        if kind == "slow after" and fault is not None:
            await asyncio.sleep(fault.seconds)
        else:
            await asyncio.sleep(self._boundary.wait_of("http", "answer"))
        request_id = self._side.twin.new_id("req")
        if kind == "garbled":
            return b"<html>", answer.status, _Headers({"Request-Id": request_id})
        return _whole(answer, incoming, request_id)

    async def _served(
        self, incoming: Incoming, kind: str | None, seconds: float, departed: int
    ) -> Answer:
        if kind == "hang":
            await asyncio.get_running_loop().create_future()
        if seconds:
            arrives = asyncio.get_running_loop().time() + seconds
            self._boundary.last_arrival = max(self._boundary.last_arrival, arrives)
            await asyncio.sleep(seconds)
        if self._era() != departed:  # nothing is on its way for a day
            await asyncio.get_running_loop().create_future()
        return await self._side.serve(incoming, FAULTS.get(kind or ""))

    def _era(self) -> int:
        """Another number after hours have passed at once."""
        return round((self._side.twin.now() - asyncio.get_running_loop().time()) / 3600)

    async def _crash(self, served: asyncio.Task[Any]) -> None:
        process = PROCESS.get()
        if process is not None:
            self._boundary.on_crash(process)
            check_alive()
        await served


def label_of(incoming: Incoming) -> str:
    """`POST attach_payment`, `GET invoices`: the method and the last word that is no id."""
    words = [part for part in incoming.path.split("/") if "_" not in part or part in _VERBS]
    return f"{incoming.method} {words[-1]}"


_VERBS = frozenset(
    {
        "attach_payment",
        "detach_payment",
        "credit_notes",
        "report_payment",
        "invoice_payments",
        "payment_records",
        "payment_intents",
    }
)


def _beyond_the_process(work: Any) -> asyncio.Task[Any]:
    """A task that outlives the process whose request it serves."""
    process, call = PROCESS.set(None), CALL.set(None)
    try:
        return asyncio.get_running_loop().create_task(work)
    finally:
        CALL.reset(call)
        PROCESS.reset(process)


def _connection_error(cause: Exception) -> stripe.APIConnectionError:
    error = stripe.APIConnectionError("the connection failed", should_retry=True)
    error.__cause__ = cause
    return error


class _Headers(dict[str, str]):
    """Names in any case, as HTTP's are."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self._lower = {name.lower(): value for name, value in given.items()}

    def __getitem__(self, name: str) -> str:
        return self._lower[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        return self._lower.get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lower


def _whole(
    answer: Answer, incoming: Incoming, request_id: str
) -> tuple[bytes, int, Mapping[str, str]]:
    headers = {"Request-Id": request_id, "Stripe-Version": VERSION, **dict(answer.headers)}
    if incoming.idempotency_key is not None:
        headers["Idempotency-Key"] = incoming.idempotency_key
    return orjson.dumps(answer.body), answer.status, _Headers(headers)
