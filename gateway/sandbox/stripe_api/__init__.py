"""The sandbox: the ledger spoken in Stripe's REST API, for clients without a Stripe account.

Any of Stripe's SDKs can drive it. It misbehaves on order, and tells what it served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.backends.memory.twin import Twin
from gateway.sandbox.stripe_api.control import routes
from gateway.sandbox.stripe_api.faults import Fault, FaultKind, Faults
from gateway.sandbox.stripe_api.server import BODY_BYTES_MAX, CLOSING_SECONDS, Sandbox
from gateway.sandbox.stripe_api.webhooks import RETRY_DELAYS_SECONDS

__all__ = ["Fault", "FaultKind", "Faults", "Sandbox", "running_sandbox"]


@asynccontextmanager
async def running_sandbox(
    twin: Twin,
    *,
    port: int = 0,
    retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    calls_per_second: float | None = None,
) -> AsyncIterator[Sandbox]:
    """The account of this twin behind Stripe's REST API, served on the loopback at its `url`.

    The twin's clock and ids are used throughout, and what happens on the twin from elsewhere is
    announced by webhooks as well. `retry_delays_seconds` are the waits before each next attempt.
    Beyond `calls_per_second` calls are answered 429, as Stripe does: 25 in test mode.
    """
    sandbox = Sandbox(twin, retry_delays_seconds, calls_per_second)
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_routes(routes(sandbox))
    app.router.add_route("*", "/{path:.*}", sandbox.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        await sandbox.webhooks.start()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        sandbox.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield sandbox
    finally:
        sandbox.closing.set()
        await runner.cleanup()
        if sandbox.events.take in twin.listeners:
            twin.listeners.remove(sandbox.events.take)
        await sandbox.webhooks.close()
