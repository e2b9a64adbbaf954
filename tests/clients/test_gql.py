"""gql, the Python client of partners: reads and writes over HTTP or a socket, listens on a socket.

The same story as the clients from npm tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from gql import Client, gql
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError

READ = """
query ($invoice: ID!) { invoice(id: $invoice) { status eventCursor
  payments(status: [PAID]) { nodes { paymentIntent { id status } } } } }
"""
STREAM = """
subscription ($after: EventCursor) { invoicePaymentEvents(after: $after) { __typename
  ... on StreamCheckpoint { cursor live }
  ... on StreamGap { resumesAt reason }
  ... on InvoicePaymentEvent { cursor type idempotencyKey invoice { status } } } }
"""
LOG = """
query ($after: EventCursor) {
  invoicePaymentEvents(first: 100, after: $after) { nodes { cursor } } }
"""
DETACH = """
mutation ($invoice: ID!, $intent: ID!, $key: String!) {
  detachPayment(input: {invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key}) {
    invoice { status } errors { code path } } }
"""
ATTACH = """
mutation ($invoice: ID!, $intent: ID!, $key: String!) {
  attachPayment(input: {invoiceId: $invoice, payment: {paymentIntentId: $intent},
                        idempotencyKey: $key}) { invoice { status } errors { code } } }
"""
WAIT_SECONDS_MAX = 60
IDS = {"invoice": "in_demo_paid_by_two", "intent": "pi_demo_two_b"}
Transport = Callable[[str], AIOHTTPTransport | AIOHTTPWebsocketsTransport]


def over_http(url: str) -> AIOHTTPTransport:
    return AIOHTTPTransport(url)


def over_a_socket(url: str) -> AIOHTTPWebsocketsTransport:
    return AIOHTTPWebsocketsTransport(url.replace("http", "ws", 1))


@pytest.fixture(params=[over_http, over_a_socket])
async def partner(request: pytest.FixtureRequest, url: str) -> AsyncIterator[AsyncClientSession]:
    """A session for queries and mutations."""
    async with Client(transport=request.param(url)) as session:
        yield session


async def ask(partner: AsyncClientSession, document: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer; gql raises `TransportQueryError` when it has errors."""
    query = gql(document)
    query.variable_values = variables
    return await partner.execute(query)


async def listen(url: str, after: str, last: str) -> list[dict[str, Any]]:
    """The items of one connection, up to and with the first event of this type."""
    items: list[dict[str, Any]] = []
    query = gql(STREAM)
    query.variable_values = {"after": after}
    async with (
        asyncio.timeout(WAIT_SECONDS_MAX),
        Client(transport=over_a_socket(url)) as session,
        aclosing(session.subscribe(query)) as stream,
    ):
        async for answer in stream:
            items.append(answer["invoicePaymentEvents"])
            if items[-1].get("type") == last:
                return items
    raise AssertionError(f"the stream ended before {last}")


async def test_a_partner_sees_its_own_detach_and_misses_nothing(
    partner: AsyncClientSession, url: str
) -> None:
    """Its echo carries its key and the reopened invoice; what happened while it was away is
    there once and in order when it comes again."""
    invoice = (await ask(partner, READ, invoice=IDS["invoice"]))["invoice"]
    mine, theirs = f"mine-{invoice['eventCursor']}", f"theirs-{invoice['eventCursor']}"
    listening = asyncio.create_task(listen(url, invoice["eventCursor"], "DETACHED"))
    detached = (await ask(partner, DETACH, **IDS, key=mine))["detachPayment"]
    first = await listening
    await ask(partner, ATTACH, **IDS, key=theirs)
    second = await listen(url, first[-1]["cursor"], "ATTACHED")
    page = await ask(partner, LOG, after=invoice["eventCursor"])

    assert invoice["status"] == "PAID"
    assert [one["paymentIntent"]["id"] for one in invoice["payments"]["nodes"]] == [
        "pi_demo_two_b",
        "pi_demo_two_a",
    ]
    assert detached == {"invoice": {"status": "OPEN"}, "errors": []}
    assert first[-1]["idempotencyKey"] == mine
    assert second[-1]["idempotencyKey"] == theirs
    assert second[-1]["invoice"]["status"] == "PAID"
    seen = [item["cursor"] for item in first + second if "type" in item]
    assert seen == [event["cursor"] for event in page["invoicePaymentEvents"]["nodes"]][: len(seen)]


async def test_an_unknown_id_is_an_error_with_its_code(partner: AsyncClientSession) -> None:
    """What gql raises still says which rule and where."""
    with pytest.raises(TransportQueryError) as raised:
        await ask(partner, READ, invoice="in_nowhere")

    assert raised.value.data == {"invoice": None}
    assert [(one["extensions"]["code"], one["path"]) for one in raised.value.errors or ()] == [
        ("NOT_FOUND", ["invoice"])
    ]


async def test_a_refusal_is_data(partner: AsyncClientSession) -> None:
    """A partner's code branches on it without catching anything."""
    intent = {**IDS, "intent": "pi_demo_free"}

    answer = await ask(partner, DETACH, **intent, key="refused")

    assert answer["detachPayment"] == {
        "invoice": None,
        "errors": [{"code": "PAYMENT_NOT_ATTACHED", "path": ["paymentIntentId"]}],
    }
