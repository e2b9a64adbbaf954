"""Gateways as processes of their own, which can be killed and started again, and a way to ask them.

Each keeps its port and its data folder over its lives.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from tests.storage.redis_server import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 120
CALLS_PER_SECOND = "10000"
"""A sandbox has no limit to be kept."""


class GatewayProcess:
    """`python -m gateway serve` with the Stripe backend."""

    def __init__(self, directory: Path, name: str = "gateway") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lives = 0
        self._told = directory / f"{name}.log"
        self._settings = {
            "GATEWAY_BACKEND": "stripe",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_DATA_DIR": str(directory / name),
            "GATEWAY_STRIPE_CALLS_PER_SECOND": CALLS_PER_SECOND,
            "GATEWAY_STRIPE_ENDPOINT_CALLS_PER_SECOND": CALLS_PER_SECOND,
            "STRIPE_API_KEY": "sk_test_sandbox",
        }
        self._process: asyncio.subprocess.Process | None = None

    def configure(self, **settings: str) -> None:
        """Settings by the end of their variable's name; they count from the next start."""
        self._settings |= {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._told.open("ab") as told:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve",
                env=_clean_environment() | self._settings,
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=told,
            )  # fmt: skip
        assert self._process.stdout is not None
        greeting = b""
        async with asyncio.timeout(START_SECONDS_MAX):
            while b"Stop" not in greeting:
                line = await self._process.stdout.readline()
                assert line, f"it ended before it was up:\n{self.told()}"
                greeting += line
        self.lives += 1

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """It gets to do nothing more. The port and the folder are free after `ended`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def terminate(self) -> None:
        """Ask it to stop."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode

    async def close(self) -> None:
        if self._process is not None:
            self.kill()
            await self.ended()

    def told(self) -> str:
        """Its log over all its lives."""
        return self._told.read_text()


def _clean_environment() -> dict[str, str]:
    """Ours without what is set for another gateway."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GATEWAY_", "STRIPE_"))
    }


async def ask(session: ClientSession, url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The body of one answer."""
    payload = {"query": query, "variables": variables}
    async with session.post(f"{url}/graphql", json=payload) as response:
        body: dict[str, Any] = await response.json()
        return body


async def data(session: ClientSession, url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer that must have no errors."""
    body = await ask(session, url, query, **variables)
    assert "errors" not in body, body["errors"]
    answered: dict[str, Any] = body["data"]
    return answered
