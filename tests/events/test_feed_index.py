"""What an event costs the live streams that it is not about: nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.events.subscriber import View
from schema.ports import StreamCheckpoint, Viewer
from tests.events.channel import Channel, filtered, item, items
from tests.support.stage import ACME, GLOBEX


class Looks:
    """Counts how often a view is asked whether it wants an entry."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        wants = View.wants

        def counted(view: View, entry: Any) -> bool:
            self.count += 1
            return wants(view, entry)

        patch.setattr(View, "wants", counted)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


@pytest.mark.parametrize(
    "where",
    [{"invoice_ids": ["in_quiet"]}, {"customer_ids": [GLOBEX]}],
    ids=["of another invoice", "of another customer"],
)
async def test_an_event_costs_no_look_at_streams_of_something_else(
    channel: Channel, looks: Looks, where: dict[str, Any]
) -> None:
    """With a hundred thousand of them an event about one invoice is as cheap as with none."""
    quiet = [channel.feed.subscribe(Viewer("q"), after=None, where=filtered(**where))
             for _ in range(100)]  # fmt: skip
    for one in quiet:
        await item(one)
    async with channel.listening(invoice_ids=["in_1"]) as concerned:
        await item(concerned)

        await channel.tell(invoice_id="in_1", customer_id=ACME)

        assert await items(concerned, 1) == [("event", 1)]
    assert looks.count == 1
    for one in quiet:
        await one.aclose()


async def test_an_event_costs_no_look_at_streams_of_callers_bound_to_other_customers(
    channel: Channel, looks: Looks, globex: Viewer
) -> None:
    async with channel.listening(globex) as quiet:
        await item(quiet)

        await channel.tell(customer_id=ACME)

    assert looks.count == 0


async def test_a_stream_of_two_invoices_is_told_of_both_once(channel: Channel) -> None:
    async with channel.listening(invoice_ids=["in_1", "in_2"], customer_ids=[ACME]) as stream:
        await item(stream)

        for invoice_id in ("in_1", "in_3", "in_2"):
            await channel.tell(invoice_id=invoice_id, customer_id=ACME)

        assert await items(stream, 2) == [("event", 1), ("event", 3)]


async def test_a_quiet_stream_beats_with_what_others_were_told(looks: Looks) -> None:
    """How far it has come follows from what was published, without a look at it."""
    channel = Channel.opened(heartbeat_seconds=0)
    async with channel.listening(invoice_ids=["in_quiet"]) as quiet:
        await item(quiet)
        await channel.tell_many(3)

        beat = await item(quiet)

    assert beat == StreamCheckpoint(channel.cursor(3), True)
    assert looks.count == 0


async def test_streams_that_end_leave_nothing_in_the_index(
    channel: Channel, looks: Looks, acme: Viewer
) -> None:
    for viewer, where in ((acme, {}), (acme, {"invoice_ids": ["in_1"]}), (Viewer("o"), {})):
        async with channel.listening(viewer, **where) as stream:
            await item(stream)

    await channel.tell(invoice_id="in_1", customer_id=ACME)

    assert looks.count == 0
