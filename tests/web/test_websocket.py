"""graphql-transport-ws as its clients use it, and what happens to those that break its rules."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.web.app import SHUTDOWN
from tests.web.serving import Serve, Served
from tests.web.sockets import acknowledged, closed, opened, raw_socket, received, subscribe


async def test_a_subscription_is_streamed_to_its_end(gateway: Served) -> None:
    """Every item is a `next` message, and `complete` says that there are no more."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { count(to: 2) }")
        messages = [await received(socket) for _ in range(3)]

    assert messages == [
        {"id": "1", "type": "next", "payload": {"data": {"count": 1}}},
        {"id": "1", "type": "next", "payload": {"data": {"count": 2}}},
        {"id": "1", "type": "complete"},
    ]


async def test_queries_and_mutations_work_over_the_socket(gateway: Served) -> None:
    """Clients that keep a socket open anyway need no second transport."""
    gateway.runner.may_pay.set()

    async with acknowledged(gateway) as socket:
        await subscribe(socket, "{ hello }", id="q")
        query = [await received(socket) for _ in range(2)]
        await subscribe(socket, "mutation { pay }", id="m")
        mutation = [await received(socket) for _ in range(2)]

    assert [message["type"] for message in query + mutation] == ["next", "complete"] * 2
    assert query[0]["payload"] == {"data": {"hello": "Hello world"}}
    assert mutation[0]["payload"] == {"data": {"pay": "paid"}}


INVALID_OPERATIONS = {
    "syntax error": ("{", "GRAPHQL_PARSE_FAILED"),
    "unknown field": ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
    "our mistake": ("{ broken }", "INTERNAL_SERVER_ERROR"),
}


@pytest.mark.parametrize(
    ("query", "code"), INVALID_OPERATIONS.values(), ids=INVALID_OPERATIONS.keys()
)
async def test_a_failed_operation_leaves_its_siblings_alone(
    gateway: Served, query: str, code: str
) -> None:
    """One page's typing error must not end the live views beside it."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }", id="sibling")
        assert (await received(socket))["type"] == "next"
        await subscribe(socket, query, id="bad")
        error = await received(socket)
        await subscribe(socket, "{ hello }", id="bad")
        again = await received(socket)

    assert (error["id"], error["type"]) == ("bad", "error")
    assert error["payload"][0]["extensions"]["code"] == code
    assert again["payload"] == {"data": {"hello": "Hello world"}}


async def test_an_unknown_operation_name_fails_that_operation(gateway: Served) -> None:
    """It is the operation that is wrong, not the socket."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "query A { hello }", operationName="B")
        error = await received(socket)

    assert error["type"] == "error"


async def test_complete_cancels_a_subscription(gateway: Served) -> None:
    """The stream behind it is closed, and the id may be used again at once."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }")
        await received(socket)
        await socket.send_json({"id": "1", "type": "complete"})
        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)
        await subscribe(socket, "{ hello }")
        answer = await received(socket)

    assert answer["payload"] == {"data": {"hello": "Hello world"}}


async def test_complete_does_not_stop_a_mutation(gateway: Served) -> None:
    """A payment under way is finished; only its answer is dropped."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "mutation { pay }", id="m")
        await gateway.runner.asked_to_pay.wait()
        await socket.send_json({"id": "m", "type": "complete"})
        await subscribe(socket, "{ hello }", id="q")
        answers = [await received(socket) for _ in range(2)]
        gateway.runner.may_pay.set()
        await gateway.app[SHUTDOWN].finish(timeout_seconds=5)

    assert {answer["id"] for answer in answers} == {"q"}
    assert gateway.runner.paid == 1


async def test_complete_for_nothing_is_ignored(gateway: Served) -> None:
    """Both sides may complete at the same moment."""
    async with acknowledged(gateway) as socket:
        await socket.send_json({"id": "never was", "type": "complete"})
        await subscribe(socket, "{ hello }")

        assert (await received(socket))["type"] == "next"


@pytest.mark.parametrize("payload", [None, {}, {"token": "t"}])
async def test_init_may_carry_an_object_or_nothing(
    gateway: Served, payload: dict[str, str] | None
) -> None:
    """Several clients send an explicit null."""
    async with opened(gateway) as socket:
        await socket.send_json({"type": "connection_init", "payload": payload})

        assert await received(socket) == {"type": "connection_ack"}


async def test_a_pong_echoes_the_payload_of_its_ping(gateway: Served) -> None:
    """Clients measure latency with it, also before the acknowledgement."""
    async with opened(gateway) as socket:
        await socket.send_json({"type": "ping"})
        await socket.send_json({"type": "ping", "payload": {"at": 7}})
        pongs = [await received(socket) for _ in range(2)]

    assert pongs == [{"type": "pong"}, {"type": "pong", "payload": {"at": 7}}]


async def test_a_pong_needs_no_answer(gateway: Served) -> None:
    """A client may send one unasked, as a heartbeat of one direction."""
    async with acknowledged(gateway) as socket:
        await socket.send_json({"type": "pong", "payload": None})
        await subscribe(socket, "{ hello }")

        assert (await received(socket))["type"] == "next"


async def test_subscribing_before_the_acknowledgement_closes(gateway: Served) -> None:
    """Nobody is known yet in whose name it could run, also when init is already on its way."""
    async with opened(gateway) as socket:
        await subscribe(socket, "{ hello }")

        assert await closed(socket) == (4401, "Unauthorized")
    assert gateway.runner.executed == []


async def test_a_second_init_closes(gateway: Served) -> None:
    """Also when it comes before the first was acknowledged."""
    async with opened(gateway) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.send_json({"type": "connection_init"})

        assert await closed(socket) == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("frames", [[], ['{"type": "ping"}']], ids=["silence", "pings"])
async def test_a_socket_without_init_is_closed(serve: Serve, frames: list[str]) -> None:
    """A socket nobody speaks for is not kept, whatever else is said on it."""
    gateway = await serve(init_timeout_seconds=0.05)

    async with opened(gateway) as socket:
        for frame in frames:
            await socket.send_str(frame)

        assert await closed(socket) == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize(
    ("operation_id", "reason"),
    [
        ("1", "Subscriber for 1 already exists"),
        ("x" * 500, "Subscriber for " + "x" * 108),
        ("é" * 500, "Subscriber for " + "é" * 54),
    ],
    ids=["short", "long", "long and not ascii"],
)
async def test_an_id_in_use_closes(gateway: Served, operation_id: str, reason: str) -> None:
    """The reason is cut to what a close frame holds, or the peer would see a broken connection."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }", id=operation_id)
        await received(socket)
        await subscribe(socket, "subscription { held }", id=operation_id)

        assert await closed(socket) == (4409, reason)


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("nonsense", "chat")])
async def test_other_subprotocols_are_closed(gateway: Served, protocols: tuple[str, ...]) -> None:
    """The legacy `graphql-ws` protocol looks alike and is not; its clients have to learn it."""
    async with opened(gateway, protocols=protocols) as socket:
        assert await closed(socket) == (4406, "Subprotocol not acceptable")


async def test_the_subprotocol_may_be_one_of_several(gateway: Served) -> None:
    """Clients that speak both protocols offer both."""
    async with opened(gateway, protocols=("graphql-ws", "graphql-transport-ws")) as socket:
        assert socket.protocol == "graphql-transport-ws"


async def test_a_close_ends_everything_on_the_socket(gateway: Served) -> None:
    """A client that leaves in good manners leaves no stream behind."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }", id="a")
        await subscribe(socket, "subscription { held }", id="b")
        await received(socket)
        await received(socket)

    await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)
    assert gateway.runner.open_streams == 0


async def test_abrupt_closes_leak_nothing_and_hurt_nobody(gateway: Served) -> None:
    """Twenty connections break; the socket of another client goes on."""
    async with acknowledged(gateway) as survivor:
        async with AsyncExitStack() as stack:
            for _ in range(20):
                gateway.runner.stream_opened.clear()
                await stack.enter_async_context(raw_socket(gateway, "subscription { held }"))
                await gateway.runner.stream_opened.wait()
        await asyncio.wait_for(gateway.runner.streams_closed.wait(), timeout=20)
        await subscribe(survivor, "{ hello }")

        assert (await received(survivor))["type"] == "next"
    assert gateway.runner.open_streams == 0
