"""What an attached payment does to its invoice, to the default payment and to the customer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ledger import payments
from schema.ports import Refused
from tests.ledger.builders import BOB, Account


def test_attach_of_a_succeeded_intent_counts_at_once(account: Account) -> None:
    """Its money is there already: 600 of 1000 are paid in the same answer."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)

    payment = account.twin.attach(invoice.id, intent.id)

    assert (payment.status, payment.amount_requested, payment.amount_paid) == ("paid", 600, 600)
    assert payment.paid_at is not None
    assert account.totals(invoice) == ("open", 600, 400, 0)


def test_attach_of_what_remains_pays_the_invoice(account: Account) -> None:
    """An invoice is paid exactly when nothing remains, and says since when."""
    invoice = account.open_invoice(1000)

    account.twin.attach(invoice.id, account.succeeded_intent(1000).id)

    assert account.totals(invoice) == ("paid", 1000, 0, 0)
    assert account.now(invoice).paid_at is not None


def test_attach_of_an_open_intent_waits_for_its_money(account: Account) -> None:
    """Nothing is credited before the intent succeeds; then all of it is."""
    invoice, intent = account.open_invoice(1000), account.intent(1000)

    payment = account.twin.attach(invoice.id, intent.id)
    waiting = account.totals(invoice)
    account.twin.progress(intent.id, "succeeded")

    assert (payment.status, payment.amount_paid) == ("open", None)
    assert waiting == ("open", 0, 1000, 0)
    assert account.payment(payment.id).amount_paid == 1000
    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_attach_of_several_payments_adds_up(account: Account) -> None:
    """Partial payments sum: 200 and 300 of 1000 leave 500, and 500 more leave nothing."""
    invoice = account.open_invoice(1000)

    account.twin.attach(invoice.id, account.succeeded_intent(200).id)
    account.twin.attach(invoice.id, account.record(300).id)
    halfway = account.totals(invoice)
    account.twin.attach(invoice.id, account.succeeded_intent(500).id)

    assert halfway == ("open", 500, 500, 0)
    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_attach_keeps_the_default_payment_in_step(account: Account) -> None:
    """The default payment and its intent always ask for exactly what remains."""
    invoice = account.open_invoice(1000)
    default = account.open_default(invoice)
    assert default is not None

    account.twin.attach(invoice.id, account.succeeded_intent(600).id)

    assert account.open_default(invoice) == replace(default, amount_requested=400)
    assert account.default_intent(invoice).amount == 400


def test_attach_that_pays_the_invoice_cancels_the_default_payment(account: Account) -> None:
    """Nothing remains to be collected, so nobody may be charged by it any more."""
    invoice = account.open_invoice(1000)
    intent = account.default_intent(invoice)

    account.twin.attach(invoice.id, account.succeeded_intent(1000).id)

    assert account.open_default(invoice) is None
    assert account.twin.intent(intent.id).status == "canceled"
    assert account.twin.intent(intent.id).cancellation_reason == "automatic"
    assert [one.status for one in account.payments(invoice)] == ["canceled", "paid"]


def test_attach_of_an_open_intent_leaves_the_default_payment(account: Account) -> None:
    """What has only been promised does not lower what remains."""
    invoice = account.open_invoice(1000)

    account.twin.attach(invoice.id, account.intent(600).id)

    assert account.default_intent(invoice).amount == 1000


def test_attach_of_a_payment_record_counts_at_once(account: Account) -> None:
    """A payment record is money that has been received elsewhere."""
    invoice, record = account.open_invoice(1000), account.record(1000)

    payment = account.twin.attach(invoice.id, record.id)

    assert (payment.source_type, payment.source_id) == ("payment_record", record.id)
    assert (payment.status, payment.amount_paid) == ("paid", 1000)
    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_attach_of_a_record_without_customer_is_accepted(account: Account) -> None:
    """Whoever reported the payment need not have said who paid."""
    invoice = account.open_invoice(1000)

    account.twin.attach(invoice.id, account.record(1000, customer_id=None).id)

    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_attach_takes_what_was_received_and_not_what_was_asked(account: Account) -> None:
    """An intent over 1000 that received 700 can pay 700."""
    invoice, intent = account.open_invoice(1000), account.intent(1000)
    account.twin.progress(intent.id, "succeeded", amount_received=700)

    account.twin.attach(invoice.id, intent.id)

    assert account.totals(invoice) == ("open", 700, 300, 0)


def test_shares_of_one_succeeded_intent_pay_two_invoices(account: Account) -> None:
    """1000 received pay 400 here and 600 there, and not a cent twice."""
    intent = account.succeeded_intent(1000)
    first, second = account.open_invoice(400), account.open_invoice(600)

    account.twin.attach(first.id, intent.id, amount_requested=400)
    account.twin.attach(second.id, intent.id, amount_requested=600)

    assert account.totals(first) == ("paid", 400, 0, 0)
    assert account.totals(second) == ("paid", 600, 0, 0)


def test_shares_of_one_record_pay_two_invoices(account: Account) -> None:
    """A payment record is split like an intent."""
    record = account.record(1000)
    first, second = account.open_invoice(400), account.open_invoice(1000)

    account.twin.attach(first.id, record.id, amount_requested=400)
    account.twin.attach(second.id, record.id, amount_requested=600)

    assert account.totals(first) == ("paid", 400, 0, 0)
    assert account.totals(second) == ("open", 600, 400, 0)


@pytest.mark.parametrize(
    ("received", "first_paid", "second_paid"),
    [
        pytest.param(1000, 400, 600, id="all"),
        pytest.param(700, 400, 300, id="less_than_all"),
        pytest.param(300, 300, None, id="not_enough_for_the_second"),
    ],
)
def test_open_shares_are_served_oldest_first(
    account: Account, received: int, first_paid: int | None, second_paid: int | None
) -> None:
    """What came in covers the oldest payment first; one that gets nothing is never called paid."""
    intent = account.intent(1000)
    invoice = account.open_invoice(1000)
    other = account.open_invoice(1000)
    first = account.twin.attach(invoice.id, intent.id, amount_requested=400)
    second = account.twin.attach(other.id, intent.id, amount_requested=600)

    account.twin.progress(intent.id, "succeeded", amount_received=received)

    assert account.payment(first.id).amount_paid == first_paid
    assert account.payment(second.id).amount_paid == second_paid
    assert account.totals(invoice)[1] == (first_paid or 0)
    assert account.totals(other)[1] == (second_paid or 0)
    assert account.payment(second.id).status == ("canceled" if second_paid is None else "paid")


def test_attach_to_an_uncollectible_invoice_pays_it(account: Account) -> None:
    """Bad debt that is paid after all is paid: 400, then the other 600."""
    invoice = account.uncollectible_invoice(1000)

    account.twin.attach(invoice.id, account.succeeded_intent(400).id)
    partly = account.totals(invoice)
    account.twin.attach(invoice.id, account.succeeded_intent(600).id)

    assert partly == ("uncollectible", 400, 600, 0)
    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_attach_to_a_subscription_invoice_that_is_sent_is_accepted(account: Account) -> None:
    """Partial payments of a subscription need collection_method send_invoice, and then work."""
    invoice = account.open_invoice(1000, subscription_id="sub_1", collection_method="send_invoice")

    account.twin.attach(invoice.id, account.succeeded_intent(600).id)

    assert account.totals(invoice) == ("open", 600, 400, 0)


def test_a_canceled_intent_cancels_its_open_payment(account: Account) -> None:
    """A payment whose intent will never collect anything is not waited for."""
    invoice, intent = account.open_invoice(1000), account.intent(600)
    payment = account.twin.attach(invoice.id, intent.id)

    account.twin.progress(intent.id, "canceled", cancellation_reason="abandoned")

    assert account.payment(payment.id).status == "canceled"
    assert account.payment(payment.id).canceled_at is not None
    assert account.totals(invoice) == ("open", 0, 1000, 0)


def test_overpayment_by_a_race_goes_to_the_customer(account: Account) -> None:
    """Two intents of 700 for 1000 succeed both: 400 are not lost but the customer's."""
    invoice = account.open_invoice(1000)
    intents = [account.intent(700), account.intent(700)]
    for intent in intents:
        account.twin.attach(invoice.id, intent.id)

    for intent in intents:
        account.twin.progress(intent.id, "succeeded")

    assert account.totals(invoice) == ("paid", 1000, 0, 400)
    assert account.balance() == 400


def test_money_that_comes_after_the_invoice_is_paid_goes_to_the_customer(
    account: Account,
) -> None:
    """An open payment on a paid invoice still brings its money when it succeeds."""
    invoice, late = account.open_invoice(1000), account.intent(1000)
    account.twin.attach(invoice.id, late.id)
    account.twin.attach(invoice.id, account.succeeded_intent(1000).id)

    account.twin.progress(late.id, "succeeded")

    assert account.totals(invoice) == ("paid", 1000, 0, 1000)
    assert account.balance() == 1000


def test_attachable_agrees_with_attach(account: Account) -> None:
    """The list of what can be attached offers what attach accepts, and nothing else."""
    invoice = account.open_invoice(1000)
    intents = [
        account.succeeded_intent(1000),
        account.succeeded_intent(1001),
        account.succeeded_intent(1000, customer_id=BOB),
        account.canceled_intent(1000),
        account.intent(1000),
    ]

    offered = [payments.attachable(account.twin.book(invoice.id), intent, 0) for intent in intents]

    assert offered == [accepts(account, invoice.id, intent.id) for intent in intents]
    assert offered == [True, False, False, False, True]


def accepts(account: Account, invoice_id: str, intent_id: str) -> bool:
    """Whether attach accepts the intent; it is taken off again."""
    try:
        account.twin.attach(invoice_id, intent_id)
    except Refused:
        return False
    account.twin.detach(invoice_id, intent_id)
    return True
