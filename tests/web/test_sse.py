"""Event streams: the distinct connections mode of graphql-sse, and resuming after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse

from gateway.web.app import SHUTDOWN
from tests.web.callers import TokenAuthenticator
from tests.web.serving import Serve, Served
from tests.web.sockets import unread_connection

STREAM = {"Accept": "text/event-stream"}
COMPLETE = "event: complete\ndata: \n\n"


@asynccontextmanager
async def streaming(gateway: Served, query: str, **headers: str) -> AsyncIterator[ClientResponse]:
    """An open event stream of one operation."""
    async with gateway.session.post(
        gateway.url / "graphql", json={"query": query}, headers={**STREAM, **headers}
    ) as response:
        yield response


async def whole(gateway: Served, query: str, **headers: str) -> str:
    async with streaming(gateway, query, **headers) as response:
        return await response.text()


async def event(response: ClientResponse) -> str:
    """The next event or comment, as its lines stand on the wire."""
    return (await asyncio.wait_for(response.content.readuntil(b"\n\n"), timeout=20)).decode()


async def test_a_subscription_is_streamed_to_its_end(gateway: Served) -> None:
    """Lines end in LF alone (urql splits on it), and each event carries its cursor."""
    text = await whole(gateway, "subscription { count(to: 2) }")

    assert text == (
        ":\n\n"
        'id: c-1\nevent: next\ndata: {"data":{"count":1}}\n\n'
        'id: c-2\nevent: next\ndata: {"data":{"count":2}}\n\n' + COMPLETE
    )


async def test_the_headers_keep_proxies_from_holding_events_back(gateway: Served) -> None:
    """Buffering or compressing a stream delays every event in it."""
    async with streaming(gateway, "{ hello }") as response:
        await response.read()

    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ hello }", '{"data":{"hello":"Hello world"}}'),
        ("mutation { pay }", '{"data":{"pay":"paid"}}'),
    ],
    ids=["query", "mutation"],
)
async def test_who_accepts_only_streams_gets_everything_as_one(
    gateway: Served, query: str, data: str
) -> None:
    """graphql-sse sends queries and mutations with the same header as subscriptions."""
    gateway.runner.may_pay.set()

    text = await whole(gateway, query)

    assert text == f":\n\nevent: next\ndata: {data}\n\n{COMPLETE}"


@pytest.mark.parametrize(
    ("query", "code"),
    [("{", "GRAPHQL_PARSE_FAILED"), ("{ nope }", "GRAPHQL_VALIDATION_FAILED")],
    ids=["syntax", "validation"],
)
async def test_a_refused_operation_is_an_event(gateway: Served, query: str, code: str) -> None:
    """A browser's EventSource cannot read the body of a response that is not 200."""
    async with streaming(gateway, query) as response:
        text = await response.text()

    assert response.status == 200
    assert f'"code":"{code}"' in text
    assert text.endswith(COMPLETE)


async def test_a_refused_request_is_no_stream(gateway: Served) -> None:
    """What is not one GraphQL request at all is answered with its status and JSON."""
    async with gateway.session.post(gateway.url / "graphql", json=[], headers=STREAM) as response:
        answer = await response.json()

    assert response.status == 400
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_our_mistake_ends_the_stream_with_an_error(gateway: Served) -> None:
    """The client learns an id, and that there is nothing more to come."""
    text = await whole(gateway, "subscription { broken }", **{"X-Request-Id": "find-me"})

    assert '"requestId":"find-me"' in text
    assert text.endswith(COMPLETE)


async def test_a_stream_resumes_after_the_last_event(gateway: Served) -> None:
    """A browser that reconnects says which event it saw last."""
    query = "subscription { count(to: 3) }"

    text = await whole(gateway, query, **{"Last-Event-ID": "c-2"})

    assert text.startswith(":\n\nid: c-3\n")


async def test_a_polyfill_resumes_by_its_url(gateway: Served) -> None:
    """event-source-polyfill sends no header, as that would need a preflight."""
    parameters = {"query": "subscription { count(to: 3) }", "lastEventId": "c-2"}
    headers = {**STREAM, "Sec-Fetch-Mode": "cors"}

    async with gateway.session.get(
        gateway.url / "graphql", params=parameters, headers=headers
    ) as response:
        text = await response.text()

    assert text.startswith(":\n\nid: c-3\n")


async def test_an_event_source_gets_a_subscription_over_get(gateway: Served) -> None:
    """A browser's EventSource can only GET; that it applies CORS shows in a header of its own."""
    parameters = {"query": "subscription { count(to: 1) }"}
    headers = {**STREAM, "Sec-Fetch-Mode": "cors"}

    async with gateway.session.get(
        gateway.url / "graphql", params=parameters, headers=headers
    ) as response:
        text = await response.text()

    assert "id: c-1\n" in text


async def test_a_quiet_stream_is_kept_alive(serve: Serve) -> None:
    """Proxies close what is silent for a minute; comments are not events."""
    gateway = await serve(stream_ping_seconds=0.02)

    async with streaming(gateway, "subscription { held }") as response:
        events = [await event(response) for _ in range(4)]

    assert events[1].startswith("event: next\n")
    assert events[2:] == [":\n\n", ":\n\n"]


async def test_a_stream_ends_with_its_client(gateway: Served) -> None:
    """Nothing of the subscription is left when nobody listens."""
    async with streaming(gateway, "subscription { held }") as response:
        await event(response)
        await gateway.runner.stream_opened.wait()
        response.close()

    await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)
    assert gateway.runner.open_streams == 0


async def test_a_mutation_outlives_its_stream(gateway: Served) -> None:
    """A payment under way is finished whoever hangs up."""
    async with streaming(gateway, "mutation { pay }") as response:
        await gateway.runner.asked_to_pay.wait()
        response.close()
    gateway.runner.may_pay.set()
    await gateway.app[SHUTDOWN].finish(timeout_seconds=5)

    assert gateway.runner.paid == 1


async def test_an_expired_authorization_ends_the_stream(serve: Serve) -> None:
    """A stream lives no longer than the right to it, and the client learns why."""
    authenticator = TokenAuthenticator(expires_in_seconds=0.05)
    gateway = await serve(authenticator=authenticator)

    text = await whole(gateway, "subscription { held }", Authorization="a")

    assert '"code":"UNAUTHENTICATED"' in text
    assert text.endswith(COMPLETE)


async def test_streams_of_one_viewer_have_a_ceiling(serve: Serve) -> None:
    """One caller's loop must not take the streams of all; a closed one makes room again."""
    gateway = await serve(streams_per_viewer_max=1)

    async with streaming(gateway, "subscription { held }") as first:
        await event(first)
        async with streaming(gateway, "subscription { held }") as second:
            answer: Any = await second.json()
    await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)

    assert second.status == 429
    assert answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_client_that_takes_nothing_is_aborted(serve: Serve) -> None:
    """What it does not take would pile up in our memory."""
    gateway = await serve(stall_timeout_seconds=0.2)
    body = b'{"query": "subscription { flood(characters: 50000) }"}'
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {gateway.host}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async with unread_connection(gateway) as (_, writer):
        writer.write(head.encode() + body)
        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)

    assert gateway.runner.items_sent < 1000
