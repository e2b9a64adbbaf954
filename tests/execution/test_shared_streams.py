"""Subscriptions that are shown the same share the work, and nothing that is one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gateway.events.feed import Feed
from gateway.execution.streams.deliveries import Delivery, RecentDeliveries
from schema.ports import ById, ErrorCode, Failed, Loaded, Meter, Need, Needs, Viewer
from tests.events.channel import turn
from tests.execution.subscribers import (
    DOCUMENT,
    WITH_KEY,
    Subscriber,
    all_told,
    channel,
    until,
)
from tests.support.running import OPERATOR, Running, WatchedBackend
from tests.support.stage import ACME, GLOBEX

Open = Callable[..., Awaitable[Subscriber]]
INVOICE = "in_1"


@pytest.fixture
def running() -> Running:
    """A gateway with one invoice of Acme."""
    made = Running()
    made.stage.open_invoice(invoice_id=INVOICE)
    return made


@pytest.fixture
async def opened(running: Running) -> AsyncIterator[Open]:
    """Opens subscribers, and ends them with the test."""
    all_of_them: list[Subscriber] = []

    async def subscribe(viewer: Viewer = OPERATOR, **given: Any) -> Subscriber:
        document = given.pop("document", DOCUMENT)
        subscriber = Subscriber(running, viewer, document, given, f"req_{len(all_of_them)}")
        all_of_them.append(subscriber)
        return await subscriber.begin()

    yield subscribe
    for one in all_of_them:
        await one.end()


class Held:
    """Keeps back loads at the supplier until they may go on, or lets them fail."""

    def __init__(self, backend: WatchedBackend, patch: pytest.MonkeyPatch) -> None:
        self.may_go_on = asyncio.Event()
        self.failures: list[Exception] = []
        load = backend.load

        async def held(
            viewer: Viewer, needs: Needs, meter: Meter, known: Any = None
        ) -> Loaded[Any]:
            loaded = await load(viewer, needs, meter, known)
            await self.may_go_on.wait()
            if self.failures:
                raise self.failures.pop()
            return loaded

        patch.setattr(backend, "load", held)


@pytest.fixture
def held(running: Running, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(running.backend, monkeypatch)


async def test_an_event_is_loaded_and_encoded_once_for_a_group(
    running: Running, opened: Open
) -> None:
    """Of callers of many tenants: who they are does not change what they are shown."""
    crowd = [await opened(Viewer(f"tenant-{number}")) for number in range(20)]

    await channel(running).tell(invoice_id=INVOICE)
    await all_told(crowd, 1)

    assert len(running.backend.loads) == 1
    assert {id(one.answers[-1]) for one in crowd} == {id(crowd[0].answers[-1])}
    assert crowd[0].answers[-1].json is not None


async def test_an_event_is_loaded_once_for_each_selection(running: Running, opened: Open) -> None:
    """What is selected, with which arguments, is what an answer depends on."""
    with_alias = DOCUMENT.replace("number", "other: number")
    crowd = [await opened(), await opened(document=with_alias), await opened()]

    await channel(running).tell(invoice_id=INVOICE)
    await all_told(crowd, 1)

    assert len(running.backend.loads) == 2
    assert [list(one.events[0]["invoice"]) for one in crowd] == [
        ["id", "number"],
        ["id", "other"],
        ["id", "number"],
    ]


async def test_rights_are_not_shared(running: Running, opened: Open) -> None:
    """Who is bound to customers is told of theirs, by loads with those rights."""
    everybody = await opened()
    acme = await opened(Viewer("acme", customers=frozenset({ACME})))
    globex = await opened(Viewer("globex", customers=frozenset({GLOBEX})))
    without = Viewer("lesser", scopes=OPERATOR.scopes - {"payments:write"})
    lesser = await opened(without)

    await channel(running).tell(invoice_id=INVOICE, customer_id=ACME)
    await all_told([everybody, acme, lesser], 1)

    assert len(running.backend.loads) == 3
    assert globex.events == []


async def test_a_key_is_shown_to_its_tenant_only_and_loads_nothing_twice(
    running: Running, opened: Open
) -> None:
    """Who shares a group with others is told of its own key, and they are not."""
    mine = await opened(Viewer("mine"), document=WITH_KEY)
    also_mine = await opened(Viewer("mine", caller="another"), document=WITH_KEY)
    others = await opened(Viewer("others"), document=WITH_KEY)

    await channel(running).tell(invoice_id=INVOICE, tenant="mine", idempotency_key="k-1")
    await channel(running).tell(invoice_id=INVOICE)
    await all_told([mine, also_mine, others], 2)

    keys = [[event["idempotencyKey"] for event in one.events] for one in (mine, also_mine, others)]
    assert keys == [["k-1", None], ["k-1", None], [None, None]]
    assert len(running.backend.loads) == 2


async def test_a_key_that_is_not_asked_for_parts_nobody(running: Running, opened: Open) -> None:
    crowd = [await opened(Viewer("mine")), await opened(Viewer("others"))]

    await channel(running).tell(invoice_id=INVOICE, tenant="mine", idempotency_key="k-1")
    await all_told(crowd, 1)

    assert crowd[0].answers[-1] is crowd[1].answers[-1]


async def test_a_slow_reader_delays_nobody_and_loses_nothing(
    running: Running, opened: Open
) -> None:
    """It leaves the pass, catches up when it can, and shares what was loaded meanwhile."""
    slow, quick = await opened(), await opened()
    slow.reads.clear()

    for count in range(1, 6):
        await channel(running).tell(invoice_id=INVOICE)
        await all_told([quick], count)
    so_far = len(slow.events)
    slow.reads.set()
    await all_told([slow], 5)
    await channel(running).tell(invoice_id=INVOICE)
    await all_told([slow, quick], 6)

    assert so_far <= 1
    assert slow.positions == quick.positions == [1, 2, 3, 4, 5, 6]
    assert len(running.backend.loads) == 6


async def test_a_reader_that_is_too_slow_is_told_and_ended_alone(opened: Open) -> None:
    """Its queue is bounded as it always was; its group goes on."""
    narrow = Running()
    narrow.feed = Feed(narrow.log, queue_max=2)
    narrow.runner._events = narrow.feed
    slow, quick = await Subscriber(narrow).begin(), await Subscriber(narrow).begin()
    slow.reads.clear()

    for count in range(1, 6):
        await channel(narrow).tell()
        await all_told([quick], count)
    slow.reads.set()
    await until(lambda: slow.task is not None and slow.task.done())

    assert slow.positions == [1, 2, 3]
    assert slow.told[-1]["reason"] == "SLOW_CONSUMER"
    assert quick.positions == [1, 2, 3, 4, 5]
    await quick.end()


async def test_a_load_that_fails_is_told_to_all_and_not_kept(
    running: Running, opened: Open
) -> None:
    """The error stands at its path for all that waited; who comes to the event later has it loaded
    anew, as it may be there by then."""
    crowd = [await opened(), await opened()]
    running.backend.broken.add(ById("Invoice", INVOICE, True))
    await channel(running).tell(invoice_id=INVOICE)
    await all_told(crowd, 1)
    running.backend.broken.clear()

    late = await opened(after=channel(running).cursor(0))
    await all_told([late], 1)

    assert crowd[0].answers[-1] is crowd[1].answers[-1]
    (error,) = crowd[0].answers[-1].body["errors"]
    assert error["path"] == ["told", "invoice"]
    assert late.events[0]["invoice"]["id"] == INVOICE
    assert len(running.backend.loads) == 2


async def test_a_failure_of_everything_ends_each_stream_with_its_error(
    running: Running, opened: Open, held: Held
) -> None:
    crowd = [await opened(), await opened()]
    held.may_go_on.set()
    held.failures.append(Failed(ErrorCode.UPSTREAM_TIMEOUT, "upstream is slow"))

    await channel(running).tell(invoice_id=INVOICE)
    await until(lambda: all(one.task is not None and one.task.done() for one in crowd))

    codes = [one.answers[-1].body["errors"][0]["extensions"]["code"] for one in crowd]
    assert codes == ["UPSTREAM_TIMEOUT", "UPSTREAM_TIMEOUT"]
    assert running.feed.subscriber_count == 0


async def test_a_mistake_of_ours_names_each_ones_own_request(
    running: Running, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id leads to the line in the log, so that it must be the caller's."""
    crowd = [await opened(), await opened()]

    def broken(need: Need, loaded: Loaded[Any]) -> None:
        loaded.children[need] = object()  # type: ignore[assignment]

    load = running.backend.load

    async def odd(*given: Any) -> Loaded[Any]:
        loaded = await load(*given)
        for need in list(loaded.children):
            broken(need, loaded)
        return loaded

    monkeypatch.setattr(running.backend, "load", odd)
    await channel(running).tell(invoice_id=INVOICE)
    await all_told(crowd, 1)

    errors = [one.answers[-1].body["errors"][0] for one in crowd]
    assert [one["extensions"]["requestId"] for one in errors] == ["req_0", "req_1"]
    assert [one["message"] for one in errors] == ["Internal error", "Internal error"]


async def test_who_resumes_shares_what_the_group_has_loaded(running: Running, opened: Open) -> None:
    """A thousand who come back after a break ask for each event once."""
    first = await opened()
    await channel(running).tell(invoice_id=INVOICE)
    await channel(running).tell(invoice_id=INVOICE)
    await all_told([first], 2)

    late = [await opened(after=channel(running).cursor(position)) for position in (0, 1, 0)]
    await channel(running).tell(invoice_id=INVOICE)
    await all_told(late, 2)
    await until(lambda: late[0].positions[-1] == 3)

    assert [one.positions for one in late] == [[1, 2, 3], [2, 3], [1, 2, 3]]
    assert len(running.backend.loads) == 3


async def test_who_leaves_ends_no_load_of_others(
    running: Running, opened: Open, held: Held
) -> None:
    """The first to come has begun it; the second waits for it, and is told of it."""
    await channel(running).tell(invoice_id=INVOICE)
    first = await opened(after=channel(running).cursor(0))
    second = await opened(after=channel(running).cursor(0))
    await until(lambda: len(running.backend.loads) == 1)

    await first.end()
    held.may_go_on.set()
    await all_told([second], 1)

    assert first.events == []
    assert second.positions == [1]
    assert len(running.backend.loads) == 1


async def test_a_group_that_everybody_has_left_goes_on_with_nothing(
    running: Running, opened: Open, held: Held
) -> None:
    """Its load ends with its last reader, and its next reader begins anew."""
    alone = await opened()
    await channel(running).tell(invoice_id=INVOICE)
    await until(lambda: len(running.backend.loads) == 1)

    await alone.end()

    assert running.feed.subscriber_count == 0
    assert running.runner._groups._kinds == {}
    held.may_go_on.set()
    again = await opened(after=channel(running).cursor(0))
    await all_told([again], 1)
    assert len(running.backend.loads) == 2


async def test_an_event_about_one_invoice_concerns_its_group_alone(
    running: Running, opened: Open
) -> None:
    """A hundred who wait for other invoices are not looked at: nothing is loaded for them."""
    quiet = [await opened(filter={"invoiceIds": [f"in_quiet_{number}"]}) for number in range(100)]
    concerned = await opened(filter={"invoiceIds": [INVOICE]})

    await channel(running).tell(invoice_id=INVOICE)
    await all_told([concerned], 1)
    for _ in range(10):
        await turn()

    assert len(running.backend.loads) == 1
    assert [one.events for one in quiet] == [[]] * 100


async def test_events_that_come_together_are_loaded_side_by_side_and_told_in_order(
    running: Running, opened: Open, held: Held
) -> None:
    """A slow load delays the events behind it, as order is a promise, but not their loads."""
    one = await opened()

    await channel(running).tell_many(3, invoice_id=INVOICE)
    await until(lambda: len(running.backend.loads) == 3)
    nothing_yet = one.events
    held.may_go_on.set()
    await all_told([one], 3)

    assert nothing_yet == []
    assert one.positions == [1, 2, 3]


def test_recent_deliveries_are_bounded_in_bytes() -> None:
    async def scene() -> None:
        recent, loop = RecentDeliveries(bytes_max=5_000), asyncio.get_running_loop()

        for number in range(10):
            flight: asyncio.Future[Delivery] = loop.create_future()
            recent.keep(number, flight)
            recent.weigh(number, 1_000)

        assert [number for number in range(10) if recent.get(number)] == [8, 9]

    asyncio.run(scene())
