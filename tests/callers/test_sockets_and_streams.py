"""Callers on open sockets and streams: how they say who they are, and how their right ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import ClientWebSocketResponse

from tests.callers.desk import Desk, bearer, guarded
from tests.support.served import Served

PROTOCOL = "graphql-transport-ws"
STREAM = "subscription { invoicePaymentEvents { __typename } }"
SECRET = "a-secret-for-tests-that-is-long-enough"
ISSUER, AUDIENCE = "https://login.example", "invoice-gateway"
WAIT_SECONDS = 20


@asynccontextmanager
async def socket(served: Served, **headers: str) -> AsyncIterator[ClientWebSocketResponse]:
    async with served.session.ws_connect(
        served.url / "graphql", protocols=[PROTOCOL], headers=headers
    ) as opened:
        yield opened


async def introduced(opened: ClientWebSocketResponse, payload: Any) -> None:
    await opened.send_json({"type": "connection_init", "payload": payload})


async def acknowledged(opened: ClientWebSocketResponse) -> bool:
    message = await opened.receive(timeout=WAIT_SECONDS)
    return message.type.name == "TEXT" and message.json()["type"] == "connection_ack"


async def closed(opened: ClientWebSocketResponse) -> tuple[int | None, str]:
    """The code and reason of the closing frame, whatever comes before it."""
    while True:
        message = await opened.receive(timeout=WAIT_SECONDS)
        if message.type.name == "CLOSE":
            return message.data, message.extra or ""


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": "Bearer token-acme"},
        {"authorization": "bearer token-acme"},
        {"Authorization": "token-acme"},
        {"headers": {"Authorization": "Bearer token-acme"}},
        {"lang": "en", "headers": {"authorization": "Bearer token-acme"}},
    ],
)
async def test_the_token_may_come_with_connection_init(desk: Desk, payload: Any) -> None:
    """Browsers cannot set headers on a socket; each client has its own form."""
    desk.admit("acme")

    async with guarded(desk) as served, socket(served) as opened:
        await introduced(opened, payload)

        assert await acknowledged(opened)


async def test_the_token_may_come_with_the_handshake(desk: Desk) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served, socket(served, **bearer(token)) as opened:
        await introduced(opened, None)

        assert await acknowledged(opened)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": "Bearer other"},
        {"Authorization": ""},
        {"Authorization": 7},
        {"Authorization": "Basic token-acme"},
        {"headers": ["Authorization", "Bearer token-acme"]},
        {"headers": {"headers": {"Authorization": "Bearer token-acme"}}},
    ],
)
async def test_init_without_a_good_token_closes_4403(desk: Desk, payload: Any) -> None:
    desk.admit("acme")

    async with guarded(desk) as served, socket(served) as opened:
        await introduced(opened, payload)

        code, _ = await closed(opened)
    assert code == 4403


async def test_a_bad_token_in_init_is_not_saved_by_a_good_one_in_the_handshake(desk: Desk) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served, socket(served, **bearer(token)) as opened:
        await introduced(opened, {"Authorization": "Bearer other"})

        code, _ = await closed(opened)
    assert code == 4403


async def test_the_sockets_of_a_removed_caller_close_4403_and_no_others(desk: Desk) -> None:
    desk.admit("acme")
    desk.admit("globex")

    async with guarded(desk) as served, socket(served) as gone, socket(served) as stays:
        for opened, name in ((gone, "acme"), (stays, "globex")):
            await introduced(opened, {"Authorization": f"Bearer token-{name}"})
            assert await acknowledged(opened)
        desk.dismiss("acme")
        served.gateway.rereading.again()

        code, reason = await closed(gone)
        await stays.send_json({"type": "ping"})
        pong = await stays.receive_json(timeout=WAIT_SECONDS)

    assert (code, reason) == (4403, "The authorization was withdrawn.")
    assert pong["type"] == "pong"


async def test_who_has_other_rights_now_is_asked_to_connect_again(desk: Desk) -> None:
    """1012, which clients answer by coming again; with the new rights, then."""
    desk.admit("acme")

    async with guarded(desk) as served, socket(served) as opened:
        await introduced(opened, {"Authorization": "Bearer token-acme"})
        assert await acknowledged(opened)
        desk.admit("acme", scopes=["events:read"])
        served.gateway.rereading.again()

        code, _ = await closed(opened)
    assert code == 1012


async def test_an_unchanged_caller_notices_nothing_when_the_file_is_read_again(desk: Desk) -> None:
    desk.admit("acme")

    async with guarded(desk) as served, socket(served) as opened:
        await introduced(opened, {"Authorization": "Bearer token-acme"})
        assert await acknowledged(opened)
        served.gateway.rereading.again()

        await opened.send_json({"type": "ping"})
        assert (await opened.receive_json(timeout=WAIT_SECONDS))["type"] == "pong"


async def test_the_stream_of_a_removed_caller_ends_with_a_reason(desk: Desk) -> None:
    token = desk.admit("acme")
    headers = {"Accept": "text/event-stream", **bearer(token)}

    async with (
        guarded(desk) as served,
        served.session.post(
            served.url / "graphql", json={"query": STREAM}, headers=headers
        ) as response,
    ):
        await asyncio.wait_for(response.content.readuntil(b"StreamCheckpoint"), WAIT_SECONDS)
        desk.dismiss("acme")
        served.gateway.rereading.again()
        rest = await asyncio.wait_for(response.text(), WAIT_SECONDS)

    assert '"UNAUTHENTICATED"' in rest
    assert rest.endswith("event: complete\ndata: \n\n")


async def test_the_stream_of_a_changed_caller_ends_so_that_its_client_comes_again(
    desk: Desk,
) -> None:
    token = desk.admit("acme")
    headers = {"Accept": "text/event-stream", **bearer(token)}

    async with (
        guarded(desk) as served,
        served.session.post(
            served.url / "graphql", json={"query": STREAM}, headers=headers
        ) as response,
    ):
        await asyncio.wait_for(response.content.readuntil(b"StreamCheckpoint"), WAIT_SECONDS)
        desk.admit("acme", customers=["cus_demo_acme"])
        served.gateway.rereading.again()
        rest = await asyncio.wait_for(response.text(), WAIT_SECONDS)

    assert "event: complete" not in rest


def user_token(served: Served, *, seconds: int) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "exp": served.clock.now() + seconds,
        "scope": "events:read",
        "customers": ["cus_demo_acme"],
    }
    return jwt.encode(claims, SECRET, "HS256")


@asynccontextmanager
async def guarded_by_tokens() -> AsyncIterator[Served]:
    """A gateway for users with tokens that are good up to the second."""
    from tests.support.served import serving

    async with serving(
        jwt_secret=SECRET, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_leeway_seconds=0
    ) as served:
        yield served


async def test_a_socket_closes_4403_when_its_token_expires() -> None:
    async with guarded_by_tokens() as served, socket(served) as opened:
        await introduced(opened, {"Authorization": user_token(served, seconds=1)})
        assert await acknowledged(opened)

        code, reason = await closed(opened)
    assert (code, reason) == (4403, "The authorization has expired.")


async def test_a_stream_ends_unauthenticated_when_its_token_expires() -> None:
    async with guarded_by_tokens() as served:
        headers = {"Accept": "text/event-stream", **bearer(user_token(served, seconds=1))}
        async with served.session.post(
            served.url / "graphql", json={"query": STREAM}, headers=headers
        ) as response:
            text = await asyncio.wait_for(response.text(), WAIT_SECONDS)

    assert '"UNAUTHENTICATED"' in text
    assert "expired" in text
