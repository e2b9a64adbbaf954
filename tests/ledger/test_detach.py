"""What is left of an invoice, and of its customer's balance, when a payment is taken off."""

from __future__ import annotations

import pytest

from tests.ledger.builders import Account


def test_detach_on_paid_reopens_with_a_fresh_default_for_the_remainder(account: Account) -> None:
    """600 of 1000 are taken off: 600 remain again, and a new default payment asks for them."""
    invoice = account.open_invoice(1000)
    account.attached_intent(invoice, 400)
    intent = account.attached_intent(invoice, 600)

    gone, fresh = account.twin.detach(invoice.id, intent.id)

    assert (gone.source_id, gone.amount_paid) == (intent.id, 600)
    assert account.totals(invoice) == ("open", 400, 600, 0)
    assert account.now(invoice).paid_at is None
    assert fresh is not None
    assert fresh == account.open_default(invoice)
    assert (fresh.amount_requested, fresh.is_default) == (600, True)
    assert account.default_intent(invoice).amount == 600


def test_detach_takes_the_payment_out_of_the_list(account: Account) -> None:
    """Stripe removes the payment from the list instead of leaving it canceled."""
    invoice = account.open_invoice(1000)
    intent = account.attached_intent(invoice, 600)

    gone, _ = account.twin.detach(invoice.id, intent.id)

    assert gone.id not in [one.id for one in account.payments(invoice)]
    assert gone.id not in account.twin.invoice_payments


def test_detach_of_the_only_payment_leaves_everything_to_be_paid(account: Account) -> None:
    """The invoice stands as it was finalized, with one default payment for the whole."""
    invoice = account.open_invoice(1000)
    intent = account.attached_intent(invoice, 1000)

    account.twin.detach(invoice.id, intent.id)

    assert account.totals(invoice) == ("open", 0, 1000, 0)
    assert [one.amount_requested for one in account.payments(invoice) if one.status == "open"] == [
        1000
    ]


def test_detach_on_open_raises_the_default_payment(account: Account) -> None:
    """There is a default payment already; it is kept in step and not doubled."""
    invoice = account.open_invoice(1000)
    default = account.open_default(invoice)
    intent = account.attached_intent(invoice, 600)

    _, fresh = account.twin.detach(invoice.id, intent.id)

    assert fresh is None
    assert account.open_default(invoice) == default
    assert account.totals(invoice) == ("open", 0, 1000, 0)


def test_detach_of_an_open_payment_changes_no_total(account: Account) -> None:
    """No money had come, so none goes; the intent is free for another invoice."""
    invoice, other = account.open_invoice(1000), account.open_invoice(1000)
    intent = account.intent(600)
    account.twin.attach(invoice.id, intent.id)

    account.twin.detach(invoice.id, intent.id)
    account.twin.attach(other.id, intent.id)
    account.twin.progress(intent.id, "succeeded")

    assert account.totals(invoice) == ("open", 0, 1000, 0)
    assert account.totals(other) == ("open", 600, 400, 0)


def test_detach_of_the_paid_default_payment_frees_it(account: Account) -> None:
    """What the default payment collected is money like any other, and may pay another invoice."""
    invoice, other = account.open_invoice(1000), account.open_invoice(1000)
    intent = account.default_intent(invoice)
    account.twin.pay(invoice.id)

    account.twin.detach(invoice.id, intent.id)
    account.twin.attach(other.id, intent.id)

    assert account.totals(invoice) == ("open", 0, 1000, 0)
    assert account.default_intent(invoice).id != intent.id
    assert account.totals(other) == ("paid", 1000, 0, 0)


def test_detach_of_a_share_leaves_the_other_invoice_alone(account: Account) -> None:
    """One intent paid 400 here and 600 there; only what is taken off comes free."""
    intent = account.succeeded_intent(1000)
    first, second = account.open_invoice(400), account.open_invoice(600)
    account.twin.attach(first.id, intent.id, amount_requested=400)
    account.twin.attach(second.id, intent.id, amount_requested=600)

    account.twin.detach(first.id, intent.id)

    assert account.totals(first) == ("open", 0, 400, 0)
    assert account.totals(second) == ("paid", 600, 0, 0)
    assert account.twin.claimed_elsewhere(intent.id, first.id) == 600


def test_a_share_that_got_less_than_it_asked_for_claims_what_it_got(account: Account) -> None:
    """700 came for shares of 400 and 600; when the 400 come free, 400 can be attached again."""
    intent = account.intent(1000)
    first, second = account.open_invoice(1000), account.open_invoice(1000)
    account.twin.attach(first.id, intent.id, amount_requested=400)
    account.twin.attach(second.id, intent.id, amount_requested=600)
    account.twin.progress(intent.id, "succeeded", amount_received=700)

    account.twin.detach(first.id, intent.id)
    account.twin.attach(first.id, intent.id, amount_requested=400)

    assert account.totals(first) == ("open", 400, 600, 0)
    assert account.totals(second) == ("open", 300, 700, 0)


@pytest.mark.parametrize("amount", [400, 1000], ids=["partly_paid", "paid"])
def test_attach_detach_attach_returns_to_the_same_totals(account: Account, amount: int) -> None:
    """Invariant I5: what is taken off and put on again counts as before."""
    invoice = account.open_invoice(1000)
    intent = account.attached_intent(invoice, amount)
    before = account.totals(invoice)

    account.twin.detach(invoice.id, intent.id)
    again = account.twin.attach(invoice.id, intent.id)

    assert account.totals(invoice) == before
    assert again.amount_paid == amount
    assert account.balance() == 0


def test_detach_takes_the_overpayment_back_from_the_customer(account: Account) -> None:
    """700 and 700 for 1000 gave the customer 400; without one of them 300 remain."""
    invoice = account.open_invoice(1000)
    intents = [account.intent(700), account.intent(700)]
    for intent in intents:
        account.twin.attach(invoice.id, intent.id)
    for intent in intents:
        account.twin.progress(intent.id, "succeeded")

    account.twin.detach(invoice.id, intents[0].id)

    assert account.totals(invoice) == ("open", 700, 300, 0)
    assert account.balance() == 0


def test_detach_of_a_surplus_leaves_the_invoice_paid(account: Account) -> None:
    """1000 and 200 for 1000: without the 200 it is still paid, and nothing new is asked for."""
    invoice, late = account.open_invoice(1000), account.intent(200)
    account.twin.attach(invoice.id, late.id)
    account.attached_intent(invoice, 1000)
    account.twin.progress(late.id, "succeeded")

    _, fresh = account.twin.detach(invoice.id, late.id)

    assert fresh is None
    assert account.totals(invoice) == ("paid", 1000, 0, 0)
    assert account.balance() == 0


def test_detach_with_the_expected_amount_paid_is_accepted(account: Account) -> None:
    """The precondition is about what the caller saw, and it still holds."""
    invoice = account.open_invoice(1000)
    intent = account.attached_intent(invoice, 600)

    account.twin.detach(invoice.id, intent.id, if_amount_paid=600)

    assert account.totals(invoice) == ("open", 0, 1000, 0)


def test_detach_on_uncollectible_leaves_it_uncollectible(account: Account) -> None:
    """Nothing reopens: it had not been paid."""
    invoice = account.uncollectible_invoice(1000)
    intent = account.attached_intent(invoice, 400)

    account.twin.detach(invoice.id, intent.id)

    assert account.totals(invoice) == ("uncollectible", 0, 1000, 0)
    assert account.default_intent(invoice).amount == 1000


def test_detach_is_accepted_while_the_rest_covers_what_was_credited_back(
    account: Account,
) -> None:
    """200 of 1000 were given back; 800 may go as long as 200 stay behind the credit note."""
    invoice = account.open_invoice(1000)
    large = account.attached_intent(invoice, 800)
    account.attached_intent(invoice, 200)
    account.credit(invoice, 200, refund=200)

    account.twin.detach(invoice.id, large.id)

    assert account.totals(invoice) == ("open", 200, 800, 0)
