"""What the tests of sockets share: a client that speaks graphql-transport-ws, or does not."""

from __future__ import annotations

import asyncio
import socket as system
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.web.serving import Served

PROTOCOL = "graphql-transport-ws"
TIMEOUT_SECONDS = 20

Socket = ClientWebSocketResponse


@asynccontextmanager
async def opened(
    gateway: Served,
    *,
    protocols: tuple[str, ...] = (PROTOCOL,),
    headers: dict[str, str] | None = None,
) -> AsyncIterator[Socket]:
    """A socket after its handshake; nothing has been sent."""
    url = gateway.url / "graphql"
    async with gateway.session.ws_connect(url, protocols=protocols, headers=headers) as socket:
        yield socket


@asynccontextmanager
async def acknowledged(
    gateway: Served, headers: dict[str, str] | None = None
) -> AsyncIterator[Socket]:
    """A socket that is ready for operations."""
    async with opened(gateway, headers=headers) as socket:
        await socket.send_json({"type": "connection_init"})
        assert await received(socket) == {"type": "connection_ack"}
        yield socket


async def subscribe(socket: Socket, query: str, *, id: str = "1", **payload: Any) -> None:
    await socket.send_json({"id": id, "type": "subscribe", "payload": {"query": query, **payload}})


async def received(socket: Socket) -> Any:
    return await socket.receive_json(timeout=TIMEOUT_SECONDS)


async def closed(socket: Socket) -> tuple[int | None, str]:
    """The code and the reason with which the server closes; other frames before it are skipped."""
    while True:
        frame = await socket.receive(timeout=TIMEOUT_SECONDS)
        if frame.type is WSMsgType.CLOSE:
            return frame.data, frame.extra or ""
        if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
            return socket.close_code, ""


async def handshake_status(gateway: Served, headers: dict[str, str]) -> int:
    try:
        async with opened(gateway, headers=headers):
            return 101
    except WSServerHandshakeError as error:
        return error.status


@asynccontextmanager
async def raw_socket(gateway: Served, query: str) -> AsyncIterator[asyncio.StreamWriter]:
    """A socket with one live operation, of which nothing is read; at the end it is cut."""
    async with unread_connection(gateway) as (reader, writer):
        writer.write(HANDSHAKE.format(host=gateway.host).encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(client_frame(b'{"type":"connection_init"}'))
        await reader.readuntil(b"}")
        message = b'{"id":"1","type":"subscribe","payload":{"query":"%b"}}'
        writer.write(client_frame(message % query.encode()))
        yield writer


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
)


@asynccontextmanager
async def unread_connection(
    gateway: Served,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose system takes little, so that an unread answer stalls soon."""
    connection = system.socket()
    connection.setsockopt(system.SOL_SOCKET, system.SO_RCVBUF, 4096)
    connection.setblocking(False)
    address = (gateway.url.host, gateway.url.port)
    await asyncio.get_running_loop().sock_connect(connection, address)
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def client_frame(payload: bytes) -> bytes:
    """A error_boundary text frame of up to 125 bytes; the mask of zeros changes nothing."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload
