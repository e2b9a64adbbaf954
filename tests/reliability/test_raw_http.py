"""Bytes that two servers could read differently: refused whole, and nothing behind them is read.

Whoever stands before the gateway may take another view of where a request ends. So no request is
ever made out of the rest of a refused one.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack

import pytest

from tests.callers.desk import Desk
from tests.reliability.public import HANG_SECONDS_MAX, INVOICE, PARTNER, Public, standing

QUERY = json.dumps({"query": INVOICE}).encode()
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n"
HEADERS = (
    b"Host: gateway\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
    % PARTNER.encode()
)
LENGTH = b"Content-Length: %d\r\n" % len(QUERY)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(QUERY), QUERY)


def post(*lines: bytes, body: bytes = QUERY, headers: bytes = HEADERS) -> bytes:
    """A request with these header lines more."""
    more = b"".join(line + b"\r\n" for line in lines)
    return b"POST /graphql HTTP/1.1\r\n" + headers + more + b"\r\n" + body


def statuses(answer: bytes) -> list[bytes]:
    """Of each answer that came back, interim ones too."""
    return re.findall(rb"HTTP/\d\.\d (\d{3}) ", answer)


async def answered(public: Public, *parts: bytes) -> tuple[list[bytes], bytes]:
    answer = await public.raw(*parts)
    return statuses(answer), answer


def assert_bare(answer: bytes) -> None:
    """JSON, no banner, no echo, the headers that every answer has."""
    lowered = answer.lower()
    assert b"bad_user_input" in lowered
    assert b"x-content-type-options: nosniff" in lowered
    assert b"cache-control: no-store" in lowered
    for told in (b"aiohttp", b"python", b"traceback", b"smuggled", b"token-acme"):
        assert told not in lowered


CLOSING = b"Connection: close"


async def test_well_formed_request_is_answered(public: Public) -> None:
    """So that the refusals below are about what differs."""
    by_length, _ = await answered(public, post(CLOSING, LENGTH.strip()))
    in_chunks, _ = await answered(public, post(CLOSING, b"Transfer-Encoding: chunked", body=CHUNKS))

    assert (by_length, in_chunks) == ([b"200"], [b"200"])


AMBIGUOUS = {
    "CL and TE": (b"Content-Length: 6", b"Transfer-Encoding: chunked"),
    "TE and CL": (b"Transfer-Encoding: chunked", b"Content-Length: 6"),
    "two CLs": (b"Content-Length: 5", LENGTH.strip()),
    "two equal CLs": (LENGTH.strip(), LENGTH.strip()),
    "a list of CLs": (b"Content-Length: 5, 5",),
    "CL with a sign": (b"Content-Length: +5",),
    "CL below zero": (b"Content-Length: -5",),
    "CL in hex": (b"Content-Length: 0x5",),
    "CL with an underscore": (b"Content-Length: 1_0",),
    "CL of nothing": (b"Content-Length:",),
    "CL beyond 64 bits": (b"Content-Length: 99999999999999999999",),
    "CL in other digits": ("Content-Length: \u0665".encode(),),
    "blank before the colon": (b"Transfer-Encoding : chunked",),
    "blank before the name": (b" Transfer-Encoding: chunked",),
    "xchunked": (b"Transfer-Encoding: xchunked",),
    "chunked, identity": (b"Transfer-Encoding: chunked, identity",),
    "identity, chunked": (b"Transfer-Encoding: identity, chunked",),
    "gzip, chunked": (b"Transfer-Encoding: gzip, chunked",),
    "identity": (b"Transfer-Encoding: identity",),
    "chunked twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked, chunked": (b"Transfer-Encoding: chunked, chunked",),
    "two TEs": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "chunked in quotes": (b'Transfer-Encoding: "chunked"',),
    "chunked behind a vertical tab": (b"Transfer-Encoding: \x0bchunked",),
    "chunked behind a line break": (b"Transfer-Encoding:\r\n chunked",),
    "TE of nothing": (b"Transfer-Encoding:",),
    "bare LF in the head": (b"X: y\nTransfer-Encoding: chunked",),
    "bare CR in the head": (b"X: y\rTransfer-Encoding: chunked",),
    "folded header": (b"X: y", b" folded", LENGTH.strip()),
    "NUL in a value": (b"X: a\0b", LENGTH.strip()),
    "NUL in a name": (b"X\0: a", LENGTH.strip()),
    "control character": (b"X: a\x01b", LENGTH.strip()),
    "two hosts": (b"Host: other", LENGTH.strip()),
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_ambiguous_framing_is_400_and_the_rest_is_no_request(
    public: Public, lines: tuple[bytes, ...]
) -> None:
    """Whatever length one believes: the connection ends with the refusal."""
    found, answer = await answered(public, post(*lines, body=CHUNKS + SMUGGLED))

    assert found == [b"400"]
    assert_bare(answer)
    assert public.calls == []


CHUNKED = b"Transfer-Encoding: chunked"
BROKEN_CHUNKS = {
    "size of nothing": b"\r\n" + QUERY,
    "size below zero": b"-1\r\n" + QUERY,
    "size with 0x": b"0x5\r\n" + QUERY,
    "size with more": b"5g\r\n" + QUERY,
    "size beyond 64 bits": b"f" * 17 + b"\r\n" + QUERY,
    "bare LF": CHUNKS.replace(b"\r\n", b"\n"),
    "more than its size": b"5\r\n" + QUERY + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
async def test_broken_chunks_are_400_and_the_rest_is_no_request(
    public: Public, body: bytes
) -> None:
    found, answer = await answered(public, post(CHUNKED, body=body + SMUGGLED))

    assert found == [b"400"]
    assert b"smuggled" not in answer
    assert public.calls == []


NOT_HTTP_1_1 = {
    "HTTP/0.9": (b"GET /graphql\r\n\r\n", b"505"),
    "HTTP/1.2": (post(LENGTH.strip()).replace(b"HTTP/1.1", b"HTTP/1.2"), b"400"),
    "HTTP/3.0": (post(LENGTH.strip()).replace(b"HTTP/1.1", b"HTTP/3.0"), b"400"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 30, b"400"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500, b"400"),
    "no host": (
        b"POST /graphql HTTP/1.1\r\n" + LENGTH + b"\r\n" + QUERY,
        b"400",
    ),
    "chunks in HTTP/1.0": (
        post(CHUNKED, body=CHUNKS + SMUGGLED).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        b"400",
    ),
    "a word too many": (b"GET /livez x HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    "bytes in the path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    "a method in lower case": (b"post /graphql HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    "a method of 90 kB": (b"A" * 90_000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    "another expectation": (post(LENGTH.strip(), b"Expect: 200-ok"), b"417"),
}


@pytest.mark.parametrize(("sent", "status"), NOT_HTTP_1_1.values(), ids=NOT_HTTP_1_1)
async def test_what_is_not_http_1_1_is_refused_and_the_connection_ends(
    public: Public, sent: bytes, status: bytes
) -> None:
    """And it is no traceback in the log: the internet sends such things all day."""
    found, answer = await answered(public, sent)

    assert found == [status]
    assert_bare(answer)
    assert public.calls == []


TOO_LONG = {
    "a header of 200 kB": post(b"X: " + b"a" * 200_000, LENGTH.strip()),
    "a header's name of 20 kB": post(b"X" * 20_000 + b": a", LENGTH.strip()),
    "10,000 headers": post(*(b"X-%d: a" % i for i in range(10_000)), LENGTH.strip()),
    "a path of 200 kB": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("sent", TOO_LONG.values(), ids=TOO_LONG)
async def test_head_that_is_too_long_is_431(public: Public, sent: bytes) -> None:
    """Whether by one line or by their number."""
    found, answer = await answered(public, sent)

    assert found == [b"431"]
    assert_bare(answer)
    assert public.calls == []


async def test_absolute_target_is_read_by_its_path_and_opens_no_other_door(
    public: Public,
) -> None:
    """Proxies send it; HTTP asks servers to take it. The token is asked for all the same."""
    named = post(LENGTH.strip(), CLOSING).replace(b" /graphql", b" http://evil.example/graphql", 1)
    stranger = named.replace(PARTNER.encode(), b"other")

    found, _ = await answered(public, named)
    refused, _ = await answered(public, stranger)

    assert (found, refused) == ([b"200"], [b"401"])


async def test_gateway_is_no_proxy(public: Public) -> None:
    """CONNECT opens nothing."""
    found, _ = await answered(
        public, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )

    assert found in ([b"404"], [b"405"])


OF_SMUGGLED = b"Content-Length: %d" % len(SMUGGLED)
REFUSED_BODIES = {
    "too long by its length": (post(b"Content-Length: 200000", body=b" " * 200_000), b"413"),
    "of another type": (
        post(
            OF_SMUGGLED,
            headers=HEADERS.replace(b"application/json", b"text/plain"),
            body=SMUGGLED,
        ),
        b"415",
    ),
    "of a stranger": (
        post(OF_SMUGGLED, headers=HEADERS.replace(b"token", b"x"), body=SMUGGLED),
        b"401",
    ),
    "to nowhere": (
        post(OF_SMUGGLED, body=SMUGGLED).replace(b"/graphql", b"/nowhere", 1),
        b"404",
    ),
    "with another method": (
        post(OF_SMUGGLED, body=SMUGGLED).replace(b"POST", b"DELETE", 1),
        b"405",
    ),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED_BODIES.values(), ids=REFUSED_BODIES)
async def test_refused_body_is_never_parsed_as_a_request(
    public: Public, sent: bytes, status: bytes
) -> None:
    """Its bytes look like one; only what follows it is a request, if the connection stays open."""
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    found, _ = await answered(public, sent, last)

    assert found == ([status] if status == b"413" else [status, b"200"])


async def test_after_a_refusal_that_closes_nothing_more_is_answered(public: Public) -> None:
    """`Connection: close` is a promise: the requests behind it are not carried out."""
    too_long = post(b"Content-Length: 100001", body=b" " * 100_001)

    found, answer = await answered(public, too_long + post(LENGTH.strip()))

    assert found == [b"413"]
    assert b"Connection: close" in answer
    assert public.calls == []


async def test_pipelined_requests_are_answered_in_their_order(public: Public) -> None:
    """A refused one among them stops nobody, as long as its end is known."""
    bad = post(LENGTH.strip(), headers=HEADERS.replace(b"application/json", b"text/plain"))

    found, _ = await answered(public, post(LENGTH.strip()) + bad + post(LENGTH.strip(), CLOSING))

    assert found == [b"200", b"415", b"200"]


EXPECTING = b"Expect: 100-continue"
NOT_WANTED = {
    "too long": (post(b"Content-Length: 200000", EXPECTING, body=b""), b"413"),
    "of a stranger": (
        post(LENGTH.strip(), EXPECTING, headers=HEADERS.replace(b"token", b"x"), body=b""),
        b"401",
    ),
    "of another type": (
        post(LENGTH.strip(), EXPECTING, headers=HEADERS.replace(b"json", b"xml"), body=b""),
        b"415",
    ),
}


@pytest.mark.parametrize(("sent", "status"), NOT_WANTED.values(), ids=NOT_WANTED)
async def test_client_that_waits_with_its_body_is_refused_without_being_asked_for_it(
    public: Public, sent: bytes, status: bytes
) -> None:
    """No `100 Continue` for a body that nobody wants."""
    found, _ = await answered(public, sent)

    assert found == [status]


async def test_client_that_waits_with_its_body_is_asked_for_it(public: Public) -> None:
    async with public.connection() as (reader, writer), asyncio.timeout(HANG_SECONDS_MAX):
        writer.write(post(LENGTH.strip(), EXPECTING, CLOSING, body=b""))
        interim = await reader.readuntil(b"\r\n\r\n")
        writer.write(QUERY)
        answer = await reader.read()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert statuses(answer) == [b"200"]


async def test_50_half_open_connections_stop_nobody_and_are_dropped(desk: Desk) -> None:
    """They say nothing at all; they are given the time that a head has."""
    async with (
        standing(desk, head_timeout_seconds=1) as public,
        AsyncExitStack() as held,
        asyncio.timeout(HANG_SECONDS_MAX),
    ):
        readers = [(await held.enter_async_context(public.connection()))[0] for _ in range(50)]

        told = await public.ask("{ __typename }")
        answers = [await reader.read() for reader in readers]

    assert told.data == {"__typename": "Query"}
    assert answers == [b""] * 50


async def test_head_that_trickles_in_is_dropped(desk: Desk) -> None:
    """Each byte in time is not the whole in time."""
    async with (
        standing(desk, head_timeout_seconds=0.2) as public,
        public.connection() as (reader, writer),
        asyncio.timeout(HANG_SECONDS_MAX),
    ):
        trickle = asyncio.create_task(trickling(writer))
        answer = await reader.read()
        trickle.cancel()

    assert answer == b""


async def trickling(writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /graphql HTTP/1.1\r\nHost: x\r\n")
    for i in range(100_000):
        writer.write(b"X-%d: a\r\n" % i if i % 1000 == 0 else b"")
        await asyncio.sleep(0)
