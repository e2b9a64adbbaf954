"""What the intake asks Stripe, and how often."""

from __future__ import annotations

import pytest

from gateway.backends.stripe.reads.intake_reads import StripeLookup
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import ErrorCode, Failed
from tests.support.stage import ACME, GLOBEX
from tests.webhooks.rig import Rig


@pytest.fixture
def lookup(rig: Rig) -> StripeLookup:
    return StripeLookup(rig.api)


async def test_an_invoice_is_known_with_its_customer(rig: Rig, lookup: StripeLookup) -> None:
    """By this rights are checked, for every item of every stream."""
    acme, globex = rig.stage.open_invoice(), rig.stage.open_invoice(customer_id=GLOBEX)

    answers = [await lookup.customer_of(one) for one in (acme, globex)]

    assert answers == [(True, ACME), (True, GLOBEX)]


async def test_a_finalized_invoices_customer_is_asked_for_once(
    rig: Rig, lookup: StripeLookup
) -> None:
    """It never changes, and an invoice's events come in bursts."""
    invoice_id = rig.stage.open_invoice()

    answers = [await lookup.customer_of(invoice_id) for _ in range(5)]

    assert answers == [(True, ACME)] * 5
    assert rig.reads(f"/v1/invoices/{invoice_id}") == 1


async def test_a_draft_is_asked_for_each_time(rig: Rig, lookup: StripeLookup) -> None:
    """It may be gone by the next event."""
    draft = rig.stage.draft()
    before = await lookup.customer_of(draft)

    rig.stage.twin.delete_draft(draft)

    assert (before, await lookup.customer_of(draft)) == ((True, ACME), (False, None))


async def test_an_unknown_invoice_is_asked_for_each_time(rig: Rig, lookup: StripeLookup) -> None:
    """Stripe may list it a moment later."""
    answers = [await lookup.customer_of("in_nowhere") for _ in range(2)]

    assert answers == [(False, None)] * 2
    assert rig.reads("/v1/invoices/in_nowhere") == 2


async def test_only_so_many_customers_are_kept(rig: Rig) -> None:
    """The one that was not asked for the longest goes first."""
    lookup = StripeLookup(rig.api, customers_kept_max=2)
    first, second, third = (rig.stage.open_invoice() for _ in range(3))

    for invoice_id in (first, second, first, third, first, second):
        await lookup.customer_of(invoice_id)

    reads = [rig.reads(f"/v1/invoices/{one}") for one in (first, second, third)]
    assert reads == [1, 2, 1]


async def test_a_payment_is_read_as_it_is_now(rig: Rig, lookup: StripeLookup) -> None:
    """Its state names the fact, so it is never kept."""
    invoice_id, intent_id = rig.stage.open_invoice(1000), rig.stage.intent(1000)
    payment = rig.stage.twin.attach(invoice_id, intent_id)
    before = await lookup.payment(payment.id)

    rig.stage.twin.progress(intent_id, "succeeded")
    after = await lookup.payment(payment.id)

    assert before is not None
    assert after is not None
    assert (before.status, after.status) == ("open", "paid")


async def test_a_payment_that_is_gone_is_none(lookup: StripeLookup) -> None:
    """Detached meanwhile: an answer and no failure."""
    assert await lookup.payment("inpay_nowhere") is None


async def test_an_intents_payments_are_all_found(rig: Rig, lookup: StripeLookup) -> None:
    """Whatever their status, and beyond Stripe's page of a hundred."""
    intent_id = rig.stage.intent(15_000)
    for _ in range(150):
        rig.stage.twin.attach(rig.stage.open_invoice(100), intent_id, amount_requested=100)

    found = await lookup.payments_of_intent(intent_id)

    assert len({one.id for one in found}) == len(found) == 150
    assert {one.source_id for one in found} == {intent_id}


async def test_an_unknown_intent_pays_nothing(lookup: StripeLookup) -> None:
    """Nothing to announce."""
    assert await lookup.payments_of_intent("pi_nowhere") == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(FaultKind.SERVER_ERROR), id="failing"),
        pytest.param(Fault(FaultKind.RATE_LIMITED), id="limited"),
        pytest.param(Fault(FaultKind.ANSWER, status=403, body={"error": {}}), id="forbidden"),
    ],
)
async def test_what_cannot_be_asked_is_no_answer(
    rig: Rig, lookup: StripeLookup, fault: Fault
) -> None:
    """It must never be taken for "there is none"."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    rig.sandbox.faults.add(fault, times=None)

    for asking in (
        lookup.customer_of(invoice_id),
        lookup.payment("inpay_0001"),
        lookup.payments_of_intent(intent_id),
    ):
        with pytest.raises(Failed) as failed:
            await asking
        assert failed.value.code is not ErrorCode.NOT_FOUND
