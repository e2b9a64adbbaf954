"""Whether the process lives and whether it should get traffic.

Liveness looks at nothing but the event loop: restarting does not mend a broken dependency.
Readiness asks each named dependency and must not tell strangers more than which one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.web.drain import Drain
from gateway.web.masking import masked
from gateway.web.refusals import json_response
from gateway.web.request_id import request_id_of

Ping = Callable[[], Awaitable[None]]
"""Returns when its dependency works and raises when it does not; read-only and cheap."""


class Health:
    """The two pages that probes ask for."""

    def __init__(self, pings: Mapping[str, Ping], drain: Drain, *, timeout_seconds: float) -> None:
        self._pings = pings
        self._drain = drain
        self._timeout_seconds = timeout_seconds

    async def live(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(self, request: web.Request) -> web.Response:
        """200 when every check passes and the process is not about to stop, else 503."""
        request_id = request_id_of(request)
        outcomes = await asyncio.gather(
            *(self._check(ping, request_id) for ping in self._pings.values())
        )
        checks = dict(zip(self._pings, outcomes, strict=True))
        checks["accepting"] = "draining" if self._drain.draining else "ok"
        ready = all(outcome == "ok" for outcome in checks.values())
        return json_response({"ready": ready, "checks": checks}, 200 if ready else 503)

    async def _check(self, ping: Ping, request_id: str) -> str:
        async def within_time() -> None:
            async with asyncio.timeout(self._timeout_seconds):
                await ping()

        failure = await masked(within_time(), request_id=request_id)
        return "ok" if failure is None else "failed"
