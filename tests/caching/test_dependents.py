"""What a drop takes away, and what it leaves: each cached thing hangs on what may move it."""

from __future__ import annotations

from typing import Any

import pytest

from schema.ports import (
    ROOT,
    ById,
    CreditNoteDraft,
    Listing,
    Meter,
)
from tests.caching.cached import OPERATOR, OUT_OF_BAND, PREVIEW, Cached, everything_of, shape
from tests.support.stage import ACME, GLOBEX
from tests.support.wanting import PAYMENTS, invoice, listing, wanting


@pytest.fixture
def cached() -> Cached:
    return Cached()


DEPENDENTS = {
    "the invoice": lambda _invoice_id, _payment: ById("Invoice", _invoice_id),
    "its payment": lambda _, payment: ById("InvoicePayment", payment.id),
    "its default intent": lambda _, payment: ById("PaymentIntent", payment.source_id),
    "its customer": lambda *_: ById("Customer", ACME),
    "lists of the customer's invoices": lambda *_: listing("invoices", customer_id=ACME),
    "lists of all invoices": lambda *_: listing("invoices"),
    "lists of the invoice's payments": lambda invoice_id, _: listing(
        "invoice_payments", invoice_id=invoice_id
    ),
    "lists of the intent's payments": lambda _, payment: listing(
        "invoice_payments", payment_intent_id=payment.source_id
    ),
}


@pytest.mark.parametrize("dependent", DEPENDENTS)
async def test_drop_of_an_invoice_makes_it_reread(cached: Cached, dependent: str) -> None:
    """Stripe moves the default payment and its intent along, and announces neither."""
    invoice_id = cached.stage.open_invoice(700)
    (payment,) = cached.stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    need: Any = DEPENDENTS[dependent](invoice_id, payment)
    await cached.load(wanting((ROOT, need)))

    await cached.backend.drop(invoice_id, ACME, None)

    assert await cached.asked_by(wanting((ROOT, need))) == [[need]]


BELOW = {
    "payments": ("Invoice", PAYMENTS),
    "credit notes": ("Invoice", Listing("credit_notes")),
    "the sum paid out of band": ("Invoice", OUT_OF_BAND),
}


@pytest.mark.parametrize("below", BELOW)
async def test_drop_of_an_invoice_takes_what_hangs_on_it(cached: Cached, below: str) -> None:
    """It is read anew even when the invoice itself is there again, and when the event names
    neither customer nor intent."""
    invoice_id, record_id = cached.stage.open_invoice(700), cached.stage.payment_record(300)
    needs = wanting(invoice(invoice_id), BELOW[below])
    await cached.load(needs)
    cached.stage.twin.attach(invoice_id, record_id)
    cached.stage.twin.credit(CreditNoteDraft(invoice_id, 100))

    await cached.backend.drop(invoice_id, None, None)
    await cached.load(wanting(invoice(invoice_id)))

    fresh = await cached.inner.load(OPERATOR, needs, Meter("operator"))
    assert shape(await cached.load(needs)) == shape(fresh)


async def test_drop_takes_a_preview_that_hangs_on_a_shared_intent(cached: Cached) -> None:
    """An event about one invoice may move the intent of another one of the same customer."""
    first, second = cached.stage.open_invoice(700), cached.stage.open_invoice(700)
    intent_id = cached.stage.intent(1400)
    payment = cached.stage.twin.attach(second, intent_id, amount_requested=700)
    cached.stage.twin.attach(first, intent_id, amount_requested=700)
    needs = wanting((ROOT, ById("InvoicePayment", payment.id)), ("InvoicePayment", PREVIEW))
    await cached.load(needs)
    cached.stage.twin.progress(intent_id, "processing")

    await cached.backend.drop(first, ACME, None)

    fresh = await cached.inner.load(OPERATOR, needs, Meter("operator"))
    assert shape(await cached.load(needs)) == shape(fresh)


async def test_drop_leaves_other_customers_warm(cached: Cached) -> None:
    """An event costs what it touches, and not the whole cache."""
    touched = cached.stage.open_invoice(700)
    other = everything_of(cached.stage.open_invoice(700, customer_id=GLOBEX))
    await cached.load(other)

    await cached.backend.drop(touched, ACME, None)

    assert await cached.asked_by(other) == []


async def test_drop_of_an_intent_makes_it_reread(cached: Cached) -> None:
    """An event may name nothing but an intent, even one that had come to its end."""
    intent_id = cached.stage.succeeded(700)
    need = ById("PaymentIntent", intent_id)
    await cached.load(wanting((ROOT, need)))

    await cached.backend.drop(None, None, intent_id)

    assert await cached.asked_by(wanting((ROOT, need))) == [[need]]


async def test_an_event_about_a_customer_rereads_their_drafts_and_nothing_else(
    cached: Cached,
) -> None:
    """Until it is finalized an invoice shows the name, the e-mail and the balance of now."""
    finalized, draft = cached.stage.open_invoice(700), cached.stage.draft(700)
    needs = wanting(invoice(finalized))
    needs.merge(wanting(invoice(draft)))
    await cached.load(needs)

    await cached.backend.drop(None, ACME, None)
    asked = await cached.asked_by(needs)

    assert asked == [[ById("Invoice", draft)]]
