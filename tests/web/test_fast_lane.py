"""The short way for requests whose head is known: the same answers, the same protections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.web.app import _Connection
from gateway.web.fast_lane import HEADS_MAX
from tests.callers.desk import Desk, guarded
from tests.support.long_form import examples
from tests.support.served import Served

INVOICE = '{ invoice(id: "in_demo_paid_by_two") { id number status } }'
OTHER = '{ invoice(id: "in_demo_open") { id } }'
MISSING = '{ invoice(id: "in_missing") { id } }'
WAIT_SECONDS = 20


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "clients.toml")


def request(token: str, query: str, padding: str = "", **more: str) -> bytes:
    """One request as it goes over the wire."""
    body = json.dumps({"query": query}).encode() + padding.encode()
    headers = {
        "Host": "gateway",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **more,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode() + body


class Wire:
    """One connection, and what comes back over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Each piece by itself: the server's turn comes in between."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            for _ in range(4):
                await asyncio.sleep(0)

    async def skip_continue(self) -> None:
        assert b"100 Continue" in await self._reader.readuntil(b"\r\n\r\n")

    def stop_reading(self) -> None:
        transport: Any = self._writer.transport
        transport.pause_reading()

    def go_on_reading(self) -> None:
        transport: Any = self._writer.transport
        transport.resume_reading()

    async def response(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        async with asyncio.timeout(WAIT_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(body)

    async def ask(self, *pieces: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        await self.send(*pieces)
        return await self.response()


@asynccontextmanager
async def wire(served: Served) -> AsyncIterator[Wire]:
    host, port = served.url.host, served.url.port
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def test_a_known_head_is_answered_with_the_same_but_for_id_and_date(desk: Desk) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served, wire(served) as line:
        await line.ask(request(token, INVOICE))
        long = await line.ask(request(token, INVOICE))
        before = served.requests_of_aiohttp
        short = await line.ask(request(token, INVOICE))

        assert served.requests_of_aiohttp == before
    for own in ("x-request-id", "date"):
        assert long[1].pop(own)
        assert short[1].pop(own)
    assert short == long
    assert short[0] == 200


async def test_each_response_has_an_id_of_its_own_which_the_log_tells(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served, wire(served) as line:
        with caplog.at_level("INFO", "gateway.operations"):
            ids = [(await line.ask(request(token, INVOICE)))[1]["x-request-id"] for _ in range(3)]

    assert len(set(ids)) == 3
    assert [one.message for one in caplog.records] == ["operation"] * 3
    counted = served.gateway.metrics.page().decode()
    assert 'gateway_operations_total{code="OK",kind="query"} 3.0' in counted


async def test_a_client_that_was_dismissed_is_not_let_in(desk: Desk) -> None:
    token, other = desk.admit("acme"), desk.admit("other")

    async with guarded(desk) as served, wire(served) as line:
        for _ in range(3):
            await line.ask(request(token, INVOICE))
            await line.ask(request(other, INVOICE))
        desk.dismiss("acme")
        served.gateway.rereading.again()
        refused = await line.ask(request(token, INVOICE))
        let_in = await line.ask(request(other, INVOICE))

    assert (refused[0], let_in[0]) == (401, 200)


async def test_a_budget_is_charged_and_ends(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=3)

    async with guarded(desk) as served, wire(served) as line:
        answers = [await line.ask(request(token, INVOICE)) for _ in range(5)]

    left = [body["extensions"]["cost"]["remaining"] for _, _, body in answers]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert left == [2, 1, 0, 0, 0]


async def test_an_answer_is_never_older_than_a_write_before_it(desk: Desk) -> None:
    token = desk.admit("acme")
    state = '{ invoice(id: "in_demo_paid_by_two") { status } }'
    detach = """mutation { detachPayment(input: {invoiceId: "in_demo_paid_by_two",
      paymentIntentId: "pi_demo_two_b", idempotencyKey: "k"}) { errors { code } } }"""

    async with guarded(desk) as served, wire(served) as line:
        before = [(await line.ask(request(token, state)))[2]["data"] for _ in range(3)]
        detached = await line.ask(request(token, detach))
        after = (await line.ask(request(token, state)))[2]["data"]

    assert detached[2]["data"]["detachPayment"]["errors"] == []
    assert before == [{"invoice": {"status": "PAID"}}] * 3
    assert after == {"invoice": {"status": "OPEN"}}


@pytest.mark.parametrize(
    "header",
    [{"X-Request-Id": "mine"}, {"Expect": "100-continue"}, {"Connection": "close"}],
    ids=lambda header: next(iter(header)),
)
async def test_what_is_of_one_request_alone_goes_the_long_way(
    desk: Desk, header: dict[str, str]
) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served:
        for number in range(1, 4):
            async with wire(served) as line:
                await line.send(request(token, INVOICE, **header))
                if "Expect" in header:
                    await line.skip_continue()
                assert (await line.response())[0] == 200
            assert served.requests_of_aiohttp == number


async def test_heads_that_come_once_push_out_none_that_come_again(desk: Desk) -> None:
    """A client that traces its requests has another head for each."""
    token = desk.admit("acme")

    async with guarded(desk) as served, wire(served) as line:
        for _ in range(2):
            await line.ask(request(token, INVOICE))
        for number in range(HEADS_MAX + 1):
            await line.ask(request(token, INVOICE, Traceparent=str(number)))
        before = served.requests_of_aiohttp
        await line.ask(request(token, INVOICE))

        assert served.requests_of_aiohttp == before


def split(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({cut % len(stream) for cut in cuts} - {0})
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


KINDS = {
    "warm": lambda token: request(token, INVOICE),
    "other": lambda token: request(token, OTHER),
    "failed": lambda token: request(token, MISSING),
    "refused": lambda token: request(token, "{ nonsense }"),
    "unknown caller": lambda token: request("nobody", INVOICE),
    "longer": lambda token: request(token, INVOICE + " " * 40),
    "no json": lambda token: request(token, INVOICE).replace(b'{"query"', b'("query"'),
}


@settings(
    print_blob=True,
    deadline=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4),
            st.lists(st.integers(0, 2000), max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
async def test_however_requests_are_cut_and_joined_each_gets_its_answer(
    tmp_path: Path, rounds: list[tuple[Sequence[str], list[int]]]
) -> None:
    """Several in one packet, one in several packets, and the next one behind its half."""
    desk = Desk(tmp_path / "clients.toml")
    token = desk.admit("acme")

    async with guarded(desk) as served:
        async with wire(served) as line:
            for _ in range(2):
                alone = {kind: await line.ask(of(token)) for kind, of in KINDS.items()}
        async with wire(served) as line:
            for kinds, cuts in rounds:
                await line.send(*split(b"".join(KINDS[kind](token) for kind in kinds), cuts))
                got = [(await line.response()) for _ in kinds]

                assert [(status, body) for status, _, body in got] == [
                    (alone[kind][0], alone[kind][2]) for kind in kinds
                ]


async def test_a_body_that_comes_later_is_waited_for(desk: Desk) -> None:
    """What is there of it by now would be an operation of its own."""
    token = desk.admit("acme")
    whole = request(token, INVOICE, padding=" " * 40)

    async with guarded(desk) as served, wire(served) as line:
        expected = [(await line.ask(whole))[2] for _ in range(3)]
        status, _, body = await line.ask(whole[:-40], whole[-40:])
        next_status, _, _ = await line.ask(whole)

    assert (status, body, next_status) == (200, expected[0], 200)


async def test_a_request_within_a_body_is_no_request(desk: Desk) -> None:
    """Or whoever writes a body could speak for whoever shares the connection."""
    token = desk.admit("acme")
    within = request(token, INVOICE)
    outer = request(token, "").partition(b"\r\n\r\n")[0]
    outer = outer.replace(b"Content-Length: 13", f"Content-Length: {len(within)}".encode())

    async with guarded(desk) as served, wire(served) as line:
        for _ in range(3):
            assert (await line.ask(within))[0] == 200
        status, _, body = await line.ask(outer + b"\r\n\r\n", within)
        after = await line.ask(request(token, OTHER))

    assert status == 400
    assert "not valid JSON" in body["errors"][0]["message"]
    assert after[2]["data"] == {"invoice": {"id": "in_demo_open"}}


async def test_a_request_within_a_head_is_no_request(desk: Desk) -> None:
    token = desk.admit("acme")
    within = request(token, INVOICE)

    async with guarded(desk) as served, wire(served) as line:
        for _ in range(3):
            await line.ask(within)
        before = served.requests_of_aiohttp
        first = await line.ask(b"POST /graphql HTTP/1.1\r\nX-Outer: ", within)
        after = await line.ask(request(token, OTHER))

        assert served.requests_of_aiohttp == before + 2
    assert first[2]["data"]["invoice"]["id"] == "in_demo_paid_by_two"
    assert after[2]["data"] == {"invoice": {"id": "in_demo_open"}}


async def test_who_does_not_read_is_not_answered_into_memory(desk: Desk) -> None:
    """What was not taken yet holds up the next answer, as on the long way."""
    token = desk.admit("acme")
    query = "{ " + " ".join(f"a{n}: {INVOICE[2:-2]}" for n in range(12)) + " }"
    whole = request(token, query)

    async with guarded(desk) as served, wire(served) as line:
        _, _, first = await line.ask(whole)
        await line.ask(whole)
        before = served.requests_of_aiohttp
        await line.ask(whole)
        assert served.requests_of_aiohttp == before
        line.stop_reading()
        asked = 0
        while served.requests_of_aiohttp == before and asked < 20_000:
            await line.send(whole)
            asked += 1
        line.go_on_reading()
        answers = [(await line.response())[2] for _ in range(asked)]

    assert served.requests_of_aiohttp > before
    assert answers == [first] * asked


def test_what_a_connection_knows_of_aiohttp_is_there() -> None:
    """aiohttp's own names; another release may have others."""
    slots = {name for kind in _Connection.__mro__ for name in getattr(kind, "__slots__", ())}

    assert slots >= {
        "_waiter",
        "_messages",
        "_upgraded",
        "_close",
        "_force_close",
        "_next_keepalive_close_time",
        "_keepalive_timeout",
        "_parser",
        "_task_handler",
        "_manager",
        "_reading_paused",
    }
