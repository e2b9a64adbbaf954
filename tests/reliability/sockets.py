"""Sockets and event streams of partners, and of those who only pretend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.callers.desk import bearer
from tests.reliability.public import HANG_SECONDS_MAX, PARTNER, Public

PROTOCOL = "graphql-transport-ws"
EVENTS = """subscription ($filter: InvoicePaymentEventFilter, $after: EventCursor) {
  invoicePaymentEvents(filter: $filter, after: $after) {
    __typename
    ... on StreamCheckpoint { cursor }
    ... on StreamGap { reason }
    ... on InvoicePaymentEvent { cursor type invoiceId invoice { status } }
  } }"""

Socket = ClientWebSocketResponse


@asynccontextmanager
async def opened(
    public: Public, *, protocols: tuple[str, ...] = (PROTOCOL,), **headers: str
) -> AsyncIterator[Socket]:
    """After the handshake; nothing has been said."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with public.session.ws_connect(
        public.url, protocols=protocols, headers=given, max_msg_size=0
    ) as socket:
        yield socket


@asynccontextmanager
async def introduced(public: Public, token: str = PARTNER) -> AsyncIterator[Socket]:
    """Acknowledged, and ready for operations."""
    async with opened(public) as socket:
        await init(socket, token)
        assert await received(socket) == {"type": "connection_ack"}
        yield socket


async def init(socket: Socket, token: str | None = PARTNER) -> None:
    payload = {} if token is None else bearer(token)
    await socket.send_json({"type": "connection_init", "payload": payload})


async def subscribe(
    socket: Socket, query: str = EVENTS, *, id: str = "1", **variables: Any
) -> None:
    payload = {"query": query, "variables": variables}
    await socket.send_json({"id": id, "type": "subscribe", "payload": payload})


async def received(socket: Socket) -> Any:
    return await socket.receive_json(timeout=HANG_SECONDS_MAX)


async def item(socket: Socket) -> dict[str, Any]:
    """The next item of the one subscription of this socket."""
    message = await received(socket)
    assert message["type"] == "next", message
    found: dict[str, Any] = message["payload"]["data"]["invoicePaymentEvents"]
    return found


async def closed(socket: Socket) -> tuple[int | None, str]:
    """The code and the reason with which the server closes, whatever it says before."""
    while True:
        frame = await socket.receive(timeout=HANG_SECONDS_MAX)
        if frame.type is WSMsgType.CLOSE:
            return frame.data, frame.extra or ""
        if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
            return socket.close_code, ""


async def handshake_status(public: Public, **headers: Any) -> int:
    try:
        async with opened(public, **headers):
            return 101
    except WSServerHandshakeError as error:
        return error.status


@asynccontextmanager
async def streaming(
    public: Public, token: str = PARTNER, **variables: Any
) -> AsyncIterator[ClientResponse]:
    """The same subscription as server-sent events."""
    headers = {"Accept": "text/event-stream", **bearer(token)}
    body = {"query": EVENTS, "variables": variables}
    async with public.session.post(public.url, json=body, headers=headers) as response:
        yield response


async def event(response: ClientResponse) -> str:
    """The next event that is no comment."""
    async with asyncio.timeout(HANG_SECONDS_MAX):
        while True:
            text = (await response.content.readuntil(b"\n\n")).decode()
            if not text.startswith(":"):
                return text
