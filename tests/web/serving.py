"""What a test holds of a running server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, web
from yarl import URL

from tests.web.peer import PeerRunner


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, what is behind it and a client session for it."""

    session: ClientSession
    runner: PeerRunner
    app: web.Application
    app_runner: web.AppRunner
    url: URL

    @property
    def host(self) -> str:
        return self.url.authority

    async def post(self, query: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """POST one operation; the response is read whole."""
        async with self.session.post(
            self.url / "graphql", json={"query": query, **body}, headers=headers
        ) as response:
            await response.read()
            return response


Serve = Callable[..., Awaitable[Served]]
