"""Who wants the same at the same time asks once, but nobody is given what is too old for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.backends.caching.reads import CachingReads
from schema.ports import ErrorCode, Failed, Loaded, Meter, Needs, Viewer
from tests.caching.cached import OPERATOR, Cached
from tests.support.running import WatchedBackend
from tests.support.stage import ACME
from tests.support.wanting import invoice, wanting


class HeldBackend(WatchedBackend):
    """Sees the state at once, and answers when it is let go; counts calls on the meter."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.bug: Exception | None = None
        self.past: list[str] = []

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        try:
            meter.count_read()
        except Failed as failed:
            return Loaded(None, dict.fromkeys(needs.of("Query"), failed))
        root = await super().load(viewer, needs, meter, known)
        self.asked.set()
        await self.go.wait()
        if self.bug is not None:
            raise self.bug
        self.past.append("answered")
        return root


async def read(backend: CachingReads, needs: Needs, viewer: Viewer = OPERATOR) -> Loaded[Any]:
    return await backend.load(viewer, needs, Meter(viewer.tenant))


@pytest.fixture
def cached() -> Cached:
    return Cached()


@pytest.fixture
def held(cached: Cached) -> HeldBackend:
    return HeldBackend(cached.stage)


@pytest.fixture
def backend(cached: Cached, held: HeldBackend) -> CachingReads:
    return cached.replica(held)


async def test_equal_reads_at_once_are_one_load(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """Twenty pages that hear of the same event cost one call."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))

    readers = [asyncio.ensure_future(read(backend, needs)) for _ in range(20)]
    await held.asked.wait()
    held.go.set()
    trees = await asyncio.gather(*readers)

    amounts = {one.record.amount_due for tree in trees for one in tree.children.values()}
    assert (amounts, len(held.loads)) == ({700}, 1)


async def test_readers_of_one_load_have_a_root_each(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """Who asks for events puts them beside what was loaded; nobody else may see them there."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    readers = [asyncio.ensure_future(read(backend, needs)) for _ in range(2)]
    await held.asked.wait()
    held.go.set()
    one, other = await asyncio.gather(*readers)

    one.children.clear()

    assert (len(other.children), len(held.loads)) == (1, 1)


async def test_reader_after_a_drop_does_not_join_a_read_from_before(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """It asks again, and is answered with what the event was about."""
    invoice_id = cached.stage.open_invoice(700)
    needs = wanting(invoice(invoice_id))
    early = asyncio.ensure_future(read(backend, needs))
    await held.asked.wait()
    held.asked.clear()

    cached.stage.twin.void(invoice_id)
    await backend.drop(invoice_id, ACME, None)
    late = asyncio.ensure_future(read(backend, needs))
    await held.asked.wait()
    held.go.set()

    statuses = [
        one.record.status for tree in (early, late) for one in (await tree).children.values()
    ]
    assert statuses == ["open", "void"]
    assert len(held.loads) == 2


async def test_reader_who_goes_away_leaves_the_others_their_answer(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """The first asked for all; its client has closed the page."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    first = asyncio.ensure_future(read(backend, needs))
    await held.asked.wait()
    second = asyncio.ensure_future(read(backend, needs))

    first.cancel()
    held.go.set()
    tree = await second

    assert first.cancelled()
    assert [one.record.amount_due for one in tree.children.values()] == [700]
    assert len(held.loads) == 1


async def test_viewers_with_other_rights_do_not_share_a_load(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """What one may see is not asked for in the name of another."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    partner = Viewer("partner", customers=frozenset())
    held.go.set()

    shown, hidden = await asyncio.gather(
        read(backend, needs),
        read(backend, needs, partner),
    )

    assert [type(one) for one in shown.children.values()] == [Loaded]
    assert [type(one) for one in hidden.children.values()] == [Failed]
    assert len(held.loads) == 2


async def test_nobody_fails_for_another_operations_budget(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """An operation that has used up its calls shares its failure with no other."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    held.go.set()

    poor = backend.load(OPERATOR, needs, Meter("operator", calls_max=0))

    without, within = await asyncio.gather(poor, read(backend, needs))

    (failed,), (loaded,) = without.children.values(), within.children.values()
    assert failed.code is ErrorCode.UPSTREAM_BUDGET_EXCEEDED
    assert loaded.record.amount_due == 700


async def test_error_inside_reaches_every_reader_once(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """A bug inside is told to all who wait for it, and the next read tries again."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    held.bug = ZeroDivisionError()
    held.go.set()
    readers = [read(backend, needs) for _ in range(2)]

    answers = await asyncio.gather(*readers, return_exceptions=True)
    held.bug = None
    tree = await read(backend, needs)

    assert [type(one) for one in answers] == [ZeroDivisionError, ZeroDivisionError]
    assert [one.record.amount_due for one in tree.children.values()] == [700]


async def test_closing_waits_for_reads_under_way(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """What is beneath is closed after it, and no read is left that has not come back."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    reader = asyncio.ensure_future(read(backend, needs))
    await held.asked.wait()

    closing = asyncio.ensure_future(backend.close())
    await read(backend, Needs())
    assert not closing.done()
    held.go.set()
    await closing

    assert held.past == ["answered"]
    await reader


async def test_read_that_nobody_waits_for_any_more_is_given_up(
    cached: Cached, held: HeldBackend, backend: CachingReads
) -> None:
    """Pages that were closed cost no further call; who asks anew is not sent away with them."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    readers = [asyncio.ensure_future(read(backend, needs)) for _ in range(2)]
    await held.asked.wait()
    held.asked.clear()

    for reader in readers:
        reader.cancel()
    late = asyncio.ensure_future(read(backend, needs))
    await held.asked.wait()
    held.go.set()
    tree = await late

    assert held.past == ["answered"]
    assert [one.record.amount_due for one in tree.children.values()] == [700]
    assert len(held.loads) == 2
