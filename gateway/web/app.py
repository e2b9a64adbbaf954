"""Puts the web layer together: routes, middleware, headers and the order of the shutdown.

Everything it needs is given; it reads no environment and opens no port.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.callers.registry import Callers
from gateway.execution.operation import Runner
from gateway.web.authentication import Authenticator
from gateway.web.framing import asked_later
from gateway.web.graphiql import add_console_files
from gateway.web.graphql_endpoint import GraphQLView
from gateway.web.health import Health, Ping
from gateway.web.metrics import Metrics
from gateway.web.middleware import add_headers, error_middleware
from gateway.web.operations import AnswerEncoder, Operations
from gateway.web.origins import Origins
from gateway.web.sessions import Sessions, everybody_stays
from gateway.web.settings import WebSettings
from gateway.web.shutdown import Drain
from gateway.web.sse import EventStreams
from gateway.web.websocket_endpoint import SocketDoor

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
    callers: Callers | None = None,
    metrics: Metrics | None = None,
) -> web.Application:
    """The application. Serve it with `server.make_runner`, which sets what an app cannot.

    `callers` are those whose rights may change while it runs.
    """
    drain = Drain(mutations_max=settings.mutations_under_way_max)
    origins = _origins(settings, callers)
    sessions = _sessions(callers)
    metrics = metrics or Metrics()
    app = web.Application(middlewares=[error_middleware(ids, metrics.request_refused)])
    app[DRAIN] = drain
    view = _view(runner, authenticator, drain, origins, sessions, ids, settings, page, metrics)
    health = Health(pings, drain, timeout_seconds=settings.check_timeout_seconds)
    app.router.add_route("*", settings.path, view.handle, expect_handler=asked_later)
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
    sessions: Sessions,
    ids: Callable[[], str],
    settings: WebSettings,
    page: bytes | None,
    metrics: Metrics,
) -> GraphQLView:
    operations = Operations(runner, drain, metrics)
    encoder = AnswerEncoder()
    sockets = SocketDoor(
        authenticator=authenticator,
        operations=operations,
        encoder=encoder,
        origins=origins,
        drain=drain,
        sessions=sessions,
        ids=ids,
        settings=settings,
        metrics=metrics,
    )
    return GraphQLView(
        authenticator=authenticator,
        operations=operations,
        encoder=encoder,
        streams=EventStreams(settings, drain, encoder, sessions, metrics),
        sockets=sockets,
        origins=origins,
        page=page,
        settings=settings,
    )


def _origins(settings: WebSettings, callers: Callers | None) -> Origins:
    if callers is None:
        return Origins(settings.allowed_origins, more_headers=settings.allowed_headers)
    return Origins(
        settings.allowed_origins,
        lambda: callers.origins,
        more_headers=settings.allowed_headers,
    )


def _sessions(callers: Callers | None) -> Sessions:
    if callers is None:
        return Sessions(everybody_stays)
    sessions = Sessions(callers.standing)
    callers.listen(sessions.review)
    return sessions


def _finish(
    drain: Drain, settings: WebSettings
) -> Callable[[web.Application], Coroutine[Any, Any, None]]:
    async def finish(app: web.Application) -> None:
        await drain.finish(timeout_seconds=settings.drain_timeout_seconds)

    return finish
