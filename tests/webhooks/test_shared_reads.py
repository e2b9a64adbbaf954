"""Reads of many invoices at once, while the budget is used up: as few calls as pages, and each the
same as a read of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest_asyncio

from gateway.backends.harvest import EventRead
from gateway.backends.stripe.client import Pacing, StripeApi
from gateway.backends.stripe.rate_limit import LocalTokens, RateBudget
from gateway.backends.stripe.reads.event_reads import StripeLookup
from gateway.backends.stripe.reads.shared_reads import (
    IDLE_PAGES_MAX,
    PAGES_MAX,
    SAVED_MIN,
    SHARED_FROM,
)
from gateway.sandbox.stripe_api import FaultKind
from tests.support.upstream import API_KEY, Waits
from tests.webhooks.rig import Rig

PER_SECOND = 5
PAGE = "/v1/invoice_payments"


class Turns(Waits):
    """Time moves by what is slept, and lets the others in."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest_asyncio.fixture
async def lookup(rig: Rig) -> AsyncIterator[StripeLookup]:
    waits = Turns()
    tokens = LocalTokens(
        account_per_second=PER_SECOND, endpoint_per_second=PER_SECOND, monotonic=waits.monotonic
    )
    budget = RateBudget(
        tokens, sleep=waits.sleep, monotonic=waits.monotonic, system_wait_seconds_max=1e6
    )
    pacing = Pacing(sleep=waits.sleep, random=waits.random, monotonic=waits.monotonic)
    api = StripeApi(API_KEY, budget=budget, pacing=pacing, api_base=rig.sandbox.url)
    yield StripeLookup(api, sleep=waits.sleep)
    await api.close()


async def read(lookup: StripeLookup, invoice_id: str) -> EventRead:
    await lookup.turn(invoice_id)
    return await lookup.invoice(invoice_id)


async def read_all(lookup: StripeLookup, invoice_ids: Sequence[str]) -> list[EventRead]:
    return await asyncio.gather(*(read(lookup, one) for one in invoice_ids))


def of_records(reads: Sequence[EventRead]) -> list[set[object]]:
    return [set(one.harvest.records) for one in reads]


def pages(rig: Rig) -> list[str]:
    return [one.path for one in rig.sandbox.requests if one.path == PAGE]


async def test_many_that_wait_are_read_by_pages(rig: Rig, lookup: StripeLookup) -> None:
    """A call for each would take longer than a webhook may."""
    invoice_ids = [rig.stage.paid_by(700, 300)[0] for _ in range(2 * SHARED_FROM)]

    reads = await read_all(lookup, invoice_ids)

    assert len(rig.sandbox.requests) <= PER_SECOND + 10
    assert pages(rig)
    alone = StripeLookup(rig.api)
    own = [await alone.invoice(one) for one in invoice_ids]
    assert of_records(reads) == of_records(own)
    assert [one.harvest.rows for one in reads] == [one.harvest.rows for one in own]
    assert [one.harvest.answers for one in reads] == [one.harvest.answers for one in own]
    assert [(one.customers, one.payments) for one in reads] == [
        (one.customers, one.payments) for one in own
    ]


async def test_few_that_wait_are_read_by_themselves(rig: Rig, lookup: StripeLookup) -> None:
    """Stripe takes longer for a page than for an invoice."""
    invoice_ids = [rig.stage.paid_by(700)[0] for _ in range(SHARED_FROM // 2)]

    await read_all(lookup, invoice_ids)

    assert len(rig.sandbox.requests) == len(invoice_ids)
    assert not pages(rig)


async def test_an_invoice_that_no_page_holds_whole_is_read_by_itself(
    rig: Rig, lookup: StripeLookup
) -> None:
    """One without payments, and one of which an intent lies far behind."""
    empty = rig.stage.open_invoice(700)
    old = rig.stage.open_invoice(1_000)
    rig.stage.twin.attach(old, rig.stage.succeeded(300))
    rig.stage.clock.advance(60)
    newer = [rig.stage.paid_by(100)[0] for _ in range(600)]
    rig.stage.twin.attach(old, rig.stage.succeeded(200))
    asked = [*newer[: -2 * SHARED_FROM : -1], empty, old]

    reads = await read_all(lookup, asked)

    alone = StripeLookup(rig.api)
    assert pages(rig)
    assert of_records(reads[-2:]) == of_records([await alone.invoice(one) for one in asked[-2:]])


async def test_pages_that_are_not_worth_it_are_left_for_a_while(
    rig: Rig, lookup: StripeLookup
) -> None:
    """A burst about older payments costs two pages, and else what it would have cost."""
    invoice_ids = [rig.stage.paid_by(700)[0] for _ in range(2 * SHARED_FROM)]
    rig.stage.clock.advance(60)
    for _ in range(100):
        rig.stage.paid_by(100)

    reads = await read_all(lookup, invoice_ids)

    assert len(pages(rig)) == IDLE_PAGES_MAX
    assert [set(one.customers) for one in reads] == [{one} for one in invoice_ids]


async def test_many_just_behind_the_newest_are_read_by_pages_too(
    rig: Rig, lookup: StripeLookup
) -> None:
    """One page that answers few is no sign that the next one does."""
    invoice_ids = [rig.stage.paid_by(700)[0] for _ in range(SHARED_FROM + 10)]
    rig.stage.clock.advance(60)
    for _ in range(50):
        rig.stage.paid_by(100)

    reads = await read_all(lookup, invoice_ids)

    assert 2 <= len(pages(rig)) <= PAGES_MAX
    assert [set(one.customers) for one in reads] == [{one} for one in invoice_ids]
    assert len(rig.sandbox.requests) < SHARED_FROM


async def test_a_page_that_fails_fails_nobody(rig: Rig, lookup: StripeLookup) -> None:
    """Each is then read by itself."""
    invoice_ids = [rig.stage.paid_by(700)[0] for _ in range(2 * SHARED_FROM)]
    rig.sandbox.faults.add(FaultKind.SERVER_ERROR, path=PAGE, times=None)

    reads = await read_all(lookup, invoice_ids)

    assert [set(one.customers) for one in reads] == [{one} for one in invoice_ids]


async def test_who_does_not_arrive_holds_nobody_up(rig: Rig, lookup: StripeLookup) -> None:
    """Its drop has failed, and its events come again."""
    invoice_ids = [rig.stage.paid_by(700)[0] for _ in range(2 * SHARED_FROM)]
    lost, others = invoice_ids[-1], invoice_ids[:-1]

    async def turn_only() -> None:
        await lookup.turn(lost)

    reads, _ = await asyncio.gather(read_all(lookup, others), turn_only())
    again = await read(lookup, lost)

    assert len(reads) == len(others)
    assert lost in again.customers
    assert len(rig.sandbox.requests) < len(others) - SAVED_MIN
