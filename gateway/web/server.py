"""aiohttp's server with our times, and our answer to what is not HTTP at all.

Only what an application cannot set for itself is here. It opens no port: sites do.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gateway.settings import WebSettings
from gateway.web.http_errors import CLOSE, HttpRefusal
from gateway.web.middleware import SECURITY_HEADERS

_LINGERING_SECONDS = 1.0
"""How long the rest of a refused body is thrown away, so that its sender can read the refusal."""

_TOO_MANY_HEADERS = "Too many headers"
"""aiohttp has no class of its own for it (3.14.5); a test fails if the words move."""

_log = logging.getLogger("gateway.web")


def make_runner(app: web.Application, settings: WebSettings) -> web.AppRunner:
    """A runner for the application of `create_app`.

    A client that goes cancels its request, half a request head is dropped in time, and nothing
    unpacks a compressed body.
    """
    return _Runner(
        app,
        {
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
    """Answers what cannot be parsed without aiohttp's banner, its echo and its traceback."""

    __slots__ = ()

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
