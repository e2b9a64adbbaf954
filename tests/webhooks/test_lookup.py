"""What the intake asks Stripe, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.stripe.reads.event_reads import GATHER_SECONDS, StripeLookup
from gateway.sandbox.stripe_api import Fault, FaultKind
from schema.ports import CreditNoteDraft, ErrorCode, Failed
from schema.records import InvoicePayment
from tests.support.stage import ACME, GLOBEX
from tests.support.upstream import Waits
from tests.webhooks.rig import Rig


def paid_by(rig: Rig, intent_id: str) -> InvoicePayment:
    """The payment that an intent has made."""
    (payment,) = rig.stage.twin.invoice_payments.matching("source_id", intent_id)
    return payment


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def lookup(rig: Rig, waits: Waits) -> StripeLookup:
    return StripeLookup(rig.api, sleep=waits.sleep)


async def test_an_invoice_is_read_with_its_customer(rig: Rig, lookup: StripeLookup) -> None:
    """By this rights are checked, for every item of every stream."""
    acme, globex = rig.stage.open_invoice(), rig.stage.open_invoice(customer_id=GLOBEX)

    reads = [await lookup.invoice(one) for one in (acme, globex)]

    assert [one.customers for one in reads] == [{acme: ACME}, {globex: GLOBEX}]


async def test_a_finalized_invoices_customer_is_known_afterwards(
    rig: Rig, lookup: StripeLookup
) -> None:
    """It never changes, and an invoice's events come in bursts."""
    invoice_id = rig.stage.open_invoice()
    before = lookup.customer_known(invoice_id)

    await lookup.invoice(invoice_id)

    assert (before, lookup.customer_known(invoice_id)) == ((False, None), (True, ACME))


async def test_a_drafts_customer_is_not_known_afterwards(rig: Rig, lookup: StripeLookup) -> None:
    """It may be another's, or gone, by the next event."""
    draft = rig.stage.draft()
    before = (await lookup.invoice(draft)).customers

    rig.stage.twin.delete_draft(draft)

    assert (before, (await lookup.invoice(draft)).customers) == ({draft: ACME}, {})
    assert lookup.customer_known(draft) == (False, None)


async def test_only_so_many_customers_are_kept(rig: Rig) -> None:
    """The one that was not asked for the longest goes first."""
    lookup = StripeLookup(rig.api, customers_kept_max=2)
    first, second, third = (rig.stage.open_invoice() for _ in range(3))

    for invoice_id in (first, second):
        await lookup.invoice(invoice_id)
    lookup.customer_known(first)
    await lookup.invoice(third)

    assert [lookup.customer_known(one)[0] for one in (first, second, third)] == [True, False, True]


async def test_all_that_a_payments_event_needs_is_one_call(rig: Rig, lookup: StripeLookup) -> None:
    """Whose it is, when it turned, and what whoever is told of it will ask for."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    payment = paid_by(rig, intent_id)

    read = await lookup.invoice(invoice_id, turned=[payment.id])

    assert len(rig.sandbox.requests) == 1
    assert read.payments[payment.id].paid_at == payment.paid_at
    ids = {one.id for one in read.harvest.records}
    assert {invoice_id, ACME, payment.id, intent_id} <= ids
    rows = read.harvest.rows["Invoice", "payments", invoice_id]
    assert {one.id for one in rows.members} == read.payments.keys()


async def test_a_payment_behind_the_newest_ten_is_one_call_more(
    rig: Rig, lookup: StripeLookup
) -> None:
    """Stripe puts no more of them into the invoice."""
    invoice_id, _ = rig.stage.paid_by(*[100] * 12)
    oldest, *_, newest = rig.stage.twin.book(invoice_id).payments

    read = await lookup.invoice(invoice_id, turned=[oldest.id, newest.id])

    assert len(rig.sandbox.requests) == 2
    assert {oldest.id, newest.id} <= read.payments.keys()


async def test_a_detached_payment_is_known_to_be_gone(rig: Rig, lookup: StripeLookup) -> None:
    """Stripe has said that it left, and it is not among all that the invoice has."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    payment = paid_by(rig, intent_id)
    rig.stage.twin.detach(invoice_id, intent_id)

    read = await lookup.invoice(invoice_id, detached=[payment.id])

    assert read.harvest.detached == {payment.id: invoice_id}
    assert len(rig.sandbox.requests) == 1


async def test_an_intents_payments_are_all_found(rig: Rig, lookup: StripeLookup) -> None:
    """Whatever their status, with their invoices, and beyond Stripe's page of a hundred."""
    intent_id = rig.stage.intent(15_000)
    for _ in range(150):
        rig.stage.twin.attach(rig.stage.open_invoice(100), intent_id, amount_requested=100)

    read = await lookup.payments_of_intent(intent_id)

    assert len(read.payments) == len(read.customers) == 150
    assert {one.source_id for one in read.payments.values()} == {intent_id}
    assert set(read.customers.values()) == {ACME}
    assert len(rig.sandbox.requests) == 2


async def test_an_unknown_intent_pays_nothing(lookup: StripeLookup) -> None:
    """Nothing to announce."""
    read = await lookup.payments_of_intent("pi_nowhere")

    assert (read.customers, read.payments) == ({}, {})


async def test_an_invoice_payment_says_whose_invoice_it_is_on(
    rig: Rig, lookup: StripeLookup
) -> None:
    """One call for an event that names the payment alone: with all that is read for the invoice,
    but for the intents of its other payments, which lie one level too deep."""
    invoice_id, (first_id, second_id) = rig.stage.paid_by(600, 400)
    payment, other = paid_by(rig, first_id), paid_by(rig, second_id)

    read = await lookup.related("invoice_payment", payment.id)

    assert len(rig.sandbox.requests) == 1
    assert (read.customers, list(read.payments)) == ({invoice_id: ACME}, [payment.id])
    assert read.payments[payment.id].paid_at == payment.paid_at
    ids = {one.id for one in read.harvest.records}
    assert {invoice_id, ACME, payment.id, other.id, first_id} <= ids
    assert lookup.customer_known(invoice_id) == (True, ACME)


async def test_a_credit_note_says_whose_invoice_it_is_of(rig: Rig, lookup: StripeLookup) -> None:
    """One call as well."""
    invoice_id = rig.stage.open_invoice(1000)
    note = rig.stage.twin.credit(CreditNoteDraft(invoice_id, 250))

    read = await lookup.related("credit_note", note.id)

    assert len(rig.sandbox.requests) == 1
    assert (read.customers, read.payments) == ({invoice_id: ACME}, {})
    assert {invoice_id, ACME, note.id} <= {one.id for one in read.harvest.records}


@pytest.mark.parametrize("kind", ["invoice_payment", "credit_note"])
async def test_what_is_gone_says_nothing(rig: Rig, lookup: StripeLookup, kind: str) -> None:
    """Such as a payment that was detached: that is an answer."""
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)
    payment = paid_by(rig, intent_id)
    rig.stage.twin.detach(invoice_id, intent_id)

    read = await lookup.related(kind, payment.id)

    assert (read.customers, read.payments) == ({}, {})


async def test_a_key_that_may_read_less_still_learns_whose_it_is(
    rig: Rig, lookup: StripeLookup
) -> None:
    """The invoice alone has to be there for that."""
    refused = Fault(FaultKind.ANSWER, status=403, body={"error": {"type": "invalid_request_error"}})
    rig.sandbox.faults.add(refused)
    invoice_id, (intent_id,) = rig.stage.paid_by(1000)

    read = await lookup.related("invoice_payment", paid_by(rig, intent_id).id)

    assert read.customers == {invoice_id: ACME}
    assert [len(one.params["expand"]) for one in rig.sandbox.requests] == [3, 1]


async def test_whose_an_intent_is_is_asked_once(rig: Rig, lookup: StripeLookup) -> None:
    """An intent has several events, and its customer stays."""
    intent_id = rig.stage.intent()

    found = [await lookup.customer_of_intent(intent_id) for _ in range(3)]

    assert (found, len(rig.sandbox.requests)) == ([ACME] * 3, 1)


async def test_an_intent_may_get_its_customer_later(rig: Rig, lookup: StripeLookup) -> None:
    """So that it has none is not remembered."""
    intent_id = rig.stage.intent(customer_id=None)
    before = await lookup.customer_of_intent(intent_id)

    await rig.sdk.v1.payment_intents.update_async(intent_id, {"customer": ACME})

    assert (before, await lookup.customer_of_intent(intent_id)) == (None, ACME)
    assert await lookup.customer_of_intent("pi_nowhere") is None


async def test_a_key_that_may_not_read_intents_is_no_trouble(
    rig: Rig, lookup: StripeLookup
) -> None:
    """Nobody is shown any then."""
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=403, body={"error": {}}))

    assert await lookup.customer_of_intent(rig.stage.intent()) is None


async def test_a_thin_event_is_asked_for_its_snapshot_event(rig: Rig, lookup: StripeLookup) -> None:
    """Where its notification does not say; there may be none."""
    rig.stage.paid_by(1000)
    by_type = {one.type: one.id for one in rig.sandbox.account.thin_events}
    (paid,) = [one for one in rig.sandbox.account.events if one.type == "invoice_payment.paid"]

    asked = ["v1.invoice_payment.paid", "v1.invoice_payment.open"]
    named = [await lookup.snapshot_of(by_type[one]) for one in asked]

    assert named == [paid.id, None]
    assert await lookup.snapshot_of("evt_nowhere") is None


@pytest.mark.parametrize(
    "body",
    [{}, {"snapshot_event": 7}, {"snapshot_event": "../evt_1"}],
    ids=["none", "a number", "no id"],
)
async def test_what_is_no_id_is_no_snapshot_event(
    rig: Rig, lookup: StripeLookup, body: dict[str, Any]
) -> None:
    """Whatever Stripe may come to send."""
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=body))

    assert await lookup.snapshot_of("evt_1") is None


async def test_a_key_that_may_not_read_thin_events_is_no_trouble(
    rig: Rig, lookup: StripeLookup
) -> None:
    """It would be for ever: told twice is better than not told."""
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=403, body={"error": {}}))

    assert await lookup.snapshot_of("evt_1") is None


@pytest.mark.parametrize("asked", ["snapshot_of", "customer_of_intent"])
async def test_a_key_that_stripe_does_not_know_is_a_trouble_of_the_moment(
    rig: Rig, lookup: StripeLookup, asked: str
) -> None:
    """The event comes again: what the right key would be told is not known."""
    rig.sandbox.faults.add(Fault(FaultKind.ANSWER, status=401, body={"error": {}}))

    with pytest.raises(Failed):
        await getattr(lookup, asked)("evt_1")


async def test_a_turn_gathers_for_a_moment(rig: Rig, lookup: StripeLookup, waits: Waits) -> None:
    """Stripe tells of one change by several events at once."""
    await lookup.turn(rig.stage.open_invoice())

    await lookup.related_turn("invoice_payment", "inpay_1")

    assert waits.slept == [GATHER_SECONDS] * 2
    assert not rig.sandbox.requests


async def test_a_key_that_may_read_less_still_takes_events_in(
    rig: Rig, lookup: StripeLookup
) -> None:
    """A restricted key may lack customers or intents, which only readers would miss: it is asked
    for less from then on."""
    refused = Fault(FaultKind.ANSWER, status=403, body={"error": {"type": "invalid_request_error"}})
    rig.sandbox.faults.add(refused)
    first, second = rig.stage.open_invoice(), rig.stage.open_invoice()

    reads = [await lookup.invoice(one) for one in (first, second)]

    assert [one.customers for one in reads] == [{first: ACME}, {second: ACME}]
    expanded = [one.params["expand"] for one in rig.sandbox.requests]
    assert [len(one) for one in expanded] == [2, 1, 1]


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
        lookup.invoice(invoice_id),
        lookup.payments_of_intent(intent_id),
        lookup.related("invoice_payment", "inpay_1"),
    ):
        with pytest.raises(Failed) as failed:
            await asking
        assert failed.value.code is not ErrorCode.NOT_FOUND
