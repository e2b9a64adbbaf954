"""A socket after its handshake: its connection serves it, and nothing of the request is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.callers import Grant
from gateway.web.authentication import DevelopmentAuthenticator, Refusal
from tests.web.serving import Serve, Served
from tests.web.sockets import (
    HANDSHAKE,
    TIMEOUT_SECONDS,
    acknowledged,
    client_frame,
    handshake_status,
    unread_connection,
)


async def test_a_quiet_socket_holds_nothing_of_its_request(gateway: Served) -> None:
    """Request, head, and the tasks and frames that led to the handshake took ten kilobytes of each
    socket for as long as it was open."""
    mark = {"X-Request-Id": "of-a-quiet-socket"}

    async with acknowledged(gateway, headers=mark):
        gc.collect()
        held = [
            one
            for one in gc.get_objects()
            if isinstance(one, web.BaseRequest) and one.headers.get("X-Request-Id") in mark.values()
        ]

    assert held == []


async def test_frames_may_come_with_the_handshake(gateway: Served) -> None:
    """In one piece with it, as from a client that does not wait: none is lost while the connection
    goes over from the request to the socket."""
    frames = [b'{"type":"ping","payload":{"n":1}}', b'{"type":"connection_init"}']

    async with unread_connection(gateway) as (reader, writer):
        head = HANDSHAKE.format(host=gateway.host).encode()
        writer.write(head + b"".join(map(client_frame, frames)))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            said = await reader.readuntil(b'"connection_ack"}')

    assert b'"pong"' in said


class _Losing(DevelopmentAuthenticator):
    """The first connection is lost between the end of its request and the start of its socket."""

    has_lost = False

    async def identify(
        self, request: web.Request, connection_params: Mapping[str, Any] | None = None
    ) -> Grant | Refusal:
        if not self.has_lost:
            self.has_lost = True
            loop, transport = asyncio.get_running_loop(), request.transport
            assert transport is not None
            loop.call_soon(request.protocol.connection_lost, None)
            loop.call_soon(transport.abort)
        return await super().identify(request, connection_params)


async def test_a_connection_lost_with_its_handshake_frees_its_place(serve: Serve) -> None:
    """Otherwise each of them would keep one of its caller's sockets for ever."""
    gateway = await serve(authenticator=_Losing(), sockets_per_viewer_max=1)

    statuses = [await handshake_status(gateway, {}) for _ in range(2)]

    assert statuses == [101, 101]
