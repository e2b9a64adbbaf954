"""What a warm cache saves, what it never keeps, and how long anything lasts."""

from __future__ import annotations

from typing import Any

import pytest

from schema import records
from schema.ports import (
    ROOT,
    ById,
    ErrorCode,
    Failed,
    ListFilter,
    Listing,
    Meter,
)
from tests.caching.cached import OPERATOR, OUT_OF_BAND, Cached, everything_of, shape
from tests.support.stage import ACME
from tests.support.wanting import CUSTOMER, PAYMENT_INTENT, PAYMENTS, invoice, listing, wanting


@pytest.fixture
def cached() -> Cached:
    return Cached()


async def test_warm_read_asks_nothing_inside_and_answers_the_same(cached: Cached) -> None:
    """Five kinds of objects, four lists and two computed values, all from the cache."""
    invoice_id, _ = cached.stage.paid_by(700, 300)
    needs = everything_of(invoice_id)

    cold = shape(await cached.load(needs))
    cached.inner.loads.clear()
    warm = shape(await cached.load(needs))

    assert warm == cold
    assert cached.inner.loads == []


async def test_another_replica_reads_what_the_first_has_kept(cached: Cached) -> None:
    """Replicas hold nothing of their own."""
    invoice_id = cached.stage.open_invoice(700)
    await cached.load(wanting(invoice(invoice_id)))
    cached.inner.loads.clear()

    other = cached.replica(cached.inner)
    await other.load(OPERATOR, wanting(invoice(invoice_id)), Meter("operator"))

    assert cached.inner.loads == []


async def test_object_seen_in_a_list_is_known_by_its_id(cached: Cached) -> None:
    """Objects are kept one by one, wherever they were met."""
    invoice_id = cached.stage.open_invoice(700)
    await cached.load(wanting((ROOT, listing("invoices"))))

    assert await cached.asked_by(wanting(invoice(invoice_id))) == []


async def test_what_is_served_from_the_cache_is_counted(cached: Cached) -> None:
    """The meter tells objects and lists that cost nothing: an invoice and its list of payments."""
    needs = wanting(invoice(cached.stage.open_invoice(700)), ("Invoice", PAYMENTS))
    await cached.load(needs)

    meter = Meter("operator")
    await cached.load(needs, meter=meter)

    assert (meter.cached, meter.calls) == (2, 0)


async def test_only_what_is_missing_is_asked_for(cached: Cached) -> None:
    """An open intent is kept for ten seconds only; it alone is read again, not its invoice."""
    needs = wanting(
        invoice(invoice_id := cached.stage.open_invoice(700)),
        ("Invoice", PAYMENTS),
        ("InvoicePayment", PAYMENT_INTENT),
    )
    (payment,) = cached.stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    cold = shape(await cached.load(needs))
    cached.stage.clock.advance(10)

    asked = await cached.asked_by(needs)

    assert asked == [[ById("PaymentIntent", payment.source_id)]]
    assert shape(await cached.load(needs)) == cold


async def test_invoice_is_kept_for_a_minute(cached: Cached) -> None:
    """What Stripe changes without an event is known within this time."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    await cached.load(needs)

    cached.stage.clock.advance(59)
    before = await cached.asked_by(needs)
    cached.stage.clock.advance(1)
    after = await cached.asked_by(needs)

    assert (len(before), len(after)) == (0, 1)


@pytest.mark.parametrize("quiet", [False, True], ids=["in a field", "in nodes"])
async def test_unknown_id_is_not_asked_for_again_for_five_seconds(
    cached: Cached, quiet: bool
) -> None:
    """Whoever polls for an id that does not exist does not reach Stripe with every try."""
    needs = wanting((ROOT, need := ById("Invoice", "in_nowhere", quiet)))
    cold = (await cached.load(needs)).children[need]

    cached.stage.clock.advance(4)
    before = await cached.asked_by(needs)
    warm = (await cached.load(needs)).children[need]
    cached.stage.clock.advance(1)
    after = await cached.asked_by(needs)

    assert str(warm) == str(cold)
    assert (len(before), len(after)) == (0, 1)


async def test_unknown_id_is_found_after_the_drop_that_brings_it(cached: Cached) -> None:
    """An invoice that has just appeared is not hidden by the knowledge that there was none."""
    await cached.one(invoice("in_new"))
    cached.stage.open_invoice(700, invoice_id="in_new")

    await cached.backend.drop("in_new", ACME, None)

    assert (await cached.one(invoice("in_new"))).record.amount_due == 700


@pytest.mark.parametrize(
    "path",
    [(), (("Invoice", PAYMENTS),), (("Invoice", OUT_OF_BAND),), (("Invoice", CUSTOMER),)],
    ids=["object", "list", "computed", "link"],
)
async def test_failure_is_never_kept(cached: Cached, path: tuple[Any, ...]) -> None:
    """What timed out once is asked for again at once."""
    root = invoice(cached.stage.open_invoice(700))
    needs = wanting(root, *path)
    cached.inner.broken.add((root, *path)[-1][1])
    await cached.load(needs)

    cached.inner.broken.clear()
    tree = await cached.load(needs)

    fresh = await cached.inner.load(OPERATOR, needs, Meter("operator"))
    assert shape(tree) == shape(fresh)


async def test_failure_below_a_warm_object_stands_at_its_own_place(cached: Cached) -> None:
    """When only an intent is asked for and fails, the invoice and its payments are there."""
    root = invoice(cached.stage.open_invoice(700))
    path = (root, ("Invoice", PAYMENTS), ("InvoicePayment", PAYMENT_INTENT))
    await cached.load(wanting(*path))
    cached.stage.clock.advance(10)
    (payment,) = cached.stage.twin.invoice_payments.matching("invoice_id", root[1].id)  # type: ignore[union-attr]
    cached.inner.broken.add(ById("PaymentIntent", payment.source_id))

    loaded = await cached.one(*path)

    (item,) = loaded.child(PAYMENTS).items
    assert item.record.id == payment.id
    assert isinstance(item.children[PAYMENT_INTENT], Failed)
    assert item.children[PAYMENT_INTENT].code is ErrorCode.UPSTREAM_TIMEOUT


async def test_list_filtered_inside_is_not_filtered_again(cached: Cached) -> None:
    """What can be attached is decided once, with the whole book at hand."""
    invoice_id = cached.stage.open_invoice(700)
    fits, _ = cached.stage.succeeded(700), cached.stage.succeeded(900)
    intents = Listing("payment_intents", where=ListFilter(attachable_to=invoice_id))
    path = ((ROOT, ById("Customer", ACME)), ("Customer", intents))

    cold = shape(await cached.one(*path))
    asked = await cached.asked_by(wanting(*path))
    warm = shape(await cached.one(*path))

    assert [record.id for record, _ in warm[1][intents][0]] == [fits]
    assert (warm, asked) == (cold, [])


async def test_text_that_cannot_be_read_is_a_miss(cached: Cached) -> None:
    """Whatever another program has put under a key of ours."""
    needs = wanting(invoice(cached.stage.open_invoice(700)))
    await cached.load(needs)
    for key in [key for key in cached.cache.given if ":o:Invoice:" in key]:
        await cached.cache.set(key, '["not", "ours"]')

    asked = await cached.asked_by(needs)

    assert len(asked) == 1


async def test_charges_and_payment_records_are_kept_too(cached: Cached) -> None:
    """No event that is followed tells of them, so time alone ends them."""
    record_id = cached.stage.payment_record(700)
    cached.stage.twin.charges.put(records.Charge("ch_1", 1, "usd", 300, ACME))
    needs = wanting((ROOT, ById("PaymentRecord", record_id)))
    needs.merge(wanting((ROOT, ById("Charge", "ch_1"))))
    await cached.load(needs)

    assert await cached.asked_by(needs) == []


async def test_that_a_customer_is_deleted_is_kept(cached: Cached) -> None:
    """As what is there is: nothing that was deleted comes back."""
    invoice_id = cached.stage.open_invoice(700)
    cached.stage.delete_customer(ACME)
    needs = wanting(invoice(invoice_id), ("Invoice", CUSTOMER))
    first = await cached.load(needs)
    cached.inner.loads.clear()
    cached.stage.clock.advance(59)

    second = await cached.load(needs)

    assert cached.inner.loads == []
    assert shape(second) == shape(first)
