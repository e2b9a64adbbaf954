"""The servers of the comparison, each on one core: ours as users run it, peers, limits."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from gateway.console.build import find_node
from tests.bench.load import CLIENT_CORE, SERVER_CORE, on_core
from tests.bench.world import WorldFiles

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).with_name("peers")
START_SECONDS_MAX = 60
LOG = Path(os.environ.get("BENCH_LOG", os.devnull))
"""Where the servers' own logs go."""
FAST = "1000000"
"""Calls a second: a sandbox has no limit that is to be kept, unless a row is about it."""


@dataclass(slots=True)
class Server:
    """One server under its name. `needs_token` where callers are configured."""

    name: str
    command: list[str]
    log: Path = Path(os.devnull)
    environment: dict[str, str] = field(default_factory=dict)
    needs_token: bool = False
    port: int = 0
    core: int = SERVER_CORE
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; seconds until it said that it listens."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
        begin = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*on_core(self.core), *self.command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._await_greeting()
        return time.perf_counter() - begin

    def _await_greeting(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        said, deadline = b"", time.monotonic() + START_SECONDS_MAX
        while b"ready" not in said and b"Stop" not in said:
            readable, _, _ = select.select([self.process.stdout], [], [], 1)
            more = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            assert more or self.process.poll() is None, f"{self.name} ended: {said.decode()}"
            assert time.monotonic() < deadline, f"{self.name} does not start: {said.decode()}"
            said += more
        if found := re.search(rb"http://127\.0\.0\.1:(\d+)", said):
            self.port = int(found[1])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def cpu_seconds(self) -> float:
        """What the process has used of its core since it was started."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self) -> int:
        """What the process holds now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1])


def ours(name: str, port: int, world: WorldFiles, **more: str) -> Server:
    """The gateway with callers, limits, logs and metrics, over memory."""
    settings = {
        "GATEWAY_CLIENTS_FILE": str(world.clients),
        "GATEWAY_METRICS_PORT": str(port + 1000),
        "GATEWAY_SOCKETS_PER_VIEWER_MAX": "1000",
        "GATEWAY_STREAMS_PER_VIEWER_MAX": "1000",
        **more,
    }
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port)]
    if more.get("GATEWAY_BACKEND") != "stripe":
        settings["GATEWAY_FIXTURES"] = str(world.fixtures)
    return Server(name, command, LOG, settings, needs_token=True, port=port)


def over_stripe(
    name: str, port: int, world: WorldFiles, sandbox: Server, folder: Path, **more: str
) -> Server:
    """The same over Stripe, which is the sandbox, a process of its own."""
    return ours(
        name,
        port,
        world,
        GATEWAY_BACKEND="stripe",
        GATEWAY_STRIPE_API_BASE=f"http://127.0.0.1:{sandbox.port}",
        STRIPE_API_KEY="sk_test_sandbox",
        GATEWAY_DATA_DIR=str(folder / f"data-{port}"),
        **{
            "GATEWAY_STRIPE_CALLS_PER_SECOND": FAST,
            "GATEWAY_STRIPE_ENDPOINT_CALLS_PER_SECOND": FAST,
            **more,
        },
    )


def sandbox(port: int, world: WorldFiles) -> Server:
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", str(port)]
    command += ["--fixtures", str(world.fixtures)]
    return Server("sandbox", command, LOG, port=port, core=CLIENT_CORE)


def node_folder(folder: Path) -> Path:
    """The Node peers with their packages, installed by their lock file."""
    node = find_node()
    assert node is not None, "install requirements-dev.lock: it brings Node.js where there is none"
    shutil.copytree(PEERS, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    path = f"{node.folder}{os.pathsep}{os.environ['PATH']}"
    command = [*node.npm, "ci", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True)
    return folder


def node_peer(name: str, script: str, port: int, folder: Path, data: Path) -> Server:
    node = find_node()
    assert node is not None
    command = [str(node.folder / "node"), str(folder / script)]
    return Server(name, command, LOG, _peer(port, data) | {"NODE_ENV": "production"}, port=port)


def python_peer(name: str, module: str, port: int, data: Path, *arguments: str) -> Server:
    command = [sys.executable, "-m", f"tests.bench.peers.{module}", *arguments]
    return Server(name, command, LOG, _peer(port, data), port=port)


def _peer(port: int, data: Path) -> dict[str, str]:
    return {"BENCH_PORT": str(port), "BENCH_WORLD": str(data)}
