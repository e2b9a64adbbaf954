"""How the customer's balance goes round: onto it, into invoices, and back."""

from __future__ import annotations

import pytest

from schema.ports import RefusalCode, Refused
from tests.ledger.builders import ADA, BOB, Account


def test_a_credit_note_pays_the_next_invoice(account: Account) -> None:
    """500 given back as balance take 500 off the 800 asked for next."""
    account.credit(account.paid_invoice(1000), 500, credit=500)

    following = account.open_invoice(800)

    now = account.now(following)
    assert (now.amount_due, now.starting_balance, now.ending_balance) == (300, -500, 0)
    assert account.balance() == 0
    assert account.default_intent(following).amount == 300


def test_an_invoice_that_credit_covers_is_paid_without_a_payment(account: Account) -> None:
    """1000 of credit pay 800, 200 stay, and no intent is made."""
    account.adjust(1000)

    invoice = account.open_invoice(800)

    assert account.totals(invoice) == ("paid", 0, 0, 0)
    assert (account.payments(invoice), tuple(account.twin.payment_intents)) == ((), ())
    assert account.balance() == 200


def test_an_overpayment_meets_the_next_invoice(account: Account) -> None:
    """Two intents race: 400 come beyond what was asked, and lower what is asked next."""
    invoice, late = account.open_invoice(1000), account.intent(1000)
    account.twin.attach(invoice.id, late.id)
    account.attached_intent(invoice, 400)
    account.twin.progress(late.id, "succeeded")

    following = account.open_invoice(1000)

    assert account.now(following).amount_due == 600


def test_credit_that_was_spent_is_owed_when_an_overpayment_is_taken_back(account: Account) -> None:
    """The next invoice has used the 400 that a detach takes away: they become a debit."""
    invoice, late = account.open_invoice(1000), account.intent(1000)
    account.twin.attach(invoice.id, late.id)
    first = account.attached_intent(invoice, 400)
    account.twin.progress(late.id, "succeeded")
    account.open_invoice(1000)

    account.twin.detach(invoice.id, first.id)

    assert account.balance() == -400
    assert account.now(account.open_invoice(1000)).amount_due == 1400


@pytest.mark.parametrize("adjusted", [500, -200])
def test_voiding_puts_the_balance_back(account: Account, adjusted: int) -> None:
    """What the invoice took is there again, be it credit or debit; its own fields stay."""
    account.adjust(adjusted)
    invoice = account.open_invoice(800)
    assert account.balance() == 0

    account.twin.void(invoice.id)

    assert account.balance() == adjusted
    assert account.now(invoice).starting_balance == -adjusted


def test_each_currency_has_its_own_balance(account: Account) -> None:
    """Credit in euros leaves an invoice in dollars alone, and the other way round."""
    account.adjust(500, currency="eur")

    dollars = account.open_invoice(800)
    euros = account.open_invoice(800, currency="eur")

    assert (account.now(dollars).amount_due, account.now(euros).amount_due) == (800, 300)


def test_each_customer_has_their_own_balance(account: Account) -> None:
    account.adjust(500, BOB)

    assert account.now(account.open_invoice(800, customer_id=ADA)).amount_due == 800
    assert account.now(account.open_invoice(800, customer_id=BOB)).amount_due == 300


def test_two_drafts_share_one_balance(account: Account) -> None:
    """Both foretell all of it; the first that is finalized takes it, and the other shows that."""
    first, second = account.draft_invoice(800), account.draft_invoice(900)
    account.adjust(500)
    foretold = [account.now(one).amount_due for one in (first, second)]

    account.twin.finalize(first.id, number="N-1")

    assert foretold == [300, 400]
    assert (account.now(second).amount_due, account.now(second).starting_balance) == (900, 0)


def test_what_the_balance_covered_is_credited_back_to_it(account: Account) -> None:
    """An invoice over 800 that only credit paid can be given back, as credit."""
    account.adjust(800)
    invoice = account.open_invoice(800)

    account.credit(invoice, 800, credit=800)

    assert account.balance() == 800
    assert account.now(invoice).post_payment_credit_notes_amount == 800


def test_what_the_balance_covered_cannot_be_refunded(account: Account) -> None:
    """500 came from the balance, 300 as money: only these can go back to where they came from."""
    account.adjust(500)
    invoice = account.open_invoice(800)
    account.attached_intent(invoice, 300)

    with pytest.raises(Refused) as refused:
        account.credit(invoice, 400, refund=400)
    account.credit(invoice, 800, refund=300, credit=500)

    assert (refused.value.code, refused.value.rule) == (
        RefusalCode.AMOUNT_TOO_LARGE,
        "refund_exceeds_paid",
    )
    assert account.balance() == 500


def test_a_debit_that_an_invoice_took_over_is_not_credited(account: Account) -> None:
    """1000 are due, but only 800 of them are this invoice's own."""
    account.adjust(-200)
    invoice = account.open_invoice(800)

    with pytest.raises(Refused) as refused:
        account.credit(invoice, 900)
    account.credit(invoice, 800)

    assert refused.value.rule == "credit_exceeds_paid"
    assert account.totals(invoice) == ("open", 0, 200, 0)


def test_a_refunded_payment_stays_although_the_balance_covers_the_note(account: Account) -> None:
    """The 300 went back to the payer: freed, the intent would pay a second time."""
    account.adjust(500)
    invoice = account.open_invoice(800)
    intent = account.attached_intent(invoice, 300)
    account.credit(invoice, 300, refund=300)

    with pytest.raises(Refused) as refused:
        account.twin.detach(invoice.id, intent.id)

    assert refused.value.rule == "payment_credited_back"
