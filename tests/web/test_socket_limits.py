"""Who may open sockets, how many, for how long, and what happens to those that stop reading."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.callers import TokenAuthenticator
from tests.web.serving import Serve, Served
from tests.web.sockets import (
    PROTOCOL,
    acknowledged,
    closed,
    handshake_status,
    opened,
    raw_socket,
    received,
    subscribe,
)

ORIGINS = {
    "none": (None, 101),
    "same": ("http://{host}", 101),
    "same behind TLS": ("https://{host}", 101),
    "other port": ("http://127.0.0.1:1", 403),
    "foreign": ("https://evil.example", 403),
    "null": ("null", 403),
    "garbage": ("http://[", 403),
    "allowed": ("https://shop.example", 101),
    "longer than allowed": ("https://shop.example.evil", 403),
}


@pytest.mark.parametrize(("origin", "status"), ORIGINS.values(), ids=ORIGINS.keys())
async def test_foreign_pages_may_not_open_sockets(
    serve: Serve, origin: str | None, status: int
) -> None:
    """CORS does not cover sockets, so the handshake has to look at the origin itself."""
    gateway = await serve(allowed_origins=("https://shop.example",))
    headers = {} if origin is None else {"Origin": origin.format(host=gateway.host)}

    assert await handshake_status(gateway, headers) == status


async def test_a_handshake_that_is_none_is_refused_in_json(gateway: Served) -> None:
    """The upgrade is answered like any other request until it has happened."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}

    async with gateway.session.get(gateway.url / "graphql", headers=headers) as response:
        answer = await response.json()

    assert response.status == 400
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_sockets_of_one_viewer_have_a_ceiling(serve: Serve) -> None:
    """One caller's loop must not take the sockets of all; a closed one makes room again."""
    gateway = await serve(sockets_per_viewer_max=1)

    async with acknowledged(gateway):
        refused = await handshake_status(gateway, {})
    async with acknowledged(gateway):
        pass

    assert refused == 429


async def test_the_ceiling_counts_each_viewer_apart(serve: Serve) -> None:
    """A partner at its limit is no reason to refuse another."""
    gateway = await serve(authenticator=TokenAuthenticator(), sockets_per_viewer_max=1)

    async with opened(gateway, headers={"Authorization": "a"}):
        statuses = [
            await handshake_status(gateway, {"Authorization": tenant}) for tenant in ("a", "b")
        ]

    assert statuses == [429, 101]


async def test_the_ceiling_holds_for_tokens_in_init(serve: Serve) -> None:
    """Browsers cannot set headers on a handshake, so their viewer is known only later."""
    gateway = await serve(authenticator=TokenAuthenticator(), sockets_per_viewer_max=1)
    init = {"type": "connection_init", "payload": {"token": "a"}}

    async with opened(gateway) as first, opened(gateway) as second:
        await first.send_json(init)
        assert await received(first) == {"type": "connection_ack"}
        await second.send_json(init)

        assert await closed(second) == (1013, "Too many sockets are open; close some first.")


async def test_sockets_of_strangers_have_a_ceiling(serve: Serve) -> None:
    """Whoever says nothing holds a socket only as one of few."""
    gateway = await serve(authenticator=TokenAuthenticator(), sockets_unidentified_max=1)

    async with opened(gateway):
        assert await handshake_status(gateway, {}) == 429


async def test_a_refused_init_closes(serve: Serve) -> None:
    """A bad token ends the socket with the reason."""
    gateway = await serve(authenticator=TokenAuthenticator())

    async with opened(gateway) as socket:
        await socket.send_json({"type": "connection_init", "payload": {"token": ""}})

        assert await closed(socket) == (4403, "A token is needed.")


async def test_an_expired_authorization_closes(serve: Serve) -> None:
    """A socket lives no longer than the right to it."""
    gateway = await serve(authenticator=TokenAuthenticator(expires_in_seconds=0.05))

    async with opened(gateway, headers={"Authorization": "a"}) as socket:
        await socket.send_json({"type": "connection_init"})

        assert await closed(socket) == (4403, "The authorization has expired.")


async def test_operations_of_one_socket_have_a_ceiling(serve: Serve) -> None:
    """The one too many fails, the others live, and an ended one makes room again."""
    gateway = await serve(operations_per_socket_max=2)

    async with acknowledged(gateway) as socket:
        for name in "ab":
            await subscribe(socket, "subscription { held }", id=name)
            await received(socket)
        await subscribe(socket, "{ hello }", id="c")
        error = await received(socket)
        await socket.send_json({"id": "a", "type": "complete"})
        await socket.send_json({"id": "b", "type": "complete"})
        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)
        await subscribe(socket, "{ hello }", id="c")
        answer = await received(socket)

    assert (error["id"], error["type"]) == ("c", "error")
    assert error["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert answer["type"] == "next"


async def test_a_completed_operation_makes_room_at_once(serve: Serve) -> None:
    """A page at the ceiling changes what it listens to without waiting in between."""
    gateway = await serve(operations_per_socket_max=1)

    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }", id="a")
        await received(socket)
        await socket.send_json({"id": "a", "type": "complete"})
        await subscribe(socket, "subscription { held }", id="b")
        answer = await received(socket)

    assert (answer["id"], answer["type"]) == ("b", "next")


async def test_a_dead_peer_is_found_out(serve: Serve) -> None:
    """After a pulled cable nothing says that the peer is gone but its missing pong."""
    gateway = await serve(socket_ping_seconds=0.1)
    url = gateway.url / "graphql"

    async with gateway.session.ws_connect(url, protocols=(PROTOCOL,), autoping=False) as socket:
        await socket.send_json({"type": "connection_init"})
        await received(socket)
        await subscribe(socket, "subscription { held }")
        await received(socket)

        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)


async def test_a_socket_that_takes_nothing_is_aborted(serve: Serve) -> None:
    """What it does not take would pile up in our memory."""
    gateway = await serve(stall_timeout_seconds=0.2)

    async with raw_socket(gateway, "subscription { flood(characters: 50000) }"):
        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)

    assert gateway.runner.items_sent < 1000
