"""Bodies that are of the wrong type, too long, too slow, or not even HTTP."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest

from tests.web.serving import Serve, Served

QUERY = b'{"query": "{ hello }"}'

CONTENT_TYPES = {
    "json": ("application/json", 200),
    "json in utf-8": ("application/json; charset=utf-8", 200),
    "json in quoted upper case": ('Application/JSON;charset="UTF-8"', 200),
    "unknown charset": ("application/json; charset=klingon", 400),
    "other charset": ("application/json; charset=utf-16", 400),
    "form": ("application/x-www-form-urlencoded", 415),
    "text": ("text/plain", 415),
    "multipart": ("multipart/form-data; boundary=x", 415),
    "json in a parameter": ("text/plain; x=application/json", 415),
    "longer than json": ("application/jsonx", 415),
    "graphql": ("application/graphql", 415),
    "empty": ("", 415),
}


@pytest.mark.parametrize(("header", "status"), CONTENT_TYPES.values(), ids=CONTENT_TYPES.keys())
async def test_only_json_is_read(gateway: Served, header: str, status: int) -> None:
    """Forms of foreign pages can send every other type without a preflight."""
    headers = {"Content-Type": header}
    url = gateway.url / "graphql"

    async with gateway.session.post(url, data=QUERY, headers=headers) as response:
        answer = await response.json()

    assert response.status == status
    assert ("data" in answer) == (status == 200)


GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


async def test_a_body_may_come_in_gzip(gateway: Served) -> None:
    url = gateway.url / "graphql"

    async with gateway.session.post(url, data=gzip.compress(QUERY), headers=GZIP) as response:
        assert (await response.json())["data"] == {"hello": "Hello world"}


async def test_a_gzip_bomb_is_unpacked_no_further_than_a_body_may_be_long(
    gateway: Served,
) -> None:
    """50 kB on the way in would be 50 MB in memory."""
    bomb = gzip.compress(b" " * 50_000_000)
    url = gateway.url / "graphql"

    tracemalloc.start()
    async with gateway.session.post(url, data=bomb, headers=GZIP) as response:
        status = response.status
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert status == 413
    assert peak_bytes < 5_000_000


BROKEN_GZIP = {
    "cut": gzip.compress(QUERY)[:-4],
    "with more behind it": gzip.compress(QUERY) + b"more",
    "two in one": gzip.compress(QUERY) * 2,
    "not gzip": QUERY,
    "nothing": b"",
}


@pytest.mark.parametrize("body", BROKEN_GZIP.values(), ids=BROKEN_GZIP.keys())
async def test_broken_gzip_is_the_clients_fault(gateway: Served, body: bytes) -> None:
    url = gateway.url / "graphql"

    async with gateway.session.post(url, data=body, headers=GZIP) as response:
        assert response.status == 400


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "x-gzip", "zstd"])
async def test_other_codings_are_not_read(gateway: Served, coding: str) -> None:
    headers = {**GZIP, "Content-Encoding": coding}
    url = gateway.url / "graphql"

    async with gateway.session.post(url, data=QUERY, headers=headers) as response:
        assert response.status == 415
        assert response.headers["Accept-Encoding"] == "gzip"


async def test_a_body_over_the_limit_is_refused(serve: Serve) -> None:
    """What announces its length is refused before any of it is read."""
    gateway = await serve(body_bytes_max=1000)

    response = await gateway.post("{ hello }", extensions={"padding": "x" * 1000})

    assert response.status == 413
    assert response.headers["Connection"] == "close"


async def test_a_chunked_body_over_the_limit_is_read_no_further(serve: Serve) -> None:
    """Without a length the limit holds at the first chunk beyond it; the sender is cut off."""
    gateway = await serve(body_bytes_max=1000)
    reader, writer = await asyncio.open_connection(gateway.url.host, gateway.url.port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {gateway.host}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )

    writer.write(head.encode() + b"800\r\n" + b" " * 0x800 + b"\r\n")
    answer = await asyncio.wait_for(reader.read(), timeout=20)

    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_body_that_does_not_arrive_is_given_up(serve: Serve) -> None:
    """Half-sent requests must not pile up."""
    gateway = await serve(read_timeout_seconds=0.05)
    reader, writer = await asyncio.open_connection(gateway.url.host, gateway.url.port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {gateway.host}\r\nContent-Type: application/json\r\n"
        'Content-Length: 50\r\n\r\n{"query":'
    )

    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), timeout=20)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"TIMEOUT"' in answer
    writer.close()


async def test_a_head_that_does_not_arrive_is_given_up(serve: Serve) -> None:
    """Slow heads hold a connection each, so their time is short."""
    gateway = await serve(head_timeout_seconds=0.05)
    reader, writer = await asyncio.open_connection(gateway.url.host, gateway.url.port)

    writer.write(b"POST /graphql HTTP/1.1\r\nHost: ")
    answer = await asyncio.wait_for(reader.read(), timeout=20)

    assert answer == b""
    writer.close()


NOT_HTTP = {
    "no request line": (b"hello\r\n\r\n", b"400"),
    "broken chunks": (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"400",
    ),
    "length and chunks": (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    # In one piece of a loopback: where more is on its way, the system resets what was closed.
    "a head of 40 kB": (
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"431",
    ),
}


@pytest.mark.parametrize(("sent", "status"), NOT_HTTP.values(), ids=NOT_HTTP.keys())
async def test_what_is_not_http_is_the_clients_fault(
    gateway: Served, sent: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is answered in JSON, without a banner, an echo, or a traceback in the log."""
    reader, writer = await asyncio.open_connection(gateway.url.host, gateway.url.port)

    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), timeout=20)

    assert answer.split(b" ", 2)[1] == status
    assert b'"code":"BAD_USER_INPUT"' in answer
    assert b"aiohttp" not in answer
    assert "Traceback" not in caplog.text
    writer.close()
