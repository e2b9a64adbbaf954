"""Server-sent events: the "distinct connections mode" of graphql-sse, one operation a stream.

A stream begins once the operation is prepared; from there on everything, refusals too, arrives as
`next` events and `complete`. A stream that ends without `complete` asks its client to come again.
Source: https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md (read at 2.6.1)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway.callers import Grant
from gateway.callers.registry import Standing
from gateway.execution.operation import Answer, Batch, Prepared
from gateway.web.connections import (
    EXPIRED,
    WITHDRAWN,
    ConcurrencyLimit,
    WriteTimeout,
    drop_dead_peers,
)
from gateway.web.http_errors import error_boundary, refused
from gateway.web.operations import Call, Services, encoded
from schema.ports import ErrorCode

COMPLETE = b"event: complete\ndata: \n\n"
"""The empty data line is needed: browsers drop an event that has none."""
COMMENT = b":\n\n"

_EVENTS = b"event stream"
"""The name of what all event streams are sent of the same answers."""
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
        self, request: web.Request, prepared: Prepared | Answer, call: Call, grant: Grant
    ) -> web.StreamResponse:
        """Send all answers, and end the operation when the client goes first."""
        self._services.shutdown.refuse_new()
        response = web.StreamResponse(headers=_HEADERS)
        with (
            self._limit.slot(grant.viewer.tenant),
            self._services.metrics.streams.track_inprogress(),
            suppress(ConnectionError),
        ):
            stream = await self._opened(request, response)
            if stream is not None:
                work = stream.pump(prepared, call)
                await stream.end(await self._serve(stream, work, grant))
        return response

    async def _opened(self, request: web.Request, response: web.StreamResponse) -> _Stream | None:
        """The stream after its head; None if the client is gone."""
        writer = await response.prepare(request)
        # Some browsers do not report an open stream before its first byte.
        await response.write(COMMENT)
        if writer is None or (transport := request.transport) is None:
            return None
        drop_dead_peers(transport, _PINGS_UNANSWERED_MAX * self._settings.stream_ping_seconds)
        return _Stream(response, writer, request.protocol, transport, self._services)

    async def _serve(
        self, stream: _Stream, work: Coroutine[Any, Any, None], grant: Grant
    ) -> str | None:
        """Work until that ends, the client goes or has to come again, or until its right has
        ended: then the reason."""
        ended: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def end(why: str | None = None) -> None:
            if not ended.done():
                ended.set_result(why)

        async def stop() -> None:
            end()

        def rights_ended(standing: Standing) -> None:
            end(WITHDRAWN if standing is Standing.REMOVED else None)

        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: end())
        with (
            stream.kept_alive(),
            self._services.shutdown.closing_with(stop),
            self._services.callers.joined(grant, rights_ended),
        ):
            try:
                async with asyncio.timeout(grant.expires_in_seconds):
                    return await ended
            except TimeoutError:
                return EXPIRED
            finally:
                task.cancel()
                await asyncio.wait({task})


class _Stream:
    """One open response, a `gateway.web.operations.Sink`.

    Once its head is out it is written by ourselves: aiohttp's way is a coroutine, of which a
    broadcast would make thousands.
    """

    def __init__(
        self,
        response: web.StreamResponse,
        writer: AbstractStreamWriter,
        connection: web.RequestHandler,
        transport: asyncio.Transport,
        services: Services,
    ) -> None:
        settings = services.settings
        self._response = response
        self._writer = writer
        self._connection = connection
        self._transport = transport
        self._operations = services.operations
        self._is_chunked = response.headers.get("Transfer-Encoding") == "chunked"
        self._write_timeout = WriteTimeout(transport, settings.stall_timeout_seconds)
        self._ping_seconds = settings.stream_ping_seconds

    async def pump(self, prepared: Prepared | Answer, call: Call) -> None:
        """Send every answer and `complete`; ends in silence when the client is gone."""
        work = self._operations.deliver(call, self, prepared)
        last = await error_boundary(work, request_id=call.request_id)
        if last is not None:
            self.take(Batch([last]))
        self._write(COMPLETE)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Keep proxies from closing a quiet stream, and find out about clients that are gone."""
        self._ping_later()
        try:
            yield
        finally:
            self._pings.cancel()

    def _ping_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._pings = loop.call_later(self._ping_seconds, self._ping)

    def _ping(self) -> None:
        if not self._connection.writing_paused:
            self._write(COMMENT)
        self._ping_later()

    async def end(self, why: str | None) -> None:
        """End the stream; with a reason the client is told not to come again as it is."""
        if why is not None:
            self.take(Batch([refused(ErrorCode.UNAUTHENTICATED, why)]))
            self._write(COMPLETE)
        with self._write_timeout.running():
            await self._response.write_eof()

    def take(self, batch: Batch) -> bool:
        events = batch.sent.get(_EVENTS)
        if events is None:
            events = b"".join(next_event(encoded(one), one.cursor) for one in batch.answers)
            batch.sent[_EVENTS] = events
        return self._write(events)

    async def ready(self) -> bool:
        if self._connection.writing_paused:
            try:
                with self._write_timeout.running():
                    await self._writer.drain()
            except ConnectionError:
                return False
        return not self._transport.is_closing()

    def _write(self, event: bytes) -> bool:
        if self._transport.is_closing():
            return False
        chunk = b"%x\r\n%b\r\n" % (len(event), event) if self._is_chunked else event
        self._transport.write(chunk)
        return not self._connection.writing_paused


def next_event(body: bytes, cursor: str | None) -> bytes:
    """One `next` event with LF line ends; a browser sends `cursor` back as Last-Event-ID."""
    event_id = f"id: {cursor}\n".encode() if cursor else b""
    return b"%bevent: next\ndata: %b\n\n" % (event_id, body)
