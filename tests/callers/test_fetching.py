"""Key sets over HTTP: what a gateway fetches, and what it takes for none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.callers.json_web_tokens import DOCUMENT_BYTES_MAX, fetch_json
from tests.callers.desk import ask
from tests.support.served import serving

Handler = Callable[[web.Request], Any]


@asynccontextmanager
async def issuing(answer: Handler) -> AsyncIterator[str]:
    """The URL of a key server that answers so."""
    app = web.Application()
    app.router.add_get("/keys", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/keys"))


def always(**response: Any) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(**response)

    return answer


async def test_a_json_document_is_fetched() -> None:
    async with issuing(always(text='{"keys": []}')) as url, ClientSession() as session:
        assert await fetch_json(session, url) == {"keys": []}


async def test_a_document_may_come_in_pieces() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"ke', b'ys": ', b"[" + b" " * 200_000 + b"]}"):
            await response.write(piece)
        return response

    async with issuing(answer) as url, ClientSession() as session:
        assert await fetch_json(session, url) == {"keys": []}


@pytest.mark.parametrize(
    ("response", "trouble"),
    [
        ({"status": 500}, OSError),
        ({"status": 404}, OSError),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, OSError),
        ({"text": "<html>"}, ValueError),
        ({"text": ""}, ValueError),
        ({"body": b" " * (DOCUMENT_BYTES_MAX + 1)}, OSError),
    ],
    ids=["failure", "missing", "a redirect", "a page", "nothing", "endless"],
)
async def test_anything_else_is_none(response: dict[str, Any], trouble: type[Exception]) -> None:
    """Redirects too: they could lead to where nobody checks who answers."""
    async with issuing(always(**response)) as url, ClientSession() as session:
        with pytest.raises(trouble):
            await fetch_json(session, url)


async def test_a_server_that_is_not_there_is_an_os_error() -> None:
    async with ClientSession() as session:
        with pytest.raises(OSError, match="ClientConnectorError"):
            await fetch_json(session, "http://127.0.0.1:1/keys")


async def test_users_come_in_with_keys_from_a_url() -> None:
    """From the setting to the answer: the issuer's key server, a token of theirs, a query."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    keys = {"keys": [{**public, "kid": "k1", "use": "sig"}]}
    async with (
        issuing(always(text=json.dumps(keys))) as url,
        serving(jwt_jwks_url=url, jwt_issuer="https://login.example", jwt_audience="us") as served,
    ):
        claims = {
            "iss": "https://login.example",
            "aud": "us",
            "sub": "user-1",
            "exp": served.clock.now() + 60,
            "scope": "invoices:read",
            "customers": ["cus_demo_acme"],
        }
        token = jwt.encode(claims, key, "ES256", headers={"kid": "k1"})

        status, body, _ = await ask(served, token)

    assert (status, body["data"]["gateway"]["scopes"]) == (200, ["invoices:read"])


async def test_while_keys_cannot_be_had_the_answer_is_503() -> None:
    """Nobody can tell whether the token is good, and that is not the caller's fault."""
    async with (
        issuing(always(status=500)) as url,
        serving(jwt_jwks_url=url, jwt_issuer="https://login.example", jwt_audience="us") as served,
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        token = jwt.encode({"sub": "user-1"}, key, "ES256", headers={"kid": "k1"})

        status, body, headers = await ask(served, token)

    assert (status, headers["Retry-After"]) == (503, "10")
    assert body["errors"][0]["extensions"]["code"] == "UPSTREAM_ERROR"
