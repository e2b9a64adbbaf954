"""Puts the web layer together: routes, middleware, headers and the order of the shutdown.

Everything it needs is given; it reads no environment, builds no page and opens no port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from aiohttp import web

from gateway.callers.registry import Callers
from gateway.execution.operation import Runner
from gateway.settings import WebSettings
from gateway.web.authentication import Authenticator
from gateway.web.connections import Shutdown
from gateway.web.graphql_endpoint import CONSOLE_POLICY, GraphQLEndpoint
from gateway.web.health import Health, Ping
from gateway.web.metrics import Metrics
from gateway.web.middleware import add_headers, error_middleware
from gateway.web.operations import Operations, Services
from gateway.web.origins import Origins
from gateway.web.request_body import asked_later

PATH = "/graphql"
CONSOLE_PATH = "/console/"
_ASSETS_PATH = "/console/assets/"

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
    `callers` are those whose rights may change while it runs."""
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
    health = Health(pings, shutdown, settings.check_timeout_seconds)
    app.router.add_route("*", PATH, endpoint.handle, expect_handler=asked_later)
    app.router.add_get("/livez", health.live)
    app.router.add_get("/readyz", health.ready)
    if console_directory is not None:
        app.router.add_static(CONSOLE_PATH, console_directory)
        app.on_response_prepare.append(_add_console_headers)
    app.on_response_prepare.append(partial(add_headers, services.origins))

    async def finish(_app: web.Application) -> None:
        await shutdown.finish(timeout_seconds=settings.shutdown_timeout_seconds)

    app.on_shutdown.append(finish)
    return app


async def _add_console_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For the files that the page loads. Their names carry a hash, so they never change; they need
    the page's policy, as a worker is held to that of its own script."""
    if request.path.startswith(CONSOLE_PATH) and response.status < 400:
        response.headers["Content-Security-Policy"] = CONSOLE_POLICY
        if request.path.startswith(_ASSETS_PATH):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
