"""Puts the web layer together: routes, middleware, headers and the order of the shutdown, and
aiohttp's server with our times and our answer to what is not HTTP at all.

Everything it needs is given; it reads no environment, builds no page and opens no port: sites do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gateway.callers.registry import Callers
from gateway.execution.operation import Runner
from gateway.settings import WebSettings
from gateway.web.authentication import Authenticator
from gateway.web.connections import Shutdown
from gateway.web.fast_lane import END, FastLane, head_of
from gateway.web.graphql_endpoint import GRAPHIQL_POLICY, GraphQLEndpoint
from gateway.web.health import Health, Ping
from gateway.web.http_errors import CLOSE, HttpRefusal
from gateway.web.metrics import Metrics
from gateway.web.middleware import SECURITY_HEADERS, add_headers, error_middleware
from gateway.web.operations import Operations, Services
from gateway.web.origins import Origins
from gateway.web.request_body import asked_later
from gateway.web.websocket_protocol import ProtocolSocket

PATH = "/graphql"
SCHEMA_PATH = "/schema.graphql"
CONSOLE_PATH = "/console/"
CONSOLE_VIEWS = ("/", "/invoices/{id}")
"""Where the console's one page is: its own script shows what the address says."""
CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS_PATH = "/console/assets/"

SHUTDOWN = web.AppKey("shutdown", Shutdown)
"""Call `app[SHUTDOWN].begin()` as soon as a stop is asked for: readiness turns false at once."""

FAST_LANE = web.AppKey("fast_lane", FastLane)

_LINGERING_SECONDS = 1.0
"""How long the rest of a refused body is thrown away, so that its sender can read the refusal."""

_TOO_MANY_HEADERS = "Too many headers"
"""aiohttp has no class of its own for it (3.14.5); a test fails if the words move."""

_NO_MESSAGES: deque[Any] = deque(maxlen=0)
"""Of all sockets: none of them is given a request any more."""

_log = logging.getLogger("gateway.web")


def create_app(
    *,
    runner: Runner,
    authenticator: Authenticator,
    pings: Mapping[str, Ping],
    ids: Callable[[], str],
    settings: WebSettings,
    page: bytes | None,
    console_directory: Path | None,
    console_page: bytes | None = None,
    callers: Callers | None = None,
    metrics: Metrics | None = None,
    sdl: Callable[[], str] | None = None,
) -> web.Application:
    """The application. Serve it with `make_runner`, which sets what an app cannot.
    `page` is that of GraphiQL, and `console_page` that of `/`, which is not found without.
    `callers` are those whose rights may change while it runs; `sdl` prints the schema."""
    shutdown = Shutdown(mutations_max=settings.mutations_under_way_max)
    metrics, callers = metrics or Metrics(), callers or Callers()
    services = Services(
        settings=settings,
        authenticator=authenticator,
        operations=Operations(runner, shutdown, metrics),
        origins=Origins(settings.allowed_origins, callers, settings.allowed_headers),
        callers=callers,
        shutdown=shutdown,
        metrics=metrics,
        new_id=ids,
    )
    app = web.Application(middlewares=[error_middleware(ids, metrics.request_refused)])
    app[SHUTDOWN] = shutdown
    endpoint = GraphQLEndpoint(services, page, sdl)
    health = Health(pings, shutdown, settings.check_timeout_seconds)
    app[FAST_LANE] = endpoint.fast_lane
    app.router.add_route("*", PATH, endpoint.handle, expect_handler=asked_later)
    if sdl is not None:
        app.router.add_get(SCHEMA_PATH, endpoint.schema)
    app.router.add_get("/livez", health.live)
    app.router.add_get("/readyz", health.ready)
    if console_page is not None:
        for path in CONSOLE_VIEWS:
            app.router.add_get(path, partial(_give_console, console_page))
    if console_directory is not None:
        app.router.add_static(CONSOLE_PATH, console_directory)
        app.on_response_prepare.append(_add_console_headers)
    app.on_response_prepare.append(partial(add_headers, services.origins))

    async def finish(_app: web.Application) -> None:
        await shutdown.finish(timeout_seconds=settings.shutdown_timeout_seconds)

    app.on_shutdown.append(finish)
    return app


async def _give_console(page: bytes, request: web.Request) -> web.Response:
    policy = {"Content-Security-Policy": CONSOLE_POLICY}
    return web.Response(body=page, content_type="text/html", charset="utf-8", headers=policy)


async def _add_console_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For the files that the page loads. Their names carry a hash, so they never change; they need
    the page's policy, as a worker is held to that of its own script."""
    if request.path.startswith(CONSOLE_PATH) and response.status < 400:
        response.headers["Content-Security-Policy"] = GRAPHIQL_POLICY
        if request.path.startswith(_ASSETS_PATH):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"


def make_runner(app: web.Application, settings: WebSettings) -> web.AppRunner:
    """A runner for the application of `create_app`.

    A client that goes cancels its request, half a request head is dropped in time, and nothing
    unpacks a compressed body.
    """
    return _Runner(
        app,
        {
            "lane": app[FAST_LANE],
            "auto_decompress": False,
            "keepalive_timeout": settings.head_timeout_seconds,
            "lingering_time": _LINGERING_SECONDS,
            "access_log": None,
        },
        handler_cancellation=True,
        shutdown_timeout=settings.shutdown_timeout_seconds,
    )


class _Runner(web.AppRunner):
    """Gives each connection to a `_Connection`."""

    def __init__(self, app: web.Application, connection: dict[str, Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._connection = connection

    @property
    def server(self) -> web.Server | None:
        """Sites call it for every new connection and ask nothing else of it."""
        server = super().server
        if server is None:
            return None
        loop = asyncio.get_running_loop()
        return cast(web.Server, partial(_Connection, server, loop=loop, **self._connection))


class _Connection(web.RequestHandler):
    """Sends what is known down the fast lane, and answers what cannot be parsed without aiohttp's
    banner, its echo and its traceback. A WebSocket is served here when its request is over.

    `_waiter`, `_messages`, `_upgraded`, `_close`, `_force_close`, `_next_keepalive_close_time`,
    `_keepalive_timeout`, `_parser`, `_task_handler`, `_manager` and `_reading_paused` are aiohttp's
    own (3.14.5); a test fails if they are gone.
    """

    __slots__ = ("_head", "_is_between", "_lane", "_socket")

    def __init__(self, *given: Any, lane: FastLane, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lane = lane
        self._is_between = True
        """Whether aiohttp has been given whole requests only."""
        self._head: bytes | None = None
        """Of the one request that is under way."""
        self._socket: ProtocolSocket | None = None
        """That stands, and whose request is not over yet."""

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        is_idle = waiter is not None and not waiter.done() and not self._messages
        if not data:  # aiohttp's own way to look at what it was given before.
            super().data_received(data)
            return
        if not self._is_between or not is_idle or self._upgraded:
            self._is_between, self._head = False, None
            super().data_received(data)
            return
        if self._is_answered(data):
            return
        super().data_received(data)
        message = self._messages[0][0] if len(self._messages) == 1 else None
        self._head = head_of(data, message)
        self._is_between = self._head is not None

    def _is_answered(self, data: bytes) -> bool:
        """Whether the lane could do it. Not while the client still has to take the last answer."""
        end = data.find(END) + len(END)
        transport = self.transport
        if transport is None or end < len(END) or self._close or self._force_close:
            return False
        if transport.get_write_buffer_size():
            return False
        response = self._lane.response_to(data, end)
        if response is None:
            return False
        transport.write(response)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    async def start(self) -> None:
        """aiohttp's way of requests, and then that of a socket: in between, all that was there for
        the handshake is gone."""
        try:
            await super().start()
        finally:
            socket, self._socket = self._socket, None
            if socket is not None:
                await self._go_on(socket)

    async def _go_on(self, socket: ProtocolSocket) -> None:
        transport, serve = socket.transport, socket.go_on
        assert serve is not None
        socket.go_on = None  # Or each would hold the other when they have ended.
        if self._manager is not None:  # Not lost meanwhile.
            self._resume(transport)
        try:
            await serve()
        finally:
            transport.close()

    def _resume(self, transport: asyncio.Transport) -> None:
        """Hold again what the end of the request would have closed, and only that."""
        self.transport, self._task_handler = transport, asyncio.current_task()
        self._parser, self._messages = None, _NO_MESSAGES
        if self._reading_paused:
            self._pause_transport_reading()
        if self._force_close:
            transport.close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, ProtocolSocket) and resp.go_on is not None:
            resp.let_go_of_the_request()
            self._socket, self.transport = resp, None  # aiohttp would close it now.
            return resp, False
        head, self._head = self._head, None
        finished = await super().finish_response(request, resp, start_time)
        if head is not None:
            self._lane.learn(head, request, resp)
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        _log.info("A request from %s was not HTTP: %s", request.remote, type(exc).__name__)
        # Without `Server` aiohttp would write its own name.
        headers = {**SECURITY_HEADERS, **CLOSE, "Server": ""}
        if isinstance(exc, LineTooLong) or _TOO_MANY_HEADERS in str(exc):
            return HttpRefusal(431, "The head of the request is too long.", headers).response()
        return HttpRefusal(400, "This is not a well-formed HTTP request.", headers).response()
