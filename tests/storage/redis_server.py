"""Real servers on free ports of this machine, with an append-only file, started by the tests.

The oldest Redis that is supported, and a current Valkey, which is what many have in its place. Both
come out of locked wheels (`make .venv/servers`); without them, what the PATH has is taken.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

DURABLE = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
OUTLIVES_ITS_PROCESS = {"appendfsync": "always"}
"""For a server that is killed, as docs/operations.md says. With the default it answers before it
writes while its disk is still busy with the second before, and what it said then is lost with the
process alone. One that is shared need not wait for the disk at every step of every test.
"""

REDIS, VALKEY = "redis", "valkey"
KINDS = (REDIS, VALKEY)
SERVERS = Path(sys.prefix) / "servers"


@functools.cache
def binary(kind: str) -> str:
    """Where the server of this kind is. A machine that has none fails the test and is told how."""
    name = f"{kind}-server"
    packaged = sorted(SERVERS.glob(f"{kind}lite/**/{name}"))
    found = str(packaged[0]) if packaged else shutil.which(name)
    if found is None:
        pytest.fail(f"there is no {name}: run make .venv/servers, or install one")
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

    def __init__(
        self, directory: Path, settings: dict[str, str] | None = None, *, kind: str = REDIS
    ) -> None:
        self.directory = directory
        self._kind = kind
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
        self._process = subprocess.Popen(
            [binary(self._kind), *words], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = []
        for line in self._process.stdout:
            told.append(line)
            if "Ready to accept connections" in line:
                return
        raise AssertionError(f"{self._kind}-server did not start:\n" + "".join(told))

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


_shared: dict[str, RedisServer] = {}


def shared_server(kind: str = REDIS) -> RedisServer:
    """One server for all tests that leave it alone; `end_shared_servers` ends it."""
    if kind not in _shared:
        server = RedisServer(Path(tempfile.mkdtemp(prefix=f"gateway-{kind}-")), kind=kind)
        server.start()
        _shared[kind] = server
    return _shared[kind]


def end_shared_servers() -> None:
    """At the end of the session, and not of the process: a worker that is slow to end is killed."""
    for server in _shared.values():
        server.stop()
        shutil.rmtree(server.directory)
    _shared.clear()


def prefix_of(directory: Path) -> str:
    """What a directory is in a Redis that many tests share."""
    return "test-" + hashlib.blake2b(str(directory).encode(), digest_size=8).hexdigest()
