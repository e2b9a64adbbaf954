"""Who may open a GraphQL socket: origin, number and subprotocol, and then the upgrade.

What happens on the open socket is `websocket_session`'s.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from aiohttp import web

from gateway.callers import Grant
from gateway.web.authentication import Refusal
from gateway.web.concurrency_limits import ConcurrencyLimit
from gateway.web.http_errors import HttpRefusal, error_boundary
from gateway.web.middleware import request_id_of
from gateway.web.services import Services
from gateway.web.websocket_protocol import (
    PROTOCOL,
    CloseCode,
    LingeringCloseWebSocket,
    SocketSender,
)
from gateway.web.websocket_session import Authenticate, WebSocketSession
from schema.ports import ErrorCode

_NEVER_WAIT_BYTES = 2**31
"""aiohttp would wait inside a send where nobody watches the peer; the sender waits instead."""


class WebSocketEndpoint:
    """Opens sockets and keeps their number within limits."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = settings = services.settings
        self._identified = ConcurrencyLimit(per_key_max=settings.sockets_per_viewer_max)
        self._unidentified = ConcurrencyLimit(per_key_max=settings.sockets_unidentified_max)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket from its handshake to its end."""
        if self._services.shutdown.has_begun:
            message = "The gateway is stopping; connect again."
            raise HttpRefusal(503, ErrorCode.RATE_LIMITED, message, {"Retry-After": "1"})
        if not self._services.origins.admits(request):
            message = "Pages of this origin may not open sockets here."
            raise HttpRefusal(403, ErrorCode.FORBIDDEN, message)
        known = await self._services.authenticator.identify(request)
        with ExitStack() as held:
            if not self._take_slot(held, known):
                headers = {"Retry-After": "10"}
                raise HttpRefusal(429, ErrorCode.RATE_LIMITED, _TOO_MANY, headers)
            return await self._upgrade(request, self._authentication(request, known, held))

    def _take_slot(self, held: ExitStack, known: Grant | Refusal) -> bool:
        """Nobody knows yet who a stranger is (and a proxy gives all the same address), so
        strangers are counted together, until they say who they are or are closed for silence.
        """
        if isinstance(known, Grant):
            return held.enter_context(self._identified.slot(known.viewer.tenant))
        return held.enter_context(self._unidentified.slot(""))

    def _authentication(
        self, request: web.Request, known: Grant | Refusal, held: ExitStack
    ) -> Authenticate:
        """Identifies by the payload of `connection_init` and moves to the viewer's own slot."""

        async def authenticate(payload: dict[str, Any] | None) -> Grant | Refusal:
            outcome = await self._services.authenticator.identify(request, payload)
            if isinstance(outcome, Refusal) or _same_tenant(known, outcome):
                return outcome
            held.close()
            if self._take_slot(held, outcome):
                return outcome
            return Refusal(ErrorCode.RATE_LIMITED, _TOO_MANY)

        return authenticate

    async def _upgrade(
        self, request: web.Request, authenticate: Authenticate
    ) -> web.StreamResponse:
        offered = _subprotocols(request)
        websocket = LingeringCloseWebSocket(
            # A client learns why (4406) only if the handshake itself gives it what it asked for.
            protocols=(PROTOCOL,) if PROTOCOL in offered else offered[:1],
            timeout=self._settings.close_timeout_seconds,
            heartbeat=self._settings.socket_ping_seconds,
            max_msg_size=self._settings.frame_bytes_max,
            compress=False,
            writer_limit=_NEVER_WAIT_BYTES,
        )
        websocket.linger_seconds = self._settings.close_timeout_seconds
        writer = await websocket.prepare(request)
        transport = request.transport
        if transport is None:
            return websocket
        sender = SocketSender(
            websocket=websocket,
            writer=writer,
            protocol=request.protocol,
            transport=transport,
            settings=self._settings,
        )
        if PROTOCOL not in offered:
            await sender.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return websocket
        await self._serve(request, websocket, sender, authenticate)
        return websocket

    async def _serve(
        self,
        request: web.Request,
        websocket: web.WebSocketResponse,
        sender: SocketSender,
        authenticate: Authenticate,
    ) -> None:
        session = WebSocketSession(self._services, websocket, sender, authenticate)

        async def go_away() -> None:
            await sender.close(CloseCode.GOING_AWAY, "The gateway is stopping; connect again.")

        with self._services.shutdown.closing_with(go_away), self._services.metrics.socket_open():
            failure = await error_boundary(session.serve(), request_id=request_id_of(request))
        if failure is not None:
            await sender.close(CloseCode.INTERNAL_ERROR, "Internal error")


def is_upgrade(request: web.Request) -> bool:
    """Whether the client asks for a WebSocket on the URL of the HTTP endpoint."""
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def _subprotocols(request: web.Request) -> tuple[str, ...]:
    offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(name.strip() for name in offered.split(",") if name.strip())


def _same_tenant(known: Grant | Refusal, found: Grant) -> bool:
    return isinstance(known, Grant) and known.viewer.tenant == found.viewer.tenant


_TOO_MANY = "Too many sockets are open; close some first."
