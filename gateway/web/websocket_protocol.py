"""The parts of messages of graphql-transport-ws and the sending of their frames.

Frames go out whole, and no wait for a peer is endless; a peer that is gone is no error
here, as the socket's own reading finds out why. Nothing here knows of the state of a socket.
Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md (read at 6.4.2)
"""

from __future__ import annotations

import asyncio
import enum
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

from aiohttp import WSCloseCode, WSMsgType, web

from gateway.execution.operation import OperationRequest
from gateway.settings import WebSettings
from gateway.web.connections import WriteTimeout
from gateway.web.graphql_request import operation_from
from gateway.web.http_errors import InvalidRequest

PROTOCOL = "graphql-transport-ws"

_NEVER_WAIT_BYTES = 2**31
"""aiohttp would wait inside a send where nobody watches the peer; we wait instead."""
_TEXT = 0x80 | WSMsgType.TEXT
"""The first byte of a text frame that is whole."""
_REASON_BYTES_MAX = 123
"""A control frame holds 125 bytes, two of them the code; a longer one kills the connection."""


class CloseCode(enum.IntEnum):
    """Why we end a socket: RFC 6455 below 4000, graphql-transport-ws above."""

    GOING_AWAY = 1001
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INITIALISATION_REQUESTS = 4429


def id_of(message: dict[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise InvalidRequest("`id` must be a non-empty string.")
    return operation_id


def operation_of(message: dict[str, Any]) -> OperationRequest:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise InvalidRequest("`payload` must be an object with a `query`.")
    return operation_from(payload)


def text_frame(*parts: bytes) -> bytes:
    """One whole, unmasked text frame. Source: RFC 6455, section 5.2."""
    size = sum(map(len, parts))
    if size < 126:
        head = struct.pack("!BB", _TEXT, size)
    elif size < 65536:
        head = struct.pack("!BBH", _TEXT, 126, size)
    else:
        head = struct.pack("!BBQ", _TEXT, 127, size)
    return b"".join((head, *parts))


class _Peer:
    """What aiohttp needs of a request while a socket is open (3.14.5)."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: web.RequestHandler) -> None:
        self._protocol = protocol

    @property
    def transport(self) -> asyncio.Transport | None:
        return self._protocol.transport


class ProtocolSocket(web.WebSocketResponse):
    """aiohttp's socket, which every task of one connection may send on and close.

    `go_on` is what serves it once the request is over; None if nothing is to be served.
    """

    # A dictionary for more than thirty names takes two kilobytes.
    __slots__ = (
        "_connection",
        "_ending",
        "_frames",
        "_settings",
        "_waiting_for_peer",
        "_write_timeout",
        "go_on",
        "transport",
    )

    def __init__(self, offered: tuple[str, ...], settings: WebSettings) -> None:
        super().__init__(
            # A client learns why (4406) only if the handshake itself gives it what it asked for.
            protocols=(PROTOCOL,) if PROTOCOL in offered else offered[:1],
            timeout=settings.close_timeout_seconds,
            heartbeat=settings.socket_ping_seconds,
            max_msg_size=settings.frame_bytes_max,
            compress=False,
            writer_limit=_NEVER_WAIT_BYTES,
        )
        self.go_on: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._settings = settings
        self._waiting_for_peer = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None

    async def open(self, request: web.Request) -> bool:
        """Answer the handshake; false when the peer is gone already."""
        self._frames = await self.prepare(request)
        if request.transport is None:
            return False
        self.headers.clear()  # They are sent; a kilobyte that a quiet socket need not hold.
        self._connection, self.transport = request.protocol, request.transport
        self._write_timeout = WriteTimeout(self.transport, self._settings.stall_timeout_seconds)
        return True

    def let_go_of_the_request(self) -> None:
        """What aiohttp asks its request for from now on, the connection knows."""
        self._req = cast(web.BaseRequest, _Peer(self._connection))

    def send_at_once(self, frames: bytes) -> bool:
        """Send whole frames; false if the peer is gone, or has to take first what it was sent.

        Written by ourselves: aiohttp's way is a coroutine, of which a broadcast would make
        thousands. Frames do not mix, as each is written whole and nothing is compressed.
        """
        if self.closed or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return not self._connection.writing_paused

    async def ready(self) -> bool:
        """Wait while the peer does not take what it was sent. False when it is gone: whoever has
        more to send must stop."""
        if self._connection.writing_paused:
            async with self._waiting_for_peer:
                try:
                    with self._write_timeout.running():
                        await self._frames.drain()
                except ConnectionError:
                    return False
        return not (self.closed or self.transport.is_closing())

    async def send_message(self, message: bytes) -> bool:
        """Send one text frame and be `ready`."""
        return self.send_at_once(text_frame(message)) or await self.ready()

    async def end(self, code: CloseCode, reason: str) -> None:
        """Send a close frame and await the peer's; only the first call's reason goes out."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(code, reason))
        await asyncio.shield(self._ending)

    async def release(self) -> None:
        """After the last frame: leave nothing behind that still waits for the peer."""
        if self._ending is not None:
            await asyncio.shield(self._ending)
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    async def _end(self, code: CloseCode, reason: str) -> None:
        # It must not end inside a character.
        cut = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore").encode()
        with suppress(TimeoutError, ConnectionError):
            # aiohttp waits as long for the answer, but for ever for a full buffer.
            async with asyncio.timeout(2 * self._settings.close_timeout_seconds):
                await self.close(code=code, message=cut, drain=False)

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        """Throws away, for a while, what a peer still sends after a message too long.

        aiohttp closes the connection at once while the message is still coming in, which makes
        the system reset it, and the peer learns nothing. The connection itself drops what comes in
        once its parser has failed.
        """
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.closed:
            with suppress(ConnectionError):
                await self.send_frame(struct.pack("!H", code) + message, WSMsgType.CLOSE)
            await asyncio.sleep(self._settings.close_timeout_seconds)
        return await super().close(code=code, message=message, drain=drain)
