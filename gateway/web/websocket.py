"""GraphQL over WebSocket: who may open a socket, and the server side of graphql-transport-ws.

It is a strict state machine: a frame is exactly one message of the protocol, or the socket is
closed with a reason. Frames are handled one after another; operations run beside them as tasks
that share it. What an operation means is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from gateway.callers import Grant
from gateway.callers.registry import Joined, Standing
from gateway.execution.operation import Answer, Batch, OperationRequest
from gateway.logs import tell_from_here
from gateway.web.authentication import Refusal
from gateway.web.connections import EXPIRED, STOPPING, WITHDRAWN, ConcurrencyLimit, Slot
from gateway.web.graphql_request import decode_object, object_or_null
from gateway.web.http_errors import HttpRefusal, InvalidRequest, error_boundary, refused
from gateway.web.middleware import request_id_of
from gateway.web.operations import Call, Services, encoded
from gateway.web.websocket_protocol import (
    PROTOCOL,
    CloseCode,
    ProtocolSocket,
    id_of,
    operation_of,
    text_frame,
)
from schema.ports import ErrorCode

_TOO_MANY = "Too many sockets are open; close some first."

SAME_IDS_MAX = 16
"""Ids of operations, such as "1", whose frames of an answer are kept for others with the same."""

Authenticate = Callable[[Slot, dict[str, Any] | None], Awaitable[Grant | HttpRefusal]]
"""Who is on this socket, by the payload of its `connection_init`, in the slot of its own tenant."""


def is_upgrade(request: web.Request) -> bool:
    """Whether the client asks for a WebSocket on the URL of the HTTP endpoint."""
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


class WebSocketEndpoint:
    """Opens sockets and keeps their number within limits.

    Nobody knows yet who a stranger is (and a proxy gives all the same address), so strangers are
    counted together, until they say who they are or are closed for silence.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = settings = services.settings
        self._identified = ConcurrencyLimit(settings.sockets_per_viewer_max, _TOO_MANY)
        self._unidentified = ConcurrencyLimit(settings.sockets_unidentified_max, _TOO_MANY)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Answer the handshake. A socket that stands is left to its connection with a session, as
        a quiet one is not to hold its request for days."""
        self._services.shutdown.refuse_new()
        if not self._services.origins.admits(request):
            raise HttpRefusal(403, "Pages of this origin may not open sockets here.")
        found = await self._services.authenticator.identify(request)
        known = found if isinstance(found, Grant) else None
        slot = self._unidentified.slot()
        if known is not None:
            slot = self._identified.slot(known.viewer.tenant)
        offered = _offered(request)
        socket = ProtocolSocket(offered, self._settings)
        with slot:
            if not await socket.open(request):
                return socket
            if PROTOCOL not in offered:
                await socket.end(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
                return socket
            authenticate = partial(self._authenticate, request, known)
            slot, request_id = slot.passed_on(), request_id_of(request)
            session = WebSocketSession(self._services, socket, authenticate, slot, request_id)
            socket.go_on = session.run
            return socket

    async def _authenticate(
        self,
        request: web.Request,
        known: Grant | None,
        slot: Slot,
        payload: dict[str, Any] | None,
    ) -> Grant | HttpRefusal:
        found = await self._services.authenticator.identify(request, payload)
        if isinstance(found, Refusal):
            return found
        if known is None or known.viewer.tenant != found.viewer.tenant:
            try:
                slot.move(self._identified, found.viewer.tenant)
            except HttpRefusal as full:
                return full
        return found


def _offered(request: web.Request) -> tuple[str, ...]:
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(name for part in header.split(",") if (name := part.strip()))


class _Sink:
    """See `gateway.web.operations.Sink`."""

    __slots__ = ("_head", "_socket")

    def __init__(self, socket: ProtocolSocket, operation_id: str) -> None:
        self._socket = socket
        self._head = b'{"id":%b,"type":"next","payload":' % orjson.dumps(operation_id)

    async def ready(self) -> bool:
        return await self._socket.ready()

    def take(self, batch: Batch) -> bool:
        frames = batch.sent.get(self._head)
        if frames is None:
            texts = ((self._head, encoded(one), b"}") for one in batch.answers)
            frames = b"".join(text_frame(*one) for one in texts)
            if len(batch.sent) < SAME_IDS_MAX:
                batch.sent[self._head] = frames
        return self._socket.send_at_once(frames)


class WebSocketSession:
    """An open socket from its first frame to its last. It has taken the slot over, and frees it."""

    __slots__ = (
        "_authenticate",
        "_grant",
        "_joined",
        "_live",
        "_request_id",
        "_services",
        "_settings",
        "_slot",
        "_socket",
        "_tasks",
        "_timer",
    )

    def __init__(
        self,
        services: Services,
        socket: ProtocolSocket,
        authenticate: Authenticate,
        slot: Slot,
        request_id: str,
    ) -> None:
        self._services = services
        self._settings = services.settings
        self._socket = socket
        self._authenticate: Authenticate | None = authenticate
        self._slot = slot
        self._request_id = request_id
        self._joined: Joined | None = None
        self._grant: Grant | None = None
        self._live: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Handle frames until either side closes; then nothing of the socket is left."""
        tell_from_here(request_id=self._request_id)
        sockets = self._services.metrics.sockets
        sockets.inc()
        try:
            with self._services.shutdown.closing_with(self._go_away):
                failure = await error_boundary(self._serve(), request_id=self._request_id)
            if failure is not None:
                await self._close(CloseCode.INTERNAL_ERROR, "Internal error")
            await self._socket.write_eof()
        finally:
            sockets.dec()
            self._slot.free()

    async def _go_away(self) -> None:
        await self._close(CloseCode.GOING_AWAY, STOPPING)

    async def _serve(self) -> None:
        self._timer = self._close_after(
            self._settings.init_timeout_seconds,
            CloseCode.INITIALISATION_TIMEOUT,
            "Connection initialisation timeout",
        )
        try:
            await self._receive()
        finally:
            await self._end_everything()

    async def _receive(self) -> None:
        while not self._socket.closed:
            frame = await self._socket.receive()
            if frame.type is WSMsgType.TEXT:
                try:
                    await self._on_message(decode_object(frame.data, what="The message"))
                except InvalidRequest as error:
                    await self._close(CloseCode.INVALID_MESSAGE, f"Invalid message: {error}")
            elif frame.type is WSMsgType.BINARY:
                await self._close(CloseCode.INVALID_MESSAGE, "Binary frames are not accepted.")
            else:
                return
            del frame  # A quiet socket is not to hold the last one for days.

    async def _on_message(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._on_init(object_or_null(message, "payload"))
            case "ping":
                pong: dict[str, Any] = {"type": "pong"}
                if (payload := object_or_null(message, "payload")) is not None:
                    pong["payload"] = payload  # So that a client can tell its pings apart.
                await self._say(pong)
            case "pong":
                object_or_null(message, "payload")
            case "subscribe":
                await self._on_subscribe(id_of(message), operation_of(message))
            case "complete":
                await self._cancel(id_of(message))
            case _:
                raise InvalidRequest("The message has no known `type`.")

    async def _say(self, message: dict[str, Any]) -> None:
        await self._socket.send_message(orjson.dumps(message))

    async def _on_init(self, payload: dict[str, Any] | None) -> None:
        authenticate, self._authenticate = self._authenticate, None
        if authenticate is None:
            code = CloseCode.TOO_MANY_INITIALISATION_REQUESTS
            await self._close(code, "Too many initialisation requests")
            return
        # Beside the frames, so that one sent before the acknowledgement is seen before it.
        self._start(self._acknowledge(authenticate(self._slot, payload)))

    async def _acknowledge(self, identified: Awaitable[Grant | HttpRefusal]) -> None:
        outcome = await error_boundary(identified, request_id=self._services.new_id())
        if isinstance(outcome, Answer):
            await self._close(CloseCode.INTERNAL_ERROR, "Internal error")
        elif isinstance(outcome, HttpRefusal):
            is_lasting = outcome.code not in (ErrorCode.RATE_LIMITED, ErrorCode.UPSTREAM_ERROR)
            code = CloseCode.FORBIDDEN if is_lasting else CloseCode.TRY_AGAIN_LATER
            await self._close(code, outcome.message)
        else:
            self._grant = outcome
            # The wait for this is over; the next one is for the end of the right.
            self._timer.cancel()
            if outcome.expires_in_seconds is not None:
                seconds = outcome.expires_in_seconds
                self._timer = self._close_after(seconds, CloseCode.FORBIDDEN, EXPIRED)
            self._joined = self._services.callers.joined(outcome, self._rights_ended)
            self._joined.__enter__()
            await self._say({"type": "connection_ack"})

    def _rights_ended(self, standing: Standing) -> None:
        if standing is Standing.REMOVED:
            self._start(self._close(CloseCode.FORBIDDEN, WITHDRAWN))
        else:
            reason = "Your rights have changed; connect again."
            self._start(self._close(CloseCode.SERVICE_RESTART, reason))

    async def _on_subscribe(self, operation_id: str, request: OperationRequest) -> None:
        limit = self._settings.operations_per_socket_max
        if self._grant is None:
            await self._close(CloseCode.UNAUTHORIZED, "Unauthorized")
        elif operation_id in self._live:
            reason = f"Subscriber for {operation_id} already exists"
            await self._close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, reason)
        elif len(self._tasks) >= limit:
            text = f"A socket carries at most {limit} operations at a time."
            await self._refuse(operation_id, refused(ErrorCode.RATE_LIMITED, text))
        else:
            call = Call(request, self._grant.viewer, self._services.new_id())
            self._live[operation_id] = self._start(self._run(operation_id, call))

    async def _run(self, operation_id: str, call: Call) -> None:
        """One operation, to its end or to the client's `complete`, which cancels this task."""
        operations, sink = self._services.operations, _Sink(self._socket, operation_id)
        work = operations.deliver(call, sink)
        last = await error_boundary(work, request_id=call.request_id)
        del work, sink
        # Free before the client hears of the end, which allows it to use the id again.
        self._live.pop(operation_id, None)
        if last is None:
            await self._say({"id": operation_id, "type": "complete"})
        else:
            await self._refuse(operation_id, last)

    async def _refuse(self, operation_id: str, answer: Answer) -> None:
        """End one operation with its errors; the others on this socket live on."""
        await self._say({"id": operation_id, "type": "error", "payload": answer.body["errors"]})

    async def _cancel(self, operation_id: str) -> None:
        """What has ended already, or never was, needs no cancelling.
        It has ended before the next frame is read, which may be what takes its place."""
        task = self._live.pop(operation_id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=self._settings.close_timeout_seconds)

    async def _close(self, code: CloseCode, reason: str) -> None:
        await self._socket.end(code, reason)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _close_after(self, seconds: float, code: CloseCode, reason: str) -> asyncio.TimerHandle:
        def close() -> None:
            self._start(self._close(code, reason))

        return asyncio.get_running_loop().call_later(seconds, close)

    async def _end_everything(self) -> None:
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.close_timeout_seconds)
        if self._joined is not None:
            self._joined.__exit__(None, None, None)
        await self._socket.release()
