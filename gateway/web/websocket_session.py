"""One GraphQL socket: the server side of graphql-transport-ws as a strict state machine.

Frames are handled one after another; operations run beside them as tasks that share one sender.
It must not decide who may open a socket (that is `websocket_endpoint`) nor what an operation means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, aclosing
from typing import Any

from aiohttp import WSMsgType, web

from gateway.callers import Grant
from gateway.callers.registry import Standing
from gateway.execution.operation import Answer
from gateway.web.authentication import Refusal
from gateway.web.graphql_request import InvalidRequest
from gateway.web.http_errors import error_boundary, refused
from gateway.web.operations import Call
from gateway.web.services import Services
from gateway.web.websocket_protocol import (
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    SocketSender,
    Subscribe,
    ack_message,
    complete_message,
    decode_message,
    error_message,
    next_message,
    pong_message,
)
from schema.ports import ErrorCode

Authenticate = Callable[[dict[str, Any] | None], Awaitable[Grant | Refusal]]
"""Who is on this socket, by the payload of its `connection_init`."""


class WebSocketSession:
    """An open socket from its first frame to its last."""

    def __init__(
        self,
        services: Services,
        websocket: web.WebSocketResponse,
        sender: SocketSender,
        authenticate: Authenticate,
    ) -> None:
        self._services = services
        self._settings = services.settings
        self._websocket = websocket
        self._sender = sender
        self._authenticate = authenticate
        self._until_the_end = ExitStack()
        self._initialised = False
        self._grant: Grant | None = None
        self._live: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Handle frames until either side closes; then nothing of the socket is left."""
        self._close_after(
            self._settings.init_timeout_seconds,
            CloseCode.INITIALISATION_TIMEOUT,
            "Connection initialisation timeout",
        )
        try:
            await self._receive()
        finally:
            await self._end_everything()

    async def close(self, code: CloseCode, reason: str) -> None:
        """Tell the client why, once; bounded in time."""
        await self._sender.close(code, reason)

    async def _receive(self) -> None:
        while not self._websocket.closed:
            frame = await self._websocket.receive()
            if frame.type is WSMsgType.TEXT:
                await self._on_text(frame.data)
            elif frame.type is WSMsgType.BINARY:
                await self.close(CloseCode.INVALID_MESSAGE, "Binary frames are not accepted.")
            else:
                return

    async def _on_text(self, frame: str) -> None:
        try:
            message = decode_message(frame)
        except InvalidRequest as error:
            await self.close(CloseCode.INVALID_MESSAGE, f"Invalid message: {error}")
            return
        await self._on_message(message)

    async def _on_message(self, message: ClientMessage) -> None:
        match message:
            case ConnectionInit(payload):
                await self._on_init(payload)
            case Ping(payload):
                await self._sender.send(pong_message(payload))
            case Pong():
                pass
            case Subscribe():
                await self._on_subscribe(message)
            case Complete(operation_id):
                await self._cancel(operation_id)

    async def _on_init(self, payload: dict[str, Any] | None) -> None:
        if self._initialised:
            code = CloseCode.TOO_MANY_INITIALISATION_REQUESTS
            await self.close(code, "Too many initialisation requests")
            return
        self._initialised = True
        # Beside the frames, so that one sent before the acknowledgement is seen before it.
        self._start(self._acknowledge(payload))

    async def _acknowledge(self, payload: dict[str, Any] | None) -> None:
        outcome = await error_boundary(
            self._authenticate(payload), request_id=self._services.new_id()
        )
        if isinstance(outcome, Answer):
            await self.close(CloseCode.INTERNAL_ERROR, "Internal error")
        elif isinstance(outcome, Refusal):
            await self.close(_close_code(outcome), outcome.message)
        else:
            self._grant = outcome
            self._expect_expiry(outcome)
            self._until_the_end.enter_context(
                self._services.callers.joined(outcome, self._rights_ended)
            )
            await self._sender.send(ack_message())

    def _expect_expiry(self, grant: Grant) -> None:
        """The wait for the acknowledgement is over; the next one is for the end of the right."""
        assert self._timer is not None
        self._timer.cancel()
        if grant.expires_in_seconds is not None:
            reason = "The authorization has expired."
            self._close_after(grant.expires_in_seconds, CloseCode.FORBIDDEN, reason)

    def _rights_ended(self, standing: Standing) -> None:
        if standing is Standing.REMOVED:
            closing = self.close(CloseCode.FORBIDDEN, "The authorization was withdrawn.")
        else:
            reason = "Your rights have changed; connect again."
            closing = self.close(CloseCode.SERVICE_RESTART, reason)
        self._start(closing)

    async def _on_subscribe(self, message: Subscribe) -> None:
        limit = self._settings.operations_per_socket_max
        if self._grant is None:
            await self.close(CloseCode.UNAUTHORIZED, "Unauthorized")
        elif message.id in self._live:
            reason = f"Subscriber for {message.id} already exists"
            await self.close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, reason)
        elif len(self._tasks) >= limit:
            text = f"A socket carries at most {limit} operations at a time."
            await self._refuse(message.id, refused(ErrorCode.RATE_LIMITED, text))
        else:
            call = Call(message.request, self._grant.viewer, self._services.new_id())
            self._live[message.id] = self._start(self._run(message.id, call))

    async def _run(self, operation_id: str, call: Call) -> None:
        """One operation, to its end or to the client's `complete`, which cancels this task."""
        last = await error_boundary(
            self._send_answers(operation_id, call), request_id=call.request_id
        )
        # Free before the client hears of the end, which allows it to use the id again.
        self._live.pop(operation_id, None)
        if last is None:
            await self._sender.send(complete_message(operation_id))
        else:
            await self._refuse(operation_id, last)

    async def _send_answers(self, operation_id: str, call: Call) -> Answer | None:
        """Send what the operation yields; a refusal ends it and is the result."""
        prepared = await self._services.operations.prepare(call)
        if isinstance(prepared, Answer):
            return prepared
        async with aclosing(self._services.operations.answers(prepared, call)) as answers:
            async for answer in answers:
                if not answer.executed:
                    return answer
                body = self._services.encoder.encode(answer)
                if not await self._sender.send(next_message(operation_id, body)):
                    return None
        return None

    async def _refuse(self, operation_id: str, answer: Answer) -> None:
        """End one operation with its errors; the others on this socket live on."""
        await self._sender.send(error_message(operation_id, answer.body["errors"]))

    async def _cancel(self, operation_id: str) -> None:
        """What has ended already, or never was, needs no cancelling.

        It has ended before the next frame is read, which may be what takes its place.
        """
        task = self._live.pop(operation_id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=self._settings.close_timeout_seconds)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _close_after(self, seconds: float, code: CloseCode, reason: str) -> None:
        def close() -> None:
            self._start(self.close(code, reason))

        self._timer = asyncio.get_running_loop().call_later(seconds, close)

    async def _end_everything(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.close_timeout_seconds)
        self._until_the_end.close()
        await self._sender.release()


def _close_code(refusal: Refusal) -> CloseCode:
    if refusal.code in (ErrorCode.RATE_LIMITED, ErrorCode.UPSTREAM_ERROR):
        return CloseCode.TRY_AGAIN_LATER
    return CloseCode.FORBIDDEN
