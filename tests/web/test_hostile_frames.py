"""Frames that are no message of graphql-transport-ws, from clients that err and from attackers."""

from __future__ import annotations

import json
import logging

import pytest

from tests.web.serving import Serve, Served
from tests.web.sockets import acknowledged, closed


def _subscribe(**parts: object) -> str:
    message: dict[str, object] = {"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}
    return json.dumps({**message, **parts})


HOSTILE_FRAMES = {
    "not json": "hello",
    "empty": "",
    "list": "[]",
    "null": "null",
    "number": "7",
    "string": '"connection_init"',
    "no type": "{}",
    "number as type": '{"type": 1}',
    "list as type": '{"type": ["ping"]}',
    "unknown type": '{"type": "hello"}',
    "a type of the server": '{"type": "next", "id": "1", "payload": {}}',
    "long type": json.dumps({"type": "x" * 50_000}),
    "legacy start": '{"type": "start", "id": "1", "payload": {"query": "{ hello }"}}',
    "list as init payload": '{"type": "connection_init", "payload": []}',
    "string as ping payload": '{"type": "ping", "payload": "x"}',
    "no id": '{"type": "subscribe", "payload": {"query": "{ hello }"}}',
    "null as id": _subscribe(id=None),
    "number as id": _subscribe(id=1),
    "list as id": _subscribe(id=["1"]),
    "empty id": _subscribe(id=""),
    "no id to complete": '{"type": "complete"}',
    "list as id to complete": '{"type": "complete", "id": []}',
    "no payload": '{"type": "subscribe", "id": "1"}',
    "list as payload": _subscribe(payload=["{ hello }"]),
    "no query": _subscribe(payload={}),
    "number as query": _subscribe(payload={"query": 7}),
    "list as variables": _subscribe(payload={"query": "{ hello }", "variables": [1]}),
    "number as operation name": _subscribe(payload={"query": "{ hello }", "operationName": 1}),
    "list as extensions": _subscribe(payload={"query": "{ hello }", "extensions": []}),
    "NaN": '{"type": "ping", "payload": {"n": NaN}}',
    "lone surrogate": '{"type": "ping", "payload": {"s": "\\ud800"}}',
    "20 k deep": '{"type": "ping", "payload": ' + '{"a":' * 20_000 + "1" + "}" * 20_001,
}


@pytest.mark.parametrize("frame", HOSTILE_FRAMES.values(), ids=HOSTILE_FRAMES.keys())
async def test_what_is_no_message_closes(
    serve: Serve, frame: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The code says that the client is wrong, and no frame makes a traceback in our log."""
    gateway = await serve(frame_bytes_max=200_000)

    async with acknowledged(gateway) as socket:
        await socket.send_str(frame)
        code, reason = await closed(socket)

    assert code == 4400
    assert reason.startswith("Invalid message: ")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_binary_frame_closes(gateway: Served) -> None:
    """The protocol has text frames only."""
    async with acknowledged(gateway) as socket:
        await socket.send_bytes(b'{"type": "ping"}')

        assert await closed(socket) == (4400, "Binary frames are not accepted.")


async def test_a_frame_over_the_limit_closes(gateway: Served) -> None:
    """What is refused over HTTP does not get in here either."""
    async with acknowledged(gateway) as socket:
        await socket.send_str(" " * 5_000_000)

        assert (await closed(socket))[0] == 1009
