"""Serving until told to stop: the gateway, the sandbox, or one against the other.

Opens ports and listens to signals; everything else is made by `composition` and `sandbox`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from aiohttp import web
from pydantic import SecretStr

from gateway.clock import RandomIds, SystemClock
from gateway.composition.gateway import WEBHOOK_PATH, make_web_app, opened_gateway
from gateway.composition.upstream import connected, seeded_twin
from gateway.events.hints import THIN_TYPES
from gateway.settings import Settings, SettingsRefused
from gateway.web.app import SHUTDOWN, make_runner
from gateway.web.metrics import PATH as METRICS_PATH
from gateway.web.metrics import Metrics, metrics_app
from schema.ports import Meter

if TYPE_CHECKING:
    from gateway.backends.memory.twin import Twin
    from gateway.sandbox.stripe_api import Sandbox

log = logging.getLogger(__name__)

SANDBOX_KEY = "sk_test_sandbox"
SANDBOX_CALLS_PER_SECOND = 1000.0
"""A sandbox has no limit to be kept."""
COLLECTED_AFTER = 10_000
"""New objects that are there at once before the youngest are looked through; Python's own 700 are
looked through several times for one list."""
BACKGROUND_AFTER_SECONDS = 1.0
"""What is done beside the serving waits until the first callers have been served: it loads Stripe's
SDK, which would keep them waiting."""
FIRST_QUERY = (
    '{ invoice(id: "in_demo_paid_by_two") { number status amountPaid { formatted } '
    "payments { nodes { id amountPaid { formatted } paymentIntent { id status } } } } }"
)


async def serve_gateway(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs."""
    stopped = _stop_signal()
    async with _listening(settings) as port:
        _leave_the_start_alone()
        typer.echo(_greeting(settings, port))
        await stopped.wait()


def _leave_the_start_alone() -> None:
    """What the start has made stays, and is never looked through for cycles: it has next to none.
    Those of requests are looked for less often, as a large answer alone makes thousands."""
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


async def serve_sandbox(
    port: int, fixtures: Path | None, calls_per_second: float | None = None
) -> None:
    """Serve the sandbox by itself until SIGINT or SIGTERM."""
    from gateway.sandbox.stripe_api import running_sandbox

    stopped = _stop_signal()
    async with running_sandbox(
        _twin(fixtures), port=port, calls_per_second=calls_per_second
    ) as sandbox:
        typer.echo(
            f"\n  Sandbox of Stripe's API\n  Base     {sandbox.url}\n  Key      {SANDBOX_KEY}\n"
            "  Stop     Ctrl+C\n"
        )
        await stopped.wait()


async def serve_with_sandbox(settings: Settings, sandbox_port: int) -> None:
    """Serve the Stripe backend against a sandbox of its own, with webhooks flowing back."""
    from gateway.sandbox.stripe_api import running_sandbox

    stopped = _stop_signal()
    async with running_sandbox(_twin(settings.fixtures), port=sandbox_port) as sandbox:
        against = _against(settings, sandbox)
        secrets = await _register(against)
        against = against.model_copy(update={"stripe_webhook_secrets": SecretStr(secrets)})
        async with _listening(against, sandbox.twin) as port:
            _leave_the_start_alone()
            sandbox_line = f"  Sandbox  {sandbox.url} (key {SANDBOX_KEY})\n"
            typer.echo(_greeting(against, port) + sandbox_line)
            await stopped.wait()


def _twin(fixtures: Path | None) -> Twin:
    return seeded_twin(fixtures, SystemClock(), RandomIds())


def _against(settings: Settings, sandbox: Sandbox) -> Settings:
    """The same gateway with Stripe's backend, pointed at the sandbox. Its log is as short-lived
    as the sandbox itself."""
    return settings.model_copy(
        update={
            "backend": "stripe",
            "fixtures": None,
            "port": settings.port or _free_port(settings.host),
            "stripe_api_key": SecretStr(SANDBOX_KEY),
            "stripe_api_base": sandbox.url,
            "stripe_calls_per_second": SANDBOX_CALLS_PER_SECOND,
            "stripe_endpoint_calls_per_second": SANDBOX_CALLS_PER_SECOND,
            "log": "memory",
        }
    )


def _free_port(host: str) -> int:
    """A port that is free now: the webhook's address must be known before the gateway listens."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


async def _register(settings: Settings) -> str:
    """Register the gateway at the sandbox, for all snapshot events and for the thin events about
    what these do not tell, such as an attach; the signing secrets as the settings take them."""
    from gateway.backends.stripe.registered import DESTINATIONS, ENDPOINTS, THIN, WEBHOOK

    url = f"http://127.0.0.1:{settings.port}{WEBHOOK_PATH}"
    endpoint = {"url": url, "enabled_events": ["*"], "api_version": settings.stripe_version}
    destination = {
        "name": "Demo",
        "type": WEBHOOK,
        "event_payload": THIN,
        "enabled_events": list(THIN_TYPES),
        WEBHOOK: {"url": url},
        "include": [f"{WEBHOOK}.signing_secret"],
    }
    meter = Meter("gateway")
    async with connected(settings) as api:
        made = await api.post(ENDPOINTS, endpoint, meter, idempotency_key="register")
        thin = await api.post(DESTINATIONS, destination, meter, idempotency_key="register-thin")
    return f"{made.body['secret']},{thin.body[WEBHOOK]['signing_secret']}"


@asynccontextmanager
async def _listening(settings: Settings, twin: Twin | None = None) -> AsyncIterator[int]:
    """A gateway on its port; answers which one that is. `twin` is that of its sandbox."""
    async with (
        opened_gateway(settings, with_background=False) as gateway,
        _metrics_listening(settings, gateway.metrics),
    ):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.rereading.again)
        application = make_web_app(gateway, twin=twin)
        runner = make_runner(application, settings)
        await runner.setup()
        loop = asyncio.get_running_loop()
        later = loop.call_later(BACKGROUND_AFTER_SECONDS, gateway.start_background)
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
            yield int(runner.addresses[0][1])
        finally:
            later.cancel()
            application[SHUTDOWN].begin()
            await runner.cleanup()


@asynccontextmanager
async def _metrics_listening(settings: Settings, metrics: Metrics) -> AsyncIterator[None]:
    """The page of metrics on its own port, if there is to be one. Raises `SettingsRefused`."""
    if settings.metrics_port is None:
        yield
        return
    runner = web.AppRunner(metrics_app(metrics), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.metrics_host, settings.metrics_port).start()
        except OSError as error:
            raise SettingsRefused(
                f"The metrics cannot be served on {settings.metrics_host}:{settings.metrics_port}: "
                f"{error.strerror or error}. Choose another GATEWAY_METRICS_PORT or "
                "GATEWAY_METRICS_HOST."
            ) from error
        host, port = runner.addresses[0][:2]
        log.info("metrics are at http://%s:%d%s", host, port, METRICS_PATH)
        yield
    finally:
        await runner.cleanup()


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    return stopped


def _greeting(settings: Settings, port: int) -> str:
    """Where it is, and what to do there: on the page, or, where there is none, as a caller."""
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    if settings.gives_page:
        first_step = f"Paste    {FIRST_QUERY}"
    else:
        first_step = "Callers  send Authorization: Bearer and their token"
    console = f"  Console  http://{host}:{port}/\n" if settings.gives_console else ""
    return (
        f"\n  Invoice payments gateway, backend: {settings.backend}\n"
        f"{console}"
        f"  Open     http://{host}:{port}/graphql\n"
        f"  {first_step}\n"
        "  Stop     Ctrl+C\n"
    )
