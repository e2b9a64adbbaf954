"""Puts the web layer together: routes, middleware, headers and the order of the shutdown.

Everything it needs is given; it reads no environment and opens no port.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.execution.operation import Runner
from gateway.web.auth import Authenticator
from gateway.web.drain import Drain
from gateway.web.graphql_view import GraphQLView
from gateway.web.health import Health, Ping
from gateway.web.middleware import add_headers, error_middleware
from gateway.web.operations import AnswerEncoder, Operations
from gateway.web.origins import Origins
from gateway.web.page import add_console_files
from gateway.web.settings import WebSettings
from gateway.web.socket_door import SocketDoor
from gateway.web.sse import EventStreams

DRAIN = web.AppKey("drain", Drain)
"""Call `app[DRAIN].begin()` as soon as a stop is asked for: readiness turns false at once."""


def create_app(
    *,
    runner: Runner,
    authenticator: Authenticator,
    pings: Mapping[str, Ping],
    ids: Callable[[], str],
    settings: WebSettings,
    page: bytes | None,
    console_directory: Path | None,
) -> web.Application:
    """The application. Serve it with `server.make_runner`, which sets what an app cannot."""
    drain = Drain(mutations_max=settings.mutations_under_way_max)
    origins = Origins(settings.allowed_origins)
    app = web.Application(middlewares=[error_middleware(ids)])
    app[DRAIN] = drain
    view = _view(runner, authenticator, drain, origins, ids, settings, page)
    health = Health(pings, drain, timeout_seconds=settings.check_timeout_seconds)
    app.router.add_route("*", settings.path, view.handle)
    app.router.add_get("/livez", health.live)
    app.router.add_get("/readyz", health.ready)
    if console_directory is not None:
        add_console_files(app, console_directory)
    app.on_response_prepare.append(add_headers(origins))
    app.on_shutdown.append(_finish(drain, settings))
    return app


def _view(
    runner: Runner,
    authenticator: Authenticator,
    drain: Drain,
    origins: Origins,
    ids: Callable[[], str],
    settings: WebSettings,
    page: bytes | None,
) -> GraphQLView:
    operations = Operations(runner, drain)
    encoder = AnswerEncoder()
    sockets = SocketDoor(
        authenticator=authenticator,
        operations=operations,
        encoder=encoder,
        origins=origins,
        drain=drain,
        ids=ids,
        settings=settings,
    )
    return GraphQLView(
        authenticator=authenticator,
        operations=operations,
        encoder=encoder,
        streams=EventStreams(settings, drain, encoder),
        sockets=sockets,
        origins=origins,
        page=page,
        settings=settings,
    )


def _finish(
    drain: Drain, settings: WebSettings
) -> Callable[[web.Application], Coroutine[Any, Any, None]]:
    async def finish(app: web.Application) -> None:
        await drain.finish(timeout_seconds=settings.drain_timeout_seconds)

    return finish
