"""Who may open a GraphQL socket: origin, number and subprotocol, and then the upgrade.

What happens on the open socket is `websocket`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from aiohttp import web

from gateway.web.authentication import Authenticator, Grant, Refusal
from gateway.web.concurrency_limits import Places
from gateway.web.http_errors import HttpRefusal
from gateway.web.lingering import LingeringWebSocket
from gateway.web.masking import masked
from gateway.web.metrics import Metrics
from gateway.web.operations import AnswerEncoder, Operations
from gateway.web.origins import Origins
from gateway.web.request_id import request_id_of
from gateway.web.sessions import Sessions
from gateway.web.settings import WebSettings
from gateway.web.shutdown import Drain
from gateway.web.socket_outbox import SocketOutbox
from gateway.web.websocket_protocol import PROTOCOL, CloseCode
from gateway.web.websocket_session import GraphQLSocket, Introduce
from schema.ports import ErrorCode

_NEVER_WAIT_BYTES = 2**31
"""aiohttp would wait inside a send where nobody watches the peer; the outbox waits instead."""


class SocketDoor:
    """Opens sockets and keeps their number within limits."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        operations: Operations,
        encoder: AnswerEncoder,
        origins: Origins,
        drain: Drain,
        sessions: Sessions,
        ids: Callable[[], str],
        settings: WebSettings,
        metrics: Metrics,
    ) -> None:
        self._authenticator = authenticator
        self._operations = operations
        self._encoder = encoder
        self._origins = origins
        self._drain = drain
        self._sessions = sessions
        self._ids = ids
        self._settings = settings
        self._metrics = metrics
        self._places = Places(per_key_max=settings.sockets_per_viewer_max)
        self._strangers = Places(per_key_max=settings.sockets_unidentified_max)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket from its handshake to its end."""
        if self._drain.draining:
            message = "The gateway is stopping; connect again."
            raise HttpRefusal(503, ErrorCode.RATE_LIMITED, message, {"Retry-After": "1"})
        if not self._origins.admits(request):
            message = "Pages of this origin may not open sockets here."
            raise HttpRefusal(403, ErrorCode.FORBIDDEN, message)
        known = await self._authenticator.identify(request)
        with ExitStack() as held:
            if not self._take_place(held, known):
                headers = {"Retry-After": "10"}
                raise HttpRefusal(429, ErrorCode.RATE_LIMITED, _TOO_MANY, headers)
            return await self._upgrade(request, self._introduction(request, known, held))

    def _take_place(self, held: ExitStack, known: Grant | Refusal) -> bool:
        """Nobody knows yet who a stranger is (and a proxy gives all the same address), so
        strangers are counted together, until they say who they are or are closed for silence.
        """
        if isinstance(known, Grant):
            return held.enter_context(self._places.place(known.viewer.tenant))
        return held.enter_context(self._strangers.place(""))

    def _introduction(
        self, request: web.Request, known: Grant | Refusal, held: ExitStack
    ) -> Introduce:
        """Identifies by the payload of `connection_init` and moves to the viewer's own place."""

        async def introduce(payload: dict[str, Any] | None) -> Grant | Refusal:
            outcome = await self._authenticator.identify(request, payload)
            if isinstance(outcome, Refusal) or _same_tenant(known, outcome):
                return outcome
            held.close()
            if self._take_place(held, outcome):
                return outcome
            return Refusal(ErrorCode.RATE_LIMITED, _TOO_MANY)

        return introduce

    async def _upgrade(self, request: web.Request, introduce: Introduce) -> web.StreamResponse:
        offered = _subprotocols(request)
        websocket = LingeringWebSocket(
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
        outbox = SocketOutbox(
            websocket=websocket,
            writer=writer,
            protocol=request.protocol,
            transport=transport,
            settings=self._settings,
        )
        if PROTOCOL not in offered:
            await outbox.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return websocket
        await self._serve(request, websocket, outbox, introduce)
        return websocket

    async def _serve(
        self,
        request: web.Request,
        websocket: web.WebSocketResponse,
        outbox: SocketOutbox,
        introduce: Introduce,
    ) -> None:
        graphql_socket = GraphQLSocket(
            websocket=websocket,
            outbox=outbox,
            introduce=introduce,
            operations=self._operations,
            encoder=self._encoder,
            sessions=self._sessions,
            ids=self._ids,
            settings=self._settings,
        )

        async def go_away() -> None:
            await outbox.close(CloseCode.GOING_AWAY, "The gateway is stopping; connect again.")

        with self._drain.closing_with(go_away), self._metrics.socket_open():
            failure = await masked(graphql_socket.serve(), request_id=request_id_of(request))
        if failure is not None:
            await outbox.close(CloseCode.INTERNAL_ERROR, "Internal error")


def is_upgrade(request: web.Request) -> bool:
    """Whether the client asks for a WebSocket on the URL of the HTTP endpoint."""
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def _subprotocols(request: web.Request) -> tuple[str, ...]:
    offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(name.strip() for name in offered.split(",") if name.strip())


def _same_tenant(known: Grant | Refusal, found: Grant) -> bool:
    return isinstance(known, Grant) and known.viewer.tenant == found.viewer.tenant


_TOO_MANY = "Too many sockets are open; close some first."
