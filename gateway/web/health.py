"""Whether the process lives and whether it should get traffic.

Liveness looks at nothing but the event loop: restarting does not mend a broken dependency.
Readiness asks each named dependency and must not tell strangers more than which one fails. Probes
come every few seconds, so our log hears of a dependency when it goes and when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.web.connections import Shutdown
from gateway.web.http_errors import error_boundary, json_response
from gateway.web.middleware import request_id_of

Ping = Callable[[], Awaitable[None]]
"""Returns when its dependency works; raises `OSError` when it does not. Read-only and cheap."""

_log = logging.getLogger("gateway.web")


@dataclass(frozen=True, slots=True)
class Health:
    """The two pages that probes ask for."""

    pings: Mapping[str, Ping]
    shutdown: Shutdown
    timeout_seconds: float
    _away: set[str] = field(default_factory=set)

    async def live(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(self, request: web.Request) -> web.Response:
        """200 when every check passes and the process is not about to stop, else 503."""
        request_id = request_id_of(request)
        outcomes = await asyncio.gather(
            *(
                error_boundary(self._works(name, ping), request_id=request_id)
                for name, ping in self.pings.items()
            )
        )
        checks = {
            name: "ok" if outcome is True else "failed"
            for name, outcome in zip(self.pings, outcomes, strict=True)
        }
        checks["accepting"] = "draining" if self.shutdown.has_begun else "ok"
        ready = all(outcome == "ok" for outcome in checks.values())
        return json_response({"ready": ready, "checks": checks}, 200 if ready else 503)

    async def _works(self, name: str, ping: Ping) -> bool:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await ping()
        except OSError as trouble:  # A TimeoutError is one.
            if name not in self._away:
                _log.warning("Not ready: %s: %s", name, str(trouble) or type(trouble).__name__)
            self._away.add(name)
            return False
        if name in self._away:
            _log.warning("Ready again: %s", name)
        self._away.discard(name)
        return True
