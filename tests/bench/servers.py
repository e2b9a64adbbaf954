"""The servers of the comparison, each on one core: ours as users run it, peers, limits."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import platform
import re
import select
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.console.build import find_node
from gateway.web.metrics import PATH as METRICS
from tests.bench.load import CLIENT_CORE, SERVER_CORE, on_core
from tests.bench.world import WorldFiles

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).with_name("peers")
START_SECONDS_MAX = 60
LOG = Path(os.environ.get("BENCH_LOG", os.devnull))
"""Where the servers' own logs go."""
BUILD = ROOT / "build" / "bench"
"""What is installed for the bench only; not under version control."""
NO_ANSWER_KEPT = {"GATEWAY_WARM_ANSWERS": "false"}
"""The gateway makes each answer anew."""
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
    root: Path = ROOT
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says that it listens."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), **self.environment}
        # Installed software is compiled, and so is what it is compared with.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*on_core(self.core), *self.command],
                cwd=self.root,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._await_greeting()

    def start_and(self, ask: Callable[[], object]) -> float:
        """Start it and ask it; seconds until it has answered."""
        begin = time.perf_counter()
        self.start()
        ask()
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
        return self._status("VmRSS")

    def peak_kib(self) -> int:
        """The most that it has held since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        assert self.process is not None
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def upstream_calls(self) -> float:
        """Calls to Stripe so far, by the gateway's own page of metrics."""
        page = f"http://127.0.0.1:{self.environment['GATEWAY_METRICS_PORT']}{METRICS}"
        with urllib.request.urlopen(page, timeout=30) as response:
            lines = response.read().decode().splitlines()
        counts = [line for line in lines if line.startswith("gateway_upstream_calls_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in counts)

    def _status(self, name: str) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1])


_PORTS = itertools.count(20_100)


def free_port() -> int:
    """A port that nobody listens on, and none of those that the system gives to clients."""
    for port in _PORTS:
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise AssertionError


def ours(name: str, world: WorldFiles, **more: str) -> Server:
    """The gateway with callers, limits, logs and metrics, over memory; `more` are settings, and one
    that is empty is not set."""
    port = free_port()
    settings = {
        "GATEWAY_CLIENTS_FILE": str(world.clients),
        "GATEWAY_METRICS_PORT": str(free_port()),
        "GATEWAY_SOCKETS_PER_VIEWER_MAX": "1000",
        "GATEWAY_STREAMS_PER_VIEWER_MAX": "1000",
        **more,
    }
    settings = {name: value for name, value in settings.items() if value}
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port)]
    if more.get("GATEWAY_BACKEND") != "stripe":
        settings["GATEWAY_FIXTURES"] = str(world.fixtures)
    has_callers = "GATEWAY_CLIENTS_FILE" in settings
    return Server(name, command, LOG, settings, needs_token=has_callers, port=port)


def over_stripe(name: str, world: WorldFiles, sandbox: Server, folder: Path, **more: str) -> Server:
    """The same over Stripe, which is the sandbox, a process of its own."""
    return ours(
        name,
        world,
        GATEWAY_BACKEND="stripe",
        GATEWAY_STRIPE_API_BASE=f"http://127.0.0.1:{sandbox.port}",
        STRIPE_API_KEY="sk_test_sandbox",
        GATEWAY_DATA_DIR=str(folder / f"data-{free_port()}"),
        **{
            "GATEWAY_STRIPE_CALLS_PER_SECOND": FAST,
            "GATEWAY_STRIPE_ENDPOINT_CALLS_PER_SECOND": FAST,
            **more,
        },
    )


def sandbox(world: WorldFiles) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", str(port)]
    command += ["--fixtures", str(world.fixtures)]
    return Server("sandbox", command, LOG, port=port, core=CLIENT_CORE)


def node_folder() -> Path:
    """The Node peers with their packages, installed by their lock file where it has changed."""
    node = find_node()
    assert node is not None, "install requirements-dev.lock: it brings Node.js where there is none"
    folder = BUILD / "peers"
    lock = (PEERS / "package-lock.json").read_text()
    stamp = folder / "installed.json"
    ignored = shutil.ignore_patterns("node_modules", "__pycache__")
    shutil.copytree(PEERS, folder, ignore=ignored, dirs_exist_ok=True)
    if not stamp.is_file() or stamp.read_text() != lock:
        path = f"{node.folder}{os.pathsep}{os.environ['PATH']}"
        command = [*node.npm, "ci", "--loglevel=error", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True)
        stamp.write_text(lock)
    return folder


def machine() -> dict[str, str]:
    """What the figures depend on, without a name of it."""
    node = find_node()
    assert node is not None
    told = subprocess.run(
        [str(node.folder / "node"), "--version"], capture_output=True, text=True, check=True
    )
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "node": told.stdout.strip().removeprefix("v"),
        "system": platform.system(),
    }


def node_peer(name: str, script: str, folder: Path, data: Path) -> Server:
    node = find_node()
    assert node is not None
    port, command = free_port(), [str(node.folder / "node"), str(folder / script)]
    return Server(name, command, LOG, _peer(port, data) | {"NODE_ENV": "production"}, port=port)


def python_peer(name: str, module: str, data: Path, *arguments: str) -> Server:
    port = free_port()
    command = [sys.executable, "-m", f"tests.bench.peers.{module}", *arguments]
    return Server(name, command, LOG, _peer(port, data), port=port)


def bramble_peer(data: Path) -> list[Server]:
    """None where its wheel is not installed: it is not made for every machine."""
    if importlib.util.find_spec("bramble") is None:
        return []
    return [python_peer("bramble", "bramble_rust", data)]


def _peer(port: int, data: Path) -> dict[str, str]:
    return {"BENCH_PORT": str(port), "BENCH_WORLD": str(data)}
