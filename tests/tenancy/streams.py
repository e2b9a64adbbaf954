"""Streams of one caller, over both transports."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from tests.callers.desk import bearer
from tests.tenancy.world import World, within_seconds

PROTOCOL = "graphql-transport-ws"


async def over_sse(
    world: World, caller: str, query: str, variables: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """The bodies of a stream's items."""
    headers = {"Accept": "text/event-stream", **bearer(f"token-{caller}")}
    payload = {"query": query, "variables": variables}
    url = world.served.url / "graphql"
    async with world.served.session.post(url, json=payload, headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])


async def over_websocket(
    world: World, caller: str, query: str, variables: dict[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """The same as messages; a refused operation is one body with errors."""
    url = world.served.url / "graphql"
    async with world.served.session.ws_connect(
        url, protocols=[PROTOCOL], headers=bearer(f"token-{caller}")
    ) as socket:
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        while True:
            message = await socket.receive_json()
            if message["type"] == "next":
                yield message["payload"]
            elif message["type"] == "error":
                yield {"errors": message["payload"]}
            elif message["type"] == "complete":
                return


TRANSPORTS = {"sse": over_sse, "websocket": over_websocket}


async def first_over_sse(world: World, caller: str, query: str, variables: Any) -> Any:
    async with aclosing(over_sse(world, caller, query, variables)) as stream:
        return await within_seconds(anext(stream))


async def first_over_websocket(world: World, caller: str, query: str, variables: Any) -> Any:
    async with aclosing(over_websocket(world, caller, query, variables)) as stream:
        return await within_seconds(anext(stream))
