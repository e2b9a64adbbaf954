"""Sockets and event streams under clients that err, press, leave or spy."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.callers.desk import Desk, bearer
from tests.crash.waiting import until_true
from tests.reliability.public import (
    INVOICE,
    PARTNER,
    RIVAL,
    Public,
    assert_refused,
    standing,
)
from tests.reliability.sockets import (
    EVENTS,
    closed,
    event,
    handshake_status,
    init,
    introduced,
    item,
    opened,
    received,
    streaming,
    subscribe,
)
from tests.support.stage import GLOBEX

SOON = {"init_timeout_seconds": 0.2}


@pytest.mark.parametrize("said", [None, {"type": "ping"}, {"type": "pong"}])
async def test_socket_without_init_closes_4408(desk: Desk, said: Any) -> None:
    """Also one that sends pings instead."""
    async with standing(desk, **SOON) as public, opened(public) as socket:
        if said is not None:
            await socket.send_json(said)

        assert (await closed(socket))[0] == 4408


@pytest.mark.parametrize("is_acknowledged", [False, True])
async def test_second_init_closes_4429(public: Public, is_acknowledged: bool) -> None:
    """Also before the first one is acknowledged."""
    async with opened(public) as socket:
        await init(socket)
        if is_acknowledged:
            await received(socket)
        await init(socket)

        assert (await closed(socket))[0] == 4429


async def test_subscribe_before_the_ack_closes_4401_and_nothing_is_executed(
    public: Public,
) -> None:
    async with opened(public) as socket:
        await subscribe(socket, INVOICE)

        assert (await closed(socket))[0] == 4401
    assert public.calls == []


@pytest.mark.parametrize("token", [None, "another", ""])
async def test_init_with_a_bad_token_closes_4403(public: Public, token: str | None) -> None:
    async with opened(public) as socket:
        await init(socket, token)

        assert (await closed(socket))[0] == 4403


async def test_socket_of_a_dismissed_partner_closes_4403(desk: Desk) -> None:
    """As does one whose token expires, which `tests.callers` waits for."""
    async with standing(desk) as public, introduced(public) as socket:
        desk.dismiss("acme")
        public.world.served.gateway.rereading.again()

        assert (await closed(socket))[0] == 4403


@pytest.mark.parametrize("operation_id", ["1", "x" * 500, "\u00e9" * 120])
async def test_duplicate_id_closes_4409_with_a_reason_that_fits_its_frame(
    public: Public, operation_id: str
) -> None:
    """A reason of more than 123 bytes would be an illegal frame, and the peer would see 1006."""
    async with introduced(public) as socket:
        await subscribe(socket, id=operation_id)
        await received(socket)
        await subscribe(socket, id=operation_id)

        code, reason = await closed(socket)
    assert code == 4409
    assert reason.startswith("Subscriber for ")
    assert len(reason.encode()) <= 123


def message(**parts: Any) -> str:
    return json.dumps({"id": "1", "type": "subscribe", "payload": {"query": INVOICE}} | parts)


FRAMES: dict[str, str | bytes] = {
    "not JSON": "hello",
    "JSON array": "[]",
    "JSON null": "null",
    "JSON number": "7",
    "no id": json.dumps({"type": "subscribe", "payload": {"query": INVOICE}}),
    "list as id": message(id=["1"]),
    "number as id": message(id=1),
    "query a number": message(payload={"query": 7}),
    "variables a list": message(payload={"query": INVOICE, "variables": [1]}),
    "unknown type": message(type="start"),
    "long type": message(type="x" * 50_000),
    "binary": message().encode(),
    "10 k nesting": '{"type":"ping","payload":' + '{"a":' * 10_000 + "1" + "}" * 10_001,
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_frame_that_is_no_message_closes_4400_and_nothing_is_executed(
    public: Public, frame: str | bytes
) -> None:
    """Without a traceback in the log, which the fixture looks for."""
    async with introduced(public) as socket:
        if isinstance(frame, bytes):
            await socket.send_bytes(frame)
        else:
            await socket.send_str(frame)

        assert (await closed(socket))[0] == 4400
    assert public.calls == []


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("soap",), ("graphql-ws", "soap")])
async def test_wrong_or_no_subprotocol_closes_4406(
    public: Public, protocols: tuple[str, ...]
) -> None:
    """The legacy protocol of the same name family too."""
    async with opened(public, protocols=protocols) as socket:
        assert (await closed(socket))[0] == 4406


BROKEN = {
    "syntax": ("{", "GRAPHQL_PARSE_FAILED"),
    "unknown field": ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
    "too complex": ("{ " + "__typename " * 500 + "}", "QUERY_TOO_COMPLEX"),
    "introspection": ("{ __schema { queryType { name } } }", "GRAPHQL_VALIDATION_FAILED"),
}


@pytest.mark.parametrize(("query", "code"), BROKEN.values(), ids=BROKEN)
async def test_broken_operation_is_an_error_of_its_own_and_siblings_live_on(
    public: Public, query: str, code: str
) -> None:
    async with introduced(public) as socket:
        await subscribe(socket, id="lives")
        await received(socket)
        await subscribe(socket, query, id="broken")
        refusal = await received(socket)
        await public_event(public)
        lives = await received(socket)

    assert (refusal["type"], refusal["id"]) == ("error", "broken")
    assert {error["extensions"]["code"] for error in refusal["payload"]} == {code}
    assert (lives["type"], lives["id"]) == ("next", "lives")


async def public_event(public: Public, customer_id: str = "cus_acme") -> str:
    """A payment turns paid at Stripe, and its webhook comes in; the invoice."""
    invoice_id, _ = public.stage.paid_by(1000, customer_id=customer_id)
    body = public.world.bodies("invoice_payment.paid")[-1]
    assert await public.world.webhook(body) == 200
    return invoice_id


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil"])
async def test_foreign_origin_is_403_at_the_handshake(public: Public, origin: str) -> None:
    """Browsers let any page open a socket, and only we can say no."""
    assert await handshake_status(public, Origin=origin) == 403


async def test_frame_of_5_megabytes_closes_1009(public: Public) -> None:
    async with introduced(public) as socket:
        await socket.send_str(" " * 5_000_000)

        assert (await closed(socket))[0] == 1009


async def test_subscription_beyond_50_on_a_socket_is_an_error_and_the_50_live(
    public: Public,
) -> None:
    async with introduced(public) as socket:
        for number in range(51):
            await subscribe(socket, id=str(number))
        messages = [await received(socket) for _ in range(51)]

    by_type = {one["id"]: one["type"] for one in messages}
    assert by_type == {str(number): "next" for number in range(50)} | {"50": "error"}
    refusal = next(one for one in messages if one["type"] == "error")
    assert refusal["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_socket_beyond_the_partner_s_share_is_429_and_others_are_let_in(desk: Desk) -> None:
    async with standing(desk, sockets_per_viewer_max=2) as public, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(introduced(public))

        beyond = await handshake_status(public, **bearer(PARTNER))
        other = await handshake_status(public, **bearer(RIVAL))

    assert (beyond, other) == (429, 101)


async def test_queries_down_a_socket_cost_the_same_budget_as_over_http(desk: Desk) -> None:
    """Ten thousand of them on one socket are no way around it."""
    async with standing(desk, cost_per_minute=3) as public, introduced(public) as socket:
        over_http = await public.ask("{ __typename }")
        for number in range(20):
            await subscribe(socket, INVOICE, id=str(number))
        ends: dict[str, str] = {}
        while len(ends) < 20:
            told = await received(socket)
            if told["type"] in ("complete", "error"):
                ends[told["id"]] = told["type"]

    assert over_http.status == 200
    assert list(ends.values()).count("complete") == 2
    assert list(ends.values()).count("error") == 18


async def test_abrupt_end_of_20_sockets_and_streams_leaks_nothing_and_harms_nobody(
    public: Public,
) -> None:
    """Their subscriptions are gone, and who stays still hears of the next event."""
    feed = public.world.served.gateway.feed
    async with introduced(public) as stays:
        await subscribe(stays)
        await item(stays)
        async with AsyncExitStack() as held:
            for _ in range(20):
                socket = await held.enter_async_context(introduced(public))
                await subscribe(socket)
                await item(socket)
                stream = await held.enter_async_context(streaming(public))
                await event(stream)
                held.callback(abort, socket)
                held.callback(abort, stream)
            while_open = feed.subscriber_count
        invoice_id = await public_event(public)
        heard = await item(stays)
        await until_true(lambda: feed.subscriber_count == 1, "the end of the others")

    assert while_open == 41
    assert heard["invoiceId"] == invoice_id


def abort(peer: Any) -> None:
    """The cable is cut: no closing frame, no end of the stream."""
    connection = getattr(peer, "_response", peer).connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


async def test_who_comes_back_with_the_last_cursor_has_missed_nothing(public: Public) -> None:
    """Over a socket by the argument `after`, over SSE by Last-Event-ID as well."""
    async with introduced(public) as socket:
        await subscribe(socket)
        cursor = (await item(socket))["cursor"]
    missed = [await public_event(public) for _ in range(3)]

    async with introduced(public) as socket:
        await subscribe(socket, after=cursor)
        assert (await item(socket))["__typename"] == "StreamCheckpoint"
        over_socket = [(await item(socket))["invoiceId"] for _ in range(3)]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": cursor, **bearer(PARTNER)}
    async with public.session.post(public.url, json={"query": EVENTS}, headers=headers) as response:
        _, *events = [await event(response) for _ in range(4)]

    assert over_socket == missed
    assert [one in told for one, told in zip(missed, events, strict=True)] == [True] * 3
    assert all(told.startswith("id: ") for told in events)


async def test_unknown_cursor_is_a_gap_and_no_silence(public: Public) -> None:
    async with introduced(public) as socket:
        await subscribe(socket, after="no cursor of ours")
        told = await received(socket)

    assert told["type"] in ("next", "error")
    if told["type"] == "next":
        assert told["payload"]["data"]["invoicePaymentEvents"]["__typename"] == "StreamGap"
    else:
        assert told["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json, */*;q=0.1"])
async def test_subscription_over_plain_json_is_406_and_not_an_execution(
    public: Public, accept: str
) -> None:
    told = await public.ask(EVENTS, Accept=accept)

    assert_refused(told, 406, "BAD_USER_INPUT")
    assert "event-stream" in told.errors[0]["message"]


URQL = "application/graphql-response+json, application/graphql+json, application/json, " \
       "text/event-stream, multipart/mixed"  # fmt: skip


@pytest.mark.parametrize("query", ["{ __typename }", "mutation { __typename }"])
async def test_accept_that_also_mentions_event_streams_gets_json(
    public: Public, query: str
) -> None:
    """urql names five types with every request."""
    told = await public.ask(query, Accept=URQL)

    assert told.headers["Content-Type"].startswith("application/graphql-response+json")
    assert told.data


async def test_partner_never_hears_of_the_other_s_events(public: Public) -> None:
    """Not even when it asks for them by their ids; over socket and stream."""
    theirs = public.stage.open_invoice(1000, customer_id=GLOBEX)
    narrow: dict[str, Any] = {"filter": {"invoiceIds": [theirs]}}
    async with (
        introduced(public) as everything,
        introduced(public) as spying,
        streaming(public) as stream,
    ):
        await subscribe(everything)
        await subscribe(spying, **narrow)
        await item(everything)
        spied = await received(spying)
        await event(stream)
        hidden = await public_event(public, GLOBEX)
        visible = await public_event(public)
        heard = await item(everything)
        streamed = await event(stream)
        await spying.send_json({"type": "ping"})
        pong = await received(spying)

    assert spied["type"] in ("next", "error")
    assert heard["invoiceId"] == visible
    assert visible in streamed
    assert hidden not in streamed
    assert pong["type"] == "pong"


async def test_other_partner_s_objects_are_not_found_like_those_that_are_not(
    public: Public,
) -> None:
    """`FORBIDDEN` would tell that they exist."""
    theirs, _ = public.stage.paid_by(1000, customer_id=GLOBEX)
    query = "query ($id: ID!) { invoice(id: $id) { id status } }"

    foreign = await public.ask(query, {"id": theirs})
    absent = await public.ask(query, {"id": "in_absent"})
    own = await public.ask(query, {"id": theirs}, token=RIVAL)

    assert foreign.codes == absent.codes == ["NOT_FOUND"]
    assert foreign.text.split(theirs)[0] == absent.text.split("in_absent")[0]
    assert own.data == {"invoice": {"id": theirs, "status": "PAID"}}
