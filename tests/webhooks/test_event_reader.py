"""Stripe's list of events, read forwards from any second."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.stripe.reads.intake_reads import PATH, StripeEventReader
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import Failed
from tests.webhooks.rig import Rig


def happened(rig: Rig, count: int) -> list[tuple[str, int]]:
    """Let so many events happen, a second apart; their ids and seconds, oldest first."""
    for _ in range(count):
        rig.stage.intent(100)
    return [(one.id, one.created) for one in rig.sandbox.account.events][-count:]


async def read(reader: StripeEventReader, since: int) -> list[str]:
    return [event["id"] async for event in reader.events_since(since)]


def reader_of(rig: Rig, **options: Any) -> StripeEventReader:
    return StripeEventReader(rig.api, **{"page_size": 3, **options})


@pytest.mark.parametrize("skipped", [0, 1, 2, 3, 4, 9, 10])
async def test_events_come_in_order_from_a_second_on(rig: Rig, skipped: int) -> None:
    """Each once, oldest first, over as many pages as there are; that second included."""
    events = happened(rig, 11)

    found = await read(reader_of(rig), events[skipped][1])

    assert found == [event_id for event_id, _ in events[skipped:]]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
async def test_everything_is_found_where_nothing_is_older(rig: Rig, count: int) -> None:
    """There is no event to read on from, so the oldest is looked for."""
    events = happened(rig, count) if count else []

    found = await read(reader_of(rig), 0)

    assert found == [event_id for event_id, _ in events]


async def test_events_of_one_second_all_come(rig: Rig) -> None:
    """Seconds tie; a window that began in their midst would lose some."""
    happened(rig, 2)
    for _ in range(5):
        rig.stage.twin.tell("customer.updated", rig.stage.twin.customers.get("cus_acme"))
    events = list(rig.sandbox.account.events)

    found = await read(reader_of(rig), rig.stage.clock.now())

    second = [one.id for one in events if one.created == rig.stage.clock.now()]
    assert len(second) >= 5
    assert found == second


async def test_nothing_newer_is_nothing(rig: Rig) -> None:
    """One call finds where to begin, one that there is no more."""
    happened(rig, 5)

    found = await read(reader_of(rig), rig.stage.clock.now() + 1)

    assert (found, rig.reads(PATH)) == ([], 2)


async def test_calls_are_few(rig: Rig) -> None:
    """A page for a hundred events, and one call to find where to begin."""
    happened(rig, 251)

    await read(reader_of(rig, page_size=100), rig.stage.clock.now() - 249)

    assert rig.reads(PATH) == 1 + 3


async def test_what_happens_meanwhile_comes_as_well(rig: Rig) -> None:
    """The end is the end of the list, not what it was at the beginning."""
    (first, since), *_ = happened(rig, 4)
    reading = reader_of(rig).events_since(since)

    begun = [(await anext(reading))["id"]]
    happened(rig, 2)
    rest = [event["id"] async for event in reading]

    assert begun + rest == [one.id for one in rig.sandbox.account.events if one.created >= since]
    assert begun == [first]


async def test_a_list_that_cannot_be_read_is_a_failure(rig: Rig) -> None:
    """In the midst as well: an end that is none would lose events."""
    events = happened(rig, 6)
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PATH, after=2, times=None)

    with pytest.raises(Failed):
        await read(reader_of(rig), events[1][1])


@pytest.mark.parametrize("since", [0, 2**31])
async def test_a_list_without_end_is_given_up(rig: Rig, since: int) -> None:
    """Whatever is wrong with it, it must not be read for ever."""
    happened(rig, 9)
    since = min(since, rig.stage.clock.now() - 7)

    with pytest.raises(Failed, match="does not end"):
        await read(reader_of(rig, page_size=1, pages_max=2), since)


@pytest.mark.parametrize("row", [None, [], "evt_1", {}, {"id": 1}], ids=repr)
async def test_what_is_no_event_is_a_failure(rig: Rig, row: Any) -> None:
    """There is no reading on from it, and skipping it could lose one."""
    page = {"object": "list", "data": [row], "has_more": False}
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=page), path=PATH)

    with pytest.raises(Failed):
        await read(reader_of(rig), 0)
