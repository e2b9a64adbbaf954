"""Live events as clients see them: over a WebSocket with the Python client gql, and over SSE."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, gql
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from graphql.execution.collect_fields import CollectedFields

from gateway.execution.operation import Answer, OperationRequest
from schema.ports import Viewer
from tests.support.served import Served

STREAM = """
subscription ($after: EventCursor, $filter: InvoicePaymentEventFilter) {
  invoicePaymentEvents(after: $after, filter: $filter) {
    __typename
    ... on InvoicePaymentEvent {
      cursor type rawType origin invoiceId invoicePaymentId paymentIntentId idempotencyKey
      invoice { id status amountRemaining { minorUnits } }
      invoicePayment { id }
    }
    ... on StreamCheckpoint { cursor live }
    ... on StreamGap { after resumesAt reason }
  }
}
"""
DETACH = """
mutation ($key: String!) {
  detachPayment(input: {invoiceId: "in_demo_paid_by_two", paymentIntentId: "pi_demo_two_b",
                        idempotencyKey: $key}) { invoice { status } errors { code } }
}
"""
ATTACH = """
mutation ($key: String!) {
  attachPayment(input: {invoiceId: "in_demo_paid_by_two",
                        payment: {paymentIntentId: "pi_demo_two_b"}, idempotencyKey: $key}) {
    invoice { status eventCursor } errors { code } }
}
"""
Item = dict[str, Any]


async def over_websocket(served: Served, **variables: Any) -> AsyncIterator[Item]:
    """The stream's items as gql delivers them."""
    url = str(served.url.with_scheme("ws") / "graphql")
    transport = AIOHTTPWebsocketsTransport(url=url)
    async with Client(transport=transport) as session:
        query = gql(STREAM)
        query.variable_values = variables
        async for item in session.subscribe(query):
            yield item["invoicePaymentEvents"]


async def over_sse(
    served: Served, last_event_id: str | None = None, **variables: Any
) -> AsyncIterator[tuple[str | None, Item]]:
    """The stream's items with their `id:` lines, read off the wire."""
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    payload = {"query": STREAM, "variables": variables}
    async with served.session.post(
        served.url / "graphql", json=payload, headers=headers
    ) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        event_id = None
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: {"):
                yield event_id, json.loads(line[6:])["data"]["invoicePaymentEvents"]


async def next_of(stream: AsyncIterator[Any]) -> Any:
    async with asyncio.timeout(20):
        return await anext(stream)


async def events_until(stream: AsyncIterator[Item], kind: str) -> list[Item]:
    """Items up to and with the first event of this type."""
    seen = []
    while not seen or seen[-1].get("type") != kind:
        seen.append(await next_of(stream))
    return seen


async def test_stream_begins_with_a_checkpoint(served: Served) -> None:
    """Subscribed means subscribed: the checkpoint is sent once it is true."""
    stream = over_websocket(served)

    first = await next_of(stream)

    assert first["__typename"] == "StreamCheckpoint"
    assert first["live"] is True


async def test_detach_arrives_with_the_invoice_as_it_is_now(served: Served) -> None:
    """One mutation is one DETACHED, with the reopened invoice and the caller's own key."""
    stream = over_websocket(served, filter={"types": ["DETACHED"]})
    await next_of(stream)

    await served.data(DETACH, key="k-1")
    event = await next_of(stream)

    assert event["type"] == "DETACHED"
    assert event["invoicePaymentId"] == "inpay_demo_two_b"
    assert event["invoicePayment"] is None
    assert event["invoice"]["status"] == "OPEN"
    assert event["invoice"]["amountRemaining"]["minorUnits"] == 5000
    assert event["idempotencyKey"] == "k-1"


async def test_own_write_and_stripes_event_about_it_are_one(served: Served) -> None:
    """The announcement and its twin are the same fact, in the log once."""
    await served.data(DETACH, key="k-1")
    await served.settled()

    data = await served.data("{ invoicePaymentEvents { nodes { type rawType } } }")

    types = [one["type"] for one in data["invoicePaymentEvents"]["nodes"]]
    assert types.count("DETACHED") == 1


async def test_attach_is_announced_and_paid(served: Served) -> None:
    """ATTACHED is ours, PAID is Stripe's; an attach of money that is there is both."""
    stream = over_websocket(served, filter={"types": ["ATTACHED", "PAID"]})
    await next_of(stream)
    await served.data(DETACH, key="k-1")

    await served.data(ATTACH, key="k-2")
    both = [await next_of(stream), await next_of(stream)]

    assert {one["type"] for one in both} == {"ATTACHED", "PAID"}


async def test_replayed_write_is_not_announced_again(served: Served) -> None:
    """A retry is no news."""
    await served.data(DETACH, key="k-1")
    await served.settled()
    count = "{ invoicePaymentEvents { nodes { cursor } } }"
    before = await served.data(count)

    await served.data(DETACH, key="k-1")
    await served.settled()

    assert await served.data(count) == before


async def test_event_cursor_closes_the_hole_between_query_and_stream(served: Served) -> None:
    """What happens after the query is in the stream, even if it happens before subscribing."""
    query = '{ invoice(id: "in_demo_paid_by_two") { status eventCursor } }'
    seen = (await served.data(query))["invoice"]
    await served.data(DETACH, key="k-1")

    stream = over_websocket(served, after=seen["eventCursor"])
    items = await events_until(stream, "DETACHED")

    assert seen["status"] == "PAID"
    assert items[0] == {
        "__typename": "StreamCheckpoint",
        "cursor": seen["eventCursor"],
        "live": False,
    }
    assert items[-1]["invoice"]["status"] == "OPEN"


async def test_mutations_answer_holds_their_own_event(served: Served) -> None:
    """Subscribing from an answer's eventCursor does not repeat the write that made it."""
    await served.data(DETACH, key="k-1")
    await served.settled()
    answer = (await served.data(ATTACH, key="k-2"))["attachPayment"]["invoice"]
    await served.settled()

    stream = over_websocket(served, after=answer["eventCursor"], filter={"types": ["ATTACHED"]})
    items = [await next_of(stream)]
    while not items[-1].get("live"):
        items.append(await next_of(stream))

    assert [one["__typename"] for one in items if one["__typename"] != "StreamCheckpoint"] == []


async def test_after_resumes_where_the_reader_stood(served: Served) -> None:
    """Cut anywhere, a stream goes on without loss or repeat."""
    for round_trip in range(3):
        await served.data(DETACH, key=f"d-{round_trip}")
        await served.data(ATTACH, key=f"a-{round_trip}")
    await served.settled()
    data = await served.data("{ invoicePaymentEvents { nodes { cursor } } }")
    cursors = [one["cursor"] for one in data["invoicePaymentEvents"]["nodes"]]

    stream = over_websocket(served, after=cursors[4])
    items = [await next_of(stream)]
    while not items[-1].get("live"):
        items.append(await next_of(stream))

    assert [one["cursor"] for one in items if one["__typename"] == "InvoicePaymentEvent"] == (
        cursors[5:]
    )


async def test_cursor_of_another_log_is_a_gap_and_not_silence(served: Served) -> None:
    """After a restart of an in-memory gateway, the client is told to refetch; if it leaves with
    the checkpoint only, it resumes there and is told again."""
    foreign = "YW5vdGhlci4x"
    stream = over_websocket(served, after=foreign)

    checkpoint, gap = await next_of(stream), await next_of(stream)

    assert gap["reason"] == "UNKNOWN_CURSOR"
    assert checkpoint["cursor"] == gap["after"] == foreign


async def test_sse_items_carry_their_cursor_as_id(served: Served) -> None:
    """`id:` lines let a browser's EventSource resume by itself."""
    stream = over_sse(served)
    first_id, checkpoint = await next_of(stream)

    await served.data(DETACH, key="k-1")
    event_id, event = await next_of(stream)

    assert first_id == checkpoint["cursor"]
    assert event_id == event["cursor"]


async def test_last_event_id_resumes_when_after_is_absent(served: Served) -> None:
    """What a reconnecting EventSource sends is enough."""
    stream = over_sse(served)
    first_id, _ = await next_of(stream)
    await served.data(DETACH, key="k-1")

    again = over_sse(served, last_event_id=first_id)
    items = [item for _, item in (await next_of(again), await next_of(again))]

    assert items[0]["live"] is False
    assert items[1]["type"] == "DETACHED"


async def test_bad_filter_ends_the_subscription_with_an_error(served: Served) -> None:
    """The operation is refused, and the message names the argument."""
    payload = {"query": STREAM, "variables": {"filter": {"invoiceIds": ["pi_demo_free"]}}}

    async with served.session.post(
        served.url / "graphql", json=payload, headers={"Accept": "text/event-stream"}
    ) as response:
        text = (await response.read()).decode()

    assert "BAD_USER_INPUT" in text
    assert "filter.invoiceIds" in text
    assert "event: complete" in text


async def test_long_streams_keep_nothing_of_past_items(served: Served) -> None:
    """A page stays open for days: what one item needed must go with it."""
    runner, viewer = served.gateway.runner, Viewer("reader")
    request = OperationRequest(STREAM)
    prepared = await runner.prepare(request, viewer)
    assert not isinstance(prepared, Answer)
    stream = runner.subscribe(prepared, request, viewer, "req_test")
    await next_of(stream)

    async def held_after(round_trips: int) -> int:
        for number in range(round_trips):
            await served.data(DETACH, key=f"d-{round_trips}-{number}")
            await served.data(ATTACH, key=f"a-{round_trips}-{number}")
            await next_of(stream)
        gc.collect()
        return sum(type(one) is CollectedFields for one in gc.get_objects())

    few, many = await held_after(3), await held_after(30)

    assert many <= few + 5
