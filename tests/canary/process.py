"""A gateway as a process of its own, of which every byte is kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.crash.waiting import until_true
from tests.storage.redis_server import free_port

ROOT = Path(__file__).parents[2]
DEBUG = {
    "GATEWAY_LOG_LEVEL": "debug",
    "PYTHONASYNCIODEBUG": "1",
    "STRIPE_LOG": "debug",
}
"""As talkative as its libraries get."""


class WatchedProcess:
    """`python -m gateway serve`; what it writes goes to files from its first byte to its last."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        self._environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_METRICS_PORT": str(self.metrics_port),
            "GATEWAY_DATA_DIR": str(folder / "data"),
            **DEBUG,
            **{name.upper(): value for name, value in settings.items()},
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        await self.launch()
        await until_true(lambda: b"Stop" in self.stdout() or not self.is_alive, "its greeting")
        assert self.is_alive, self.stderr().decode()

    async def launch(self) -> None:
        """Start it, whatever comes of that."""
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve",
                env=self._environment, cwd=ROOT, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> int:
        """Ask it to stop; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def close(self) -> None:
        if self._process is not None and self.is_alive:
            self._process.kill()
            await self.ended()

    def stdout(self) -> bytes:
        return (self.folder / "stdout").read_bytes()

    def stderr(self) -> bytes:
        return (self.folder / "stderr").read_bytes()

    def lines(self) -> list[dict[str, Any]]:
        """The log, every line of which must be a JSON object: what is not went past it."""
        return [json.loads(line) for line in self.stderr().splitlines()]
