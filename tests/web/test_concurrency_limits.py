"""Overload: what is too much at once is told to come again, the others are served."""

from __future__ import annotations

import asyncio

from gateway.settings import WebSettings
from tests.web.callers import TokenAuthenticator
from tests.web.serving import Serve, Served

ACME = {"Authorization": "acme"}
GLOBEX = {"Authorization": "globex"}


async def crowded(serve: Serve, **limits: int) -> tuple[Served, asyncio.Task[object]]:
    """A server with one operation of acme's under way, which waits."""
    gateway = await serve(
        settings=WebSettings(shutdown_timeout_seconds=2),
        authenticator=TokenAuthenticator(),
        **limits,
    )
    waiting = asyncio.create_task(gateway.post("{ wait }", headers=ACME))
    await gateway.runner.waiting.wait()
    return gateway, waiting


async def test_a_full_process_says_so_to_everybody(serve: Serve) -> None:
    gateway, waiting = await crowded(serve, operations_under_way_max=1)

    response = await gateway.post("{ hello }", headers=GLOBEX)
    body = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert body["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    waiting.cancel()


async def test_who_has_used_up_his_share_is_refused_and_others_are_served(serve: Serve) -> None:
    gateway, waiting = await crowded(serve, operations_per_viewer_max=1)

    refused = await gateway.post("{ hello }", headers=ACME)
    served = await gateway.post("{ hello }", headers=GLOBEX)

    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert served.status == 200
    waiting.cancel()


async def test_what_has_ended_leaves_room(serve: Serve) -> None:
    gateway = await serve(operations_under_way_max=1)

    assert [(await gateway.post("{ hello }")).status for _ in range(3)] == [200, 200, 200]


async def test_open_streams_take_no_room(serve: Serve) -> None:
    """They have a ceiling of their own."""
    gateway = await serve(operations_under_way_max=1)
    headers = {"Accept": "text/event-stream"}

    async with gateway.session.post(
        gateway.url / "graphql", json={"query": "subscription { held }"}, headers=headers
    ) as stream:
        await asyncio.wait_for(stream.content.readuntil(b"\n\n"), timeout=20)

        assert (await gateway.post("{ hello }")).status == 200
