"""History that this release cannot read, as clients see it: in streams and on pages."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from gateway.execution.operation import Answer, OperationRequest
from tests.events.channel import Channel, item
from tests.events.unsteady_logs import Upgraded, tell_newer
from tests.support.running import OPERATOR, Running

STREAM = """
subscription ($after: EventCursor) {
  invoicePaymentEvents(after: $after) {
    ... on InvoicePaymentEvent { cursor }
    ... on StreamCheckpoint { cursor live }
    ... on StreamGap { after resumesAt reason }
  }
}
"""
PAGE = """
query ($first: Int, $after: EventCursor) {
  invoicePaymentEvents(first: $first, after: $after) {
    nodes { cursor }
    gaps { after resumesAt reason }
    pageInfo { hasNextPage endCursor }
  }
}
"""


@pytest.fixture
async def running() -> Running:
    """A gateway whose log holds an event, one of a newer release, and another event."""
    running = Running(log=Upgraded())
    channel = Channel(running.log, running.feed)
    await channel.tell()
    await tell_newer(channel)
    await channel.tell()
    return running


def cursors(running: Running) -> list[str]:
    """The log's positions from its origin on."""
    return [Channel(running.log, running.feed).cursor(position) for position in range(4)]


async def test_a_stream_tells_of_an_entry_that_cannot_be_read(running: Running) -> None:
    """In its place, by the schema's own reason, and the stream goes on and can be resumed."""
    origin, one, two, three = cursors(running)
    request = OperationRequest(STREAM, {"after": origin})
    prepared = await running.runner.prepare(request, OPERATOR)
    assert not isinstance(prepared, Answer)

    async with aclosing(running.runner.subscribe(prepared, request, OPERATOR, "req")) as stream:
        answers = [await item(stream) for _ in range(5)]

    assert [answer.body["data"]["invoicePaymentEvents"] for answer in answers] == [
        {"cursor": origin, "live": False},
        {"cursor": one},
        {"after": one, "resumesAt": two, "reason": "UNREADABLE"},
        {"cursor": three},
        {"cursor": three, "live": True},
    ]
    assert [answer.cursor for answer in answers] == [origin, one, two, three, three]


async def test_a_page_tells_of_an_entry_that_cannot_be_read(running: Running) -> None:
    """Beside the events that it has, so that paging goes on and a client knows what it lacks."""
    _, one, two, three = cursors(running)

    answers = [await running.ask(PAGE, first=1), await running.ask(PAGE, after=one)]

    assert [answer["data"]["invoicePaymentEvents"] for answer in answers] == [
        {
            "nodes": [{"cursor": one}],
            "gaps": [],
            "pageInfo": {"hasNextPage": True, "endCursor": one},
        },
        {
            "nodes": [{"cursor": three}],
            "gaps": [{"after": one, "resumesAt": two, "reason": "UNREADABLE"}],
            "pageInfo": {"hasNextPage": False, "endCursor": three},
        },
    ]
