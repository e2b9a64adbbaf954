"""A server of the web layer over real sockets, with the peer runner behind it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from gateway.settings import WebSettings
from gateway.web.app import create_app, make_runner
from gateway.web.authentication import Authenticator, DevelopmentAuthenticator
from gateway.web.health import Ping
from tests.web.peer import PeerRunner
from tests.web.serving import Serve, Served


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers on the loopback; they stop after the test."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            settings: WebSettings | None = None,
            authenticator: Authenticator | None = None,
            pings: dict[str, Ping] | None = None,
            page: bytes | None = b"<p>the page</p>",
            console_directory: Path | None = None,
            **limits: Any,
        ) -> Served:
            settings = settings or WebSettings(shutdown_timeout_seconds=2)
            settings = settings.model_copy(update=limits)
            runner = PeerRunner()
            app = create_app(
                runner=runner,
                authenticator=authenticator or DevelopmentAuthenticator(),
                pings=pings or {},
                ids=map("id-{}".format, itertools.count(1)).__next__,
                settings=settings,
                page=page,
                console_directory=console_directory,
            )
            app_runner = make_runner(app, settings)
            await app_runner.setup()
            stack.push_async_callback(app_runner.cleanup)
            await web.TCPSite(app_runner, "127.0.0.1", 0).start()
            host, port = app_runner.addresses[0][:2]
            session = await stack.enter_async_context(ClientSession())
            return Served(session, runner, app, app_runner, URL(f"http://{host}:{port}"))

        yield start


@pytest.fixture
async def gateway(serve: Serve) -> Served:
    """One server with the default settings."""
    return await serve()
