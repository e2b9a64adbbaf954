"""A whole gateway on the loopback, built by the same wiring as production, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from yarl import URL

from gateway.backends.memory.twin import Twin
from gateway.composition.gateway import Gateway, make_web_app, opened_gateway
from gateway.settings import Settings
from gateway.web.app import make_runner
from gateway.web.authentication import Authenticator
from tests.support.time_and_ids import CountingIds, ManualClock


@dataclass(slots=True)
class Served:
    """One running gateway and a session to talk to it."""

    gateway: Gateway
    session: ClientSession
    url: URL
    clock: ManualClock
    server: Any

    async def post(self, query: str, **variables: Any) -> dict[str, Any]:
        """The body of the answer to one operation over HTTP."""
        payload = {"query": query, "variables": variables}
        async with self.session.post(self.url / "graphql", json=payload) as response:
            body: dict[str, Any] = await response.json()
            return body

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer that must have no errors."""
        body = await self.post(query, **variables)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The errors of an answer that must have some."""
        body = await self.post(query, **variables)
        errors: list[dict[str, Any]] = body["errors"]
        return errors

    @property
    def requests_of_aiohttp(self) -> int:
        """How many requests have gone the long way."""
        count: int = self.server.args[0].requests_count
        return count

    async def settled(self) -> None:
        """Every event of the twin has been taken in."""
        assert self.gateway.deliveries is not None
        await self.gateway.deliveries.idle.wait()

    @property
    def twin(self) -> Twin:
        """The twin behind the memory backend."""
        assert self.gateway.twin is not None
        return self.gateway.twin


@asynccontextmanager
async def serving(
    *, fixtures: Path | None = None, authenticator: Authenticator | None = None, **settings: Any
) -> AsyncIterator[Served]:
    """A gateway with the demo data, or other fixtures, on a free port of the loopback."""
    clock = ManualClock(1_798_761_600)
    given = Settings(port=0, fixtures=fixtures, **settings)
    async with opened_gateway(given, clock=clock, ids=CountingIds()) as gateway:
        application = make_web_app(gateway, authenticator=authenticator)
        runner = make_runner(application, given)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            async with ClientSession() as session:
                url = URL(f"http://{host}:{port}")
                yield Served(gateway, session, url, clock, runner.server)
        finally:
            await runner.cleanup()
