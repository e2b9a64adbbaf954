"""Server-sent events: the "distinct connections mode" of graphql-sse, one operation a stream.

A stream begins once the operation is prepared; from there on everything, refusals too, arrives as
`next` events and `complete`. A stream that ends without `complete` asks its client to come again.
Source: https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md (read at 2.6.1)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from aiohttp import web

from gateway.callers import Grant
from gateway.callers.registry import Standing
from gateway.execution.operation import Answer
from gateway.web.connections import (
    EXPIRED,
    WITHDRAWN,
    ConcurrencyLimit,
    WriteTimeout,
    drop_dead_peers,
)
from gateway.web.http_errors import error_boundary, refused
from gateway.web.middleware import request_id_of
from gateway.web.operations import Services
from schema.ports import ErrorCode

COMPLETE = b"event: complete\ndata: \n\n"
"""The empty data line is needed: browsers drop an event that has none."""
COMMENT = b":\n\n"

_PINGS_UNANSWERED_MAX = 2
_TOO_MANY = "Too many event streams are open; close some first."
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    # A proxy that buffers or compresses would hold events back.
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


class EventStreams:
    """Sends the answers of operations as event streams."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings
        self._limit = ConcurrencyLimit(self._settings.streams_per_viewer_max, _TOO_MANY)

    async def respond(
        self, request: web.Request, answers: AsyncGenerator[Answer, None], grant: Grant
    ) -> web.StreamResponse:
        """Send all answers and close their generator, also when the client goes first."""
        self._services.shutdown.refuse_new()
        response = web.StreamResponse(headers=_HEADERS)
        with (
            self._limit.slot(grant.viewer.tenant),
            self._services.metrics.streams.track_inprogress(),
            suppress(ConnectionError),
        ):
            await response.prepare(request)
            if (transport := request.transport) is not None:
                seconds = _PINGS_UNANSWERED_MAX * self._settings.stream_ping_seconds
                drop_dead_peers(transport, seconds)
                stream = _Stream(response, transport, self._services)
                await stream.end(await self._serve(stream, answers, grant, request))
        return response

    async def _serve(
        self,
        stream: _Stream,
        answers: AsyncGenerator[Answer, None],
        grant: Grant,
        request: web.Request,
    ) -> str | None:
        """Pump until the answers end, the client goes or has to come again, or until its right
        has ended: then the reason."""
        ended: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def end(why: str | None) -> None:
            if not ended.done():
                ended.set_result(why)

        async def stop() -> None:
            end(None)

        def rights_ended(standing: Standing) -> None:
            end(WITHDRAWN if standing is Standing.REMOVED else None)

        work = (stream.pump(answers, request_id_of(request)), stream.keep_alive())
        tasks = [asyncio.create_task(one) for one in work]
        for task in tasks:
            task.add_done_callback(lambda _: end(None))
        with (
            self._services.shutdown.closing_with(stop),
            self._services.callers.joined(grant, rights_ended),
        ):
            try:
                async with asyncio.timeout(grant.expires_in_seconds):
                    return await ended
            except TimeoutError:
                return EXPIRED
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


class _Stream:
    """One open response. What is written to it is never interleaved."""

    def __init__(
        self, response: web.StreamResponse, transport: asyncio.Transport, services: Services
    ) -> None:
        settings = services.settings
        self._response = response
        self._write_timeout = WriteTimeout(transport, settings.stall_timeout_seconds)
        self._ping_seconds = settings.stream_ping_seconds
        self._encode = services.operations.encode
        self._writing = asyncio.Lock()

    async def pump(self, answers: AsyncGenerator[Answer, None], request_id: str) -> None:
        """Send every answer and `complete`; ends early and in silence when the client is gone."""
        with suppress(ConnectionError):
            failure = await error_boundary(self._send_all(answers), request_id=request_id)
            if failure is not None:
                await self._send(failure)
            await self._write(COMPLETE)

    async def keep_alive(self) -> None:
        """Keep proxies from closing a quiet stream, and find out about clients that are gone."""
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._ping_seconds)
                await self._write(COMMENT)

    async def end(self, why: str | None) -> None:
        """End the stream; with a reason the client is told not to come again as it is."""
        if why is not None:
            await self._send(refused(ErrorCode.UNAUTHENTICATED, why))
            await self._write(COMPLETE)
        with self._write_timeout.running():
            await self._response.write_eof()

    async def _send_all(self, answers: AsyncGenerator[Answer, None]) -> None:
        async with aclosing(answers):
            with suppress(ConnectionError):
                # Some browsers do not report an open stream before its first byte.
                await self._write(COMMENT)
                async for answer in answers:
                    await self._send(answer)

    async def _send(self, answer: Answer) -> None:
        await self._write(next_event(self._encode(answer), answer.cursor))

    async def _write(self, event: bytes) -> None:
        async with self._writing:
            with self._write_timeout.running():
                await self._response.write(event)


def next_event(body: bytes, cursor: str | None) -> bytes:
    """One `next` event with LF line ends; a browser sends `cursor` back as Last-Event-ID."""
    event_id = f"id: {cursor}\n".encode() if cursor else b""
    return b"%bevent: next\ndata: %b\n\n" % (event_id, body)
