"""Puts the web layer together: routes, middleware, headers and the order of the shutdown.

Everything it needs is given; it reads no environment and opens no port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web

from gateway.callers.registry import Callers
from gateway.execution.operation import Runner
from gateway.settings import WebSettings
from gateway.web.authentication import Authenticator
from gateway.web.connections import Shutdown
from gateway.web.graphiql import add_console_files
from gateway.web.graphql_endpoint import GraphQLEndpoint
from gateway.web.health import Health, Ping
from gateway.web.metrics import Metrics
from gateway.web.middleware import add_headers, error_middleware
from gateway.web.operations import Operations
from gateway.web.origins import Origins
from gateway.web.request_body import asked_later
from gateway.web.services import Services

PATH = "/graphql"

SHUTDOWN = web.AppKey("shutdown", Shutdown)
"""Call `app[SHUTDOWN].begin()` as soon as a stop is asked for: readiness turns false at once."""


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
    endpoint = GraphQLEndpoint(services, page)
    health = Health(pings, shutdown, timeout_seconds=settings.check_timeout_seconds)
    app.router.add_route("*", PATH, endpoint.handle, expect_handler=asked_later)
    app.router.add_get("/livez", health.live)
    app.router.add_get("/readyz", health.ready)
    if console_directory is not None:
        add_console_files(app, console_directory)
    app.on_response_prepare.append(add_headers(services.origins))

    async def finish(_app: web.Application) -> None:
        await shutdown.finish(timeout_seconds=settings.shutdown_timeout_seconds)

    app.on_shutdown.append(finish)
    return app
