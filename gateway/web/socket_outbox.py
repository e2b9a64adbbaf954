"""The way out of a socket: one frame after another, and an end to waiting for a peer.

A peer that is gone is not an error here; the socket's own reading finds out why. It knows frames
and no messages.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from gateway.web.settings import WebSettings
from gateway.web.slow_clients import StallWatch
from gateway.web.websocket_protocol import CloseCode, close_reason


class SocketOutbox:
    """Sends and closes for every task of one socket."""

    def __init__(
        self,
        *,
        websocket: web.WebSocketResponse,
        writer: AbstractStreamWriter,
        protocol: web.RequestHandler,
        transport: asyncio.Transport,
        settings: WebSettings,
    ) -> None:
        self._websocket = websocket
        self._writer = writer
        self._protocol = protocol
        self._transport = transport
        self._close_timeout_seconds = settings.close_timeout_seconds
        self._watch = StallWatch(transport, timeout_seconds=settings.stall_timeout_seconds)
        self._sending = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    async def send(self, message: bytes) -> bool:
        """Send one text frame; waits while the peer does not take what it was sent before.

        False when the peer is gone: whoever has more to send must stop.
        """
        async with self._sending:
            try:
                await self._websocket.send_frame(message, WSMsgType.TEXT)
                if self._protocol.writing_paused:
                    with self._watch.watching():
                        await self._writer.drain()
            except ConnectionError:
                return False
        return True

    async def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame and await the peer's; only the first call's reason goes out."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))
        await asyncio.shield(self._closing)

    async def release(self) -> None:
        """After the last frame: leave nothing behind that still waits for the peer."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
        if self._transport.get_write_buffer_size():
            self._transport.abort()

    async def _close(self, code: CloseCode, reason: str) -> None:
        with suppress(TimeoutError, ConnectionError):
            # aiohttp waits as long for the answer, but for ever for a full buffer.
            async with asyncio.timeout(2 * self._close_timeout_seconds):
                await self._websocket.close(code=code, message=close_reason(reason), drain=False)
