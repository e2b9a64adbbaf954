"""A cache that all viewers share shows nobody what is not theirs, and holds no secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.backends.caching.entries import Keys
from schema.ports import ROOT, ById, Computed, ErrorCode, Failed, Link, Viewer
from tests.caching.cached import Cached
from tests.support.stage import ACME, GLOBEX
from tests.support.wanting import PAYMENT_INTENT, PAYMENTS, invoice, listing, wanting

PARTNER = Viewer("partner-globex", customers=frozenset({GLOBEX}))
OF_ACME = Viewer("partner-acme", customers=frozenset({ACME}))


@pytest.fixture
def cached() -> Cached:
    return Cached()


FOREIGN = ("Invoice", "InvoicePayment", "PaymentIntent", "Customer")


@pytest.mark.parametrize("kind", FOREIGN)
async def test_cached_object_of_another_customer_is_not_found(cached: Cached, kind: str) -> None:
    """A warm cache answers a partner as a cold one does."""
    invoice_id = cached.stage.open_invoice(700, customer_id=ACME)
    (payment,) = cached.stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    ids = dict(zip(FOREIGN, (invoice_id, payment.id, payment.source_id, ACME), strict=True))
    need = ById(kind, ids[kind])
    await cached.load(wanting((ROOT, need)))
    await cached.load(wanting(invoice(invoice_id)))

    outcome = await cached.one((ROOT, need), viewer=PARTNER)

    assert isinstance(outcome, Failed)
    assert outcome.code is ErrorCode.NOT_FOUND


async def test_what_is_hidden_from_one_is_not_gone_for_another(cached: Cached) -> None:
    """A partner who asks for a foreign id must not make it vanish for its owner."""
    invoice_id = cached.stage.open_invoice(700, customer_id=ACME)

    hidden = await cached.one(invoice(invoice_id), viewer=PARTNER)
    shown = await cached.one(invoice(invoice_id), viewer=OF_ACME)

    assert isinstance(hidden, Failed)
    assert shown.record.amount_due == 700


@pytest.mark.parametrize("quiet", [False, True], ids=["in a field", "in nodes"])
async def test_hidden_id_is_not_asked_for_again(cached: Cached, quiet: bool) -> None:
    """Guessing foreign ids costs Stripe no more than asking for unknown ones."""
    foreign = cached.stage.open_invoice(700, customer_id=ACME)
    needs = wanting((ROOT, ById("Invoice", foreign, quiet)))
    await cached.load(needs, PARTNER)

    assert await cached.asked_by(needs, PARTNER) == []


async def test_lists_are_kept_apart_by_the_customers_that_a_viewer_sees(cached: Cached) -> None:
    """The same list of invoices is another one for each partner, and for who sees all."""
    for customer_id in (ACME, GLOBEX):
        cached.stage.open_invoice(700, customer_id=customer_id)
    need = (ROOT, listing("invoices"))

    everything = await cached.one(need)
    of_globex = await cached.one(need, viewer=PARTNER)
    of_acme = await cached.one(need, viewer=OF_ACME)

    owners = [[one.record.customer_id for one in page.items] for page in (of_globex, of_acme)]
    assert owners == [[GLOBEX], [ACME]]
    assert len(everything.items) == 2


async def test_object_behind_ones_own_is_shown_warm_as_cold(cached: Cached) -> None:
    """A partner sees the intent behind a payment of theirs, even when it names no customer: it
    is never fetched by its own id for them."""
    invoice_id = cached.stage.open_invoice(700)
    (payment,) = cached.stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    intent_id = cached.stage.intent(700, customer_id=None)
    twin = cached.stage.twin
    twin.invoice_payments.put(replace(payment, source_id=intent_id))
    path = (invoice(invoice_id), ("Invoice", PAYMENTS), ("InvoicePayment", PAYMENT_INTENT))
    await cached.one(*path, viewer=OF_ACME)
    cached.stage.clock.advance(10)

    loaded = await cached.one(*path, viewer=OF_ACME)

    (item,) = loaded.child(PAYMENTS).items
    assert item.child(PAYMENT_INTENT).record.id == intent_id


async def test_confirmation_secret_is_never_in_the_cache(cached: Cached) -> None:
    """It is asked for each time, and stands in no key and no value."""
    secret = Computed("confirmation_secret")
    needs = wanting(invoice(cached.stage.open_invoice(700)), ("Invoice", secret))

    tree = await cached.load(needs)
    asked = await cached.asked_by(needs)

    (loaded,) = tree.children.values()
    value = loaded.child(secret).record.client_secret
    assert len(asked) == 1
    assert not any(value in key + text for key, text in cached.cache.given.items())
    assert not any("secret" in key + text for key, text in cached.cache.given.items())


async def test_keys_say_mode_account_and_object(cached: Cached) -> None:
    """Live and test objects, and those of two accounts, never meet in one Redis."""
    invoice_id = cached.stage.open_invoice(700)
    await cached.load(wanting(invoice(invoice_id), ("Invoice", Link("customer"))))

    keys = sorted(key for key in cached.cache.given if ":o:" in key)

    start = f"gateway:{Keys.of(cached.inner.describe()).values}"
    assert keys == [f"{start}o:Customer:{ACME}", f"{start}o:Invoice:{invoice_id}"]
    assert start.startswith("gateway:test:memory:")


async def test_releases_share_tokens_but_no_values(cached: Cached) -> None:
    """While a new release takes over, a drop by an old replica counts for the new ones."""
    description = cached.inner.describe()

    old, new = Keys.of(description, "1"), Keys.of(description, "2")

    assert old.tokens == new.tokens
    assert old.values != new.values
