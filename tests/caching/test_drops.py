"""Drops: by events and by our own writes, and what a cache that is down makes of them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.caching import tokens
from schema.ports import (
    AttachPayment,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    Refused,
)
from tests.caching.cached import Cached
from tests.support.stage import ACME
from tests.support.wanting import PAYMENTS, invoice, wanting


@pytest.fixture
def cached() -> Cached:
    return Cached()


async def status(cached: Cached, invoice_id: str) -> str:
    loaded = await cached.one(invoice(invoice_id))
    answered: str = loaded.record.status
    return answered


async def test_drop_on_a_cache_that_is_down_is_an_error(cached: Cached) -> None:
    """The event is then not acknowledged, and comes again."""
    cached.cache.is_down = True

    with pytest.raises(OSError, match="the cache failed"):
        await cached.backend.drop("in_1", ACME, None)


async def test_reads_go_on_while_the_cache_is_down(cached: Cached) -> None:
    """Every read is answered from inside, as if there were no cache."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    await cached.load(needs)
    cached.cache.is_down = True

    asked = [await cached.asked_by(needs) for _ in range(2)]

    assert [len(one) for one in asked] == [1, 1]


async def test_failed_drop_is_made_good_before_the_next_read(cached: Cached) -> None:
    """What this replica knows to be old it never serves, even before the event comes again."""
    invoice_id = cached.stage.open_invoice(700)
    await status(cached, invoice_id)
    cached.stage.twin.void(invoice_id)
    cached.cache.is_down = True
    with pytest.raises(OSError, match="the cache failed"):
        await cached.backend.drop(invoice_id, ACME, None)

    while_down = await status(cached, invoice_id)
    cached.cache.is_down = False
    afterwards = await status(cached, invoice_id)

    assert (while_down, afterwards) == ("void", "void")


async def test_debt_is_paid_once(cached: Cached) -> None:
    """After a failed drop was made good, the cache is warm again."""
    needs = wanting(invoice(invoice_id := cached.stage.open_invoice(700)))
    cached.cache.is_down = True
    with pytest.raises(OSError, match="the cache failed"):
        await cached.backend.drop(invoice_id, ACME, None)
    cached.cache.is_down = False
    await cached.load(needs)

    assert await cached.asked_by(needs) == []


async def test_interrupted_drop_is_owed(cached: Cached) -> None:
    """Whoever dropped went away half-way; nobody knows what has happened."""
    invoice_id = cached.stage.open_invoice(700)
    await status(cached, invoice_id)
    cached.stage.twin.void(invoice_id)
    cached.cache.is_stuck = True
    cached.cache.is_asked.clear()
    drop = asyncio.ensure_future(cached.backend.drop(invoice_id, ACME, None))
    await cached.cache.is_asked.wait()

    drop.cancel()
    await asyncio.wait([drop])
    cached.cache.is_stuck = False

    assert drop.cancelled()
    assert await status(cached, invoice_id) == "void"


async def test_debts_are_bounded(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is down for hours does not fill the memory with what it has missed."""
    monkeypatch.setattr(tokens, "OWED_MAX", 10)
    cached.cache.is_down = True

    for number in range(20):
        with pytest.raises(OSError, match="the cache failed"):
            await cached.backend.drop(f"in_{number}", None, None)
    cached.cache.is_down = False
    cached.cache.given.clear()
    await cached.load(wanting(invoice("in_nowhere")))

    renewed = [key for key in cached.cache.given if ":t:Invoice:in_" in key]
    assert 0 < len(renewed) <= 10 + 1


WRITES = {
    "attach": lambda invoice_id, intent_id: AttachPayment(
        invoice_id, "key-1", payment_intent_id=intent_id
    ),
    "credit note": lambda invoice_id, _: CreateCreditNote(
        CreditNoteDraft(invoice_id, 700), "key-1"
    ),
}


@pytest.mark.parametrize("write", WRITES)
async def test_our_own_write_drops_before_it_answers(cached: Cached, write: str) -> None:
    """The answer of a mutation shows what it did, without waiting for any event."""
    invoice_id, intent_id = cached.stage.open_invoice(700), cached.stage.succeeded(700)
    await status(cached, invoice_id)
    command = WRITES[write](invoice_id, intent_id)

    await cached.write(command)

    assert await status(cached, invoice_id) == "paid"


async def test_detach_shows_in_the_list_of_payments(cached: Cached) -> None:
    """The payment that was detached is in no list that is read afterwards."""
    invoice_id, (_, intent_id) = cached.stage.paid_by(700, 300)
    path = (invoice(invoice_id), ("Invoice", PAYMENTS))
    await cached.one(*path)

    detached = await cached.write(DetachPayment(invoice_id, intent_id, "key-1"))

    page = (await cached.one(*path)).child(PAYMENTS)
    assert detached.invoice_payment_id not in [one.record.id for one in page.items]


async def test_refused_write_drops_too(cached: Cached) -> None:
    """A refusal is shown with the invoice as it is, and not as the caller believed it to be."""
    invoice_id, intent_id = cached.stage.open_invoice(700), cached.stage.succeeded(700)
    await status(cached, invoice_id)
    cached.stage.twin.void(invoice_id)

    with pytest.raises(Refused):
        await cached.write(AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id))

    assert await status(cached, invoice_id) == "void"


async def test_write_stands_when_its_drop_fails(cached: Cached) -> None:
    """After Stripe's success no trouble of ours turns the answer into a failure."""
    invoice_id, intent_id = cached.stage.open_invoice(700), cached.stage.succeeded(700)
    await status(cached, invoice_id)
    cached.cache.is_down = True

    attached = await cached.write(AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id))
    cached.cache.is_down = False

    assert attached.replayed is False
    assert await status(cached, invoice_id) == "paid"
