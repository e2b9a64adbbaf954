"""Stripe's list of thin events, read forwards from any second."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.stripe.reads.intake_reads import (
    THIN_PATH,
    WINDOW_SECONDS,
    StripeThinEventReader,
)
from gateway.events.hints import THIN_TYPES
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import Failed
from tests.webhooks.rig import Rig

DAY = 24 * 3600


def happened(rig: Rig, count: int, *, apart: int = 0) -> list[tuple[str, int]]:
    """Let so many payments be opened, each with an invoice; ids and seconds, oldest first."""
    for _ in range(count):
        rig.stage.clock.advance(apart)
        rig.stage.open_invoice()
    events = [one for one in rig.sandbox.account.thin_events if one.type in THIN_TYPES]
    return [(one.id, one.created) for one in events][-count:]


async def read(reader: StripeThinEventReader, since: int) -> list[str]:
    return [event["id"] async for event in reader.events_since(since)]


def reader_of(rig: Rig, **options: Any) -> StripeThinEventReader:
    given = {"now": rig.stage.clock.now, "page_size": 3, **options}
    return StripeThinEventReader(rig.api, tuple(THIN_TYPES), **given)


@pytest.mark.parametrize("skipped", [0, 1, 3, 4, 10])
@pytest.mark.parametrize("apart", [0, 100, WINDOW_SECONDS])
async def test_events_come_in_order_from_a_second_on(rig: Rig, skipped: int, apart: int) -> None:
    """Each once, oldest first, however many windows that takes; that second included."""
    events = happened(rig, 11, apart=apart)

    found = await read(reader_of(rig), events[skipped][1])

    assert found == [event_id for event_id, _ in events[skipped:]]


async def test_what_is_not_asked_for_does_not_come(rig: Rig) -> None:
    """What snapshot events tell is read in their list."""
    rig.stage.paid_by(1000)

    types = {one["type"] async for one in reader_of(rig).events_since(0)}

    assert types <= THIN_TYPES.keys()
    assert list(rig.sandbox.requests[0].params["types"].values()) == list(THIN_TYPES)


async def test_a_second_of_more_than_a_page_comes_whole(rig: Rig) -> None:
    """No window is narrower; what is behind the page is asked for by Stripe's own address."""
    invoice_ids = [rig.stage.open_invoice() for _ in range(2)]
    for _ in range(8):
        rig.stage.twin.attach(invoice_ids[1], rig.stage.twin.create_intent(intent(rig)).id)
    events = [one for one in rig.sandbox.account.thin_events if one.type in THIN_TYPES]

    found = await read(reader_of(rig), rig.stage.clock.now())

    second = [one.id for one in events if one.created == rig.stage.clock.now()]
    assert len(second) > 6
    assert found == second


def intent(rig: Rig) -> Any:
    from schema.records import PaymentIntent

    return PaymentIntent(
        id=rig.stage.ids.new("pi"),
        created=rig.stage.clock.now(),
        currency="usd",
        status="requires_payment_method",
        amount=100,
        customer_id="cus_acme",
    )


async def test_a_quiet_month_is_few_calls(rig: Rig) -> None:
    """The windows grow while nothing happens."""
    rig.stage.clock.advance(30 * DAY)
    happened(rig, 2)

    found = await read(reader_of(rig), rig.stage.clock.now() - 30 * DAY)

    assert len(found) == 2
    assert rig.reads(THIN_PATH) <= 11


async def test_a_busy_day_is_read_in_pages_that_fit(rig: Rig) -> None:
    """About a page a call, and never the whole day in memory."""
    events = happened(rig, 200, apart=400)

    found = await read(reader_of(rig, page_size=20), events[0][1])

    assert found == [event_id for event_id, _ in events]
    assert rig.reads(THIN_PATH) <= 40


async def test_an_event_ahead_of_our_clock_comes(rig: Rig) -> None:
    """The last window has no end: our clock may be behind Stripe's."""
    events = happened(rig, 2)
    behind = rig.stage.clock.now() - DAY

    found = await read(reader_of(rig, now=lambda: behind), behind - 600)

    assert found == [event_id for event_id, _ in events]


BROKEN: list[Any] = [
    pytest.param({"data": [{"id": "no id"}]}, id="no ids"),
    pytest.param({"data": None}, id="no list"),
    pytest.param({}, id="nothing"),
]


@pytest.mark.parametrize("body", BROKEN)
async def test_an_answer_that_is_none_is_trouble(rig: Rig, body: dict[str, Any]) -> None:
    """And never the end of the list."""
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=body), path=THIN_PATH)

    with pytest.raises(Failed):
        await read(reader_of(rig), 0)


async def test_a_list_that_leads_in_circles_ends(rig: Rig) -> None:
    """A page that names itself as the next one."""
    body = {"data": [{"id": "evt_1"}], "next_page_url": f"{THIN_PATH}?page=again"}
    rig.sandbox.faults.add(
        Fault(FaultKind.ANSWER, status=200, body=body), path=THIN_PATH, times=None
    )

    with pytest.raises(Failed, match="does not end"):
        await read(reader_of(rig, pages_max=20), rig.stage.clock.now() - 600)
