"""The load client of the bench: a C program, compiled on first use, and what it is told to send."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("load_client.c")
SERVER_CORE, CLIENT_CORE = 0, 1


def on_core(core: int) -> list[str]:
    """The beginning of a command that keeps what follows on one core."""
    return ["taskset", "--cpu-list", str(core)]


def compiled(folder: Path) -> Path:
    """The program. Raises if there is no C compiler."""
    program = folder / "load_client"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


def _blocks(path: Path, blocks: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in blocks))
    return path


def http_request(path: str, body: dict[str, Any] | None, token: str = "") -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Length: {len(content)}",
    ]
    if token:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def _frame(text: str) -> bytes:
    """A text frame of a client, masked with zeros."""
    payload = text.encode()
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return b"\x81" + length + bytes(4) + payload


def opening(document: str, variables: dict[str, Any], token: str = "") -> list[bytes]:
    """How one subscriber opens its socket: upgrade, init, subscribe."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        "GET /graphql HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
    ]
    if token:
        head.append(f"Authorization: Bearer {token}")
    payload = {"query": document, "variables": variables}
    return [
        "\r\n".join(head).encode() + b"\r\n\r\n",
        _frame('{"type":"connection_init"}'),
        _frame(json.dumps({"id": "1", "type": "subscribe", "payload": payload})),
    ]


class LoadClient:
    """Runs the program, pinned to its core. Files it is given stay in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = compiled(folder)
        self._files = 0

    def file(self, blocks: Iterable[bytes]) -> Path:
        self._files += 1
        return _blocks(self._folder / f"requests-{self._files}", blocks)

    def http(
        self,
        port: int,
        requests: Path,
        *,
        seconds: float,
        connections: int = 8,
        begin_with: int | None = None,
        once: bool = False,
    ) -> Any:
        """`begin_with` connections become as many as are wanted over the time. With `once` each
        request is sent once, and the time only bounds it."""
        begin = connections if begin_with is None else begin_with
        return self._run("http", port, begin, connections, seconds, int(once), requests)

    def fan(
        self,
        port: int,
        openings: Path,
        triggers: Path,
        *,
        subscribers: int,
        events: int,
        told_each: int,
        micros_apart: int = 0,
        seconds: float = 60,
    ) -> Any:
        """`told_each` is how many subscribers each event is for."""
        return self._run(
            "fan", port, subscribers, events, told_each, micros_apart, seconds, openings, triggers
        )

    def hold(self, port: int, openings: Path, *, subscribers: int) -> subprocess.Popen[bytes]:
        """Sockets that stay open until the process's stdin closes; it has said so on stdout."""
        command = self._command("hold", port, subscribers, 600, openings)
        held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert held.stdout is not None
        assert held.stdout.readline(), "the subscribers did not get in"
        return held

    def _command(self, *arguments: object) -> list[str]:
        return [*on_core(CLIENT_CORE), str(self._program), *map(str, arguments)]

    def _run(self, *arguments: object) -> Any:
        done = subprocess.run(
            self._command(*arguments), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
