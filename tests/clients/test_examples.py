"""The examples in docs/examples do what their pages say, also when the gateway goes away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.conftest import running
from tests.support import npm

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GENERATORS = ROOT / ".venv" / "generators"
ATTACH = """mutation { attachPayment(input: { invoiceId: "in_demo_open",
  payment: { paymentIntentId: "pi_demo_free" }, idempotencyKey: "theirs" }) { errors { code } } }"""


@dataclass(frozen=True, slots=True)
class Program:
    """An example that is ready to run: its command, where, and with what in its environment."""

    command: list[str]
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Iterator[str]]:
        """The lines that it writes, as they come; it has to end by itself and well."""
        with subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.cwd,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            assert program.stdout is not None
            try:
                yield (line.strip() for line in program.stdout)
                assert program.wait(60) == 0
            finally:
                program.kill()


@pytest.fixture
def in_python(tmp_path: Path) -> Program:
    """With the client that its own settings make."""
    example = copied("python", tmp_path / "copy")
    environment = {"PYTHONPATH": str(GENERATORS)}
    subprocess.run(
        [sys.executable, "-m", "ariadne_codegen"],
        cwd=example,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Program([sys.executable, "follow_invoice.py"], example, environment)


@pytest.fixture
def in_typescript(tmp_path: Path, npm_clients: Path) -> Program:
    """Built by its own commands; the package that it uses is the one that `make console` builds."""
    example = copied("typescript", tmp_path / "copy")
    modules = example / "node_modules"
    modules.mkdir()
    for package in (npm_clients / "node_modules").iterdir():
        (modules / package.name).symlink_to(package)
    (modules / "invoice-payments-live").symlink_to(ROOT / "gateway" / "console" / "live")
    for tool in ("graphql-codegen", "tsc"):
        command = [str(npm_clients / "node_modules" / ".bin" / tool)]
        subprocess.run(command, cwd=example, env=npm.ENVIRONMENT, check=True, capture_output=True)
    node = str(npm.NODE.folder / "node")
    return Program([node, "made/follow-invoice.js"], example, npm.ENVIRONMENT)


def copied(name: str, folder: Path) -> Path:
    """The example as it is committed, with the schema where it looks for it."""
    example = folder / "docs" / "examples" / name
    made = shutil.ignore_patterns("gateway_client", "gen", "made", "node_modules", ".venv")
    shutil.copytree(EXAMPLES / name, example, ignore=made)
    (folder / "schema").mkdir()
    shutil.copyfile(ROOT / "schema" / "schema.graphql", folder / "schema" / "schema.graphql")
    return example


def ask(url: str, query: str) -> None:
    body = json.dumps({"query": query}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:
        assert b'"errors":[]' in response.read()


@pytest.mark.parametrize("name", ["in_python", "in_typescript"])
def test_an_example_shows_its_own_write_once_and_resumes_after_a_restart(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its own detach by its answer and not again by the echo; then the gateway goes away, and what
    somebody else does when it is back comes on the stream."""
    program: Program = request.getfixturevalue(name)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    serve = ("serve", "--port", port)
    durable = {"GATEWAY_LOG": "sqlite", "GATEWAY_DATA_DIR": str(tmp_path / "data")}
    with ExitStack() as stack:
        with running(*serve, **durable) as url:
            ask(url, ATTACH)
            story = (url, "in_demo_open", "pi_demo_free", "ATTACHED")
            lines = stack.enter_context(program.started(*story))
            before = [next(lines) for _ in range(3)]
        with running(*serve, **durable) as url:
            ask(url, ATTACH.replace("theirs", "theirs again"))
            after = list(lines)

    assert before == ["READ OPEN 4900 USD remaining", "LIVE", "MINE OPEN 9900 USD remaining"]
    assert "DETACHED OPEN 9900 USD remaining" not in after
    assert after[-1] == "ATTACHED OPEN 4900 USD remaining"
