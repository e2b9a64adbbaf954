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
from pathlib import Path

from tests.clients.conftest import running

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GENERATORS = ROOT / ".venv" / "generators"
ATTACH = """mutation { attachPayment(input: { invoiceId: "in_demo_open",
  payment: { paymentIntentId: "pi_demo_free" }, idempotencyKey: "theirs" }) { errors { code } } }"""


def generated(folder: Path) -> Path:
    """A copy of the Python example with its client, made by the example's own settings."""
    example = folder / "docs" / "examples" / "python"
    shutil.copytree(
        EXAMPLES / "python", example, ignore=shutil.ignore_patterns("gateway_client", ".venv")
    )
    (folder / "schema").mkdir()
    shutil.copyfile(ROOT / "schema" / "schema.graphql", folder / "schema" / "schema.graphql")
    subprocess.run(
        [sys.executable, "-m", "ariadne_codegen"], cwd=example, env=environment(), check=True
    )
    return example


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(GENERATORS)}


@contextmanager
def started(*command: str, cwd: Path) -> Iterator[Iterator[str]]:
    """The lines that a program writes, as they come; it has to end by itself and well."""
    with subprocess.Popen(
        [sys.executable, *command], cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        try:
            yield (line.strip() for line in program.stdout)
            assert program.wait(60) == 0
        finally:
            program.kill()


def ask(url: str, query: str) -> None:
    body = json.dumps({"query": query}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:
        assert b'"errors":[]' in response.read()


def test_the_python_example_shows_its_own_write_once_and_resumes_after_a_restart(
    tmp_path: Path,
) -> None:
    """Its own detach by its answer and not again by the echo; then the gateway goes away, and what
    somebody else does when it is back comes on the stream."""
    example = generated(tmp_path / "copy")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    serve = ("serve", "--port", port)
    durable = {"GATEWAY_LOG": "sqlite", "GATEWAY_DATA_DIR": str(tmp_path / "data")}
    follow = ("follow_invoice.py", "in_demo_open", "--detach", "pi_demo_free")
    with ExitStack() as stack:
        with running(*serve, **durable) as url:
            ask(url, ATTACH)
            command = (follow[0], url, *follow[1:], "--until", "ATTACHED")
            lines = stack.enter_context(started(*command, cwd=example))
            before = [next(lines) for _ in range(3)]
        with running(*serve, **durable) as url:
            ask(url, ATTACH.replace("theirs", "theirs again"))
            after = list(lines)

    assert before == ["READ OPEN 4900 USD remaining", "LIVE", "MINE OPEN 9900 USD remaining"]
    assert "DETACHED OPEN 9900 USD remaining" not in after
    assert after[-1] == "ATTACHED OPEN 4900 USD remaining"
