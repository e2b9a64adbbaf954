"""Amounts that a currency cannot move: refused where somebody states them, carried over where an
invoice would ask for them."""

from __future__ import annotations

import pytest

from gateway.ledger import amounts
from schema.currencies import MINIMUM_CHARGE, smallest_step
from schema.ports import CreditNoteDraft, RefusalCode, Refused
from tests.ledger.builders import ADA, Account

NO_DECIMAL = "invalid_charge_amount_no_decimal_compatible"
LAST_DIGIT = "invalid_charge_amount"

CHARGES = [
    pytest.param(49, "usd", "amount_too_small", id="below_the_minimum"),
    pytest.param(50, "usd", None, id="just_the_minimum"),
    pytest.param(29, "gbp", "amount_too_small", id="another_minimum"),
    pytest.param(30, "GBP", None, id="upper_case"),
    pytest.param(17_499, "huf", "amount_too_small", id="two_digits_although_paid_out_whole"),
    pytest.param(17_501, "huf", None, id="forint_with_decimals"),
    pytest.param(49, "jpy", "amount_too_small", id="zero_decimal_minimum"),
    pytest.param(150, "isk", NO_DECIMAL, id="kronur_with_decimals"),
    pytest.param(200, "isk", None, id="whole_kronur"),
    pytest.param(101, "ugx", NO_DECIMAL, id="shillings_with_decimals"),
    pytest.param(5124, "kwd", LAST_DIGIT, id="last_of_three_decimals"),
    pytest.param(5120, "kwd", None, id="rounded_to_ten"),
    pytest.param(1, "twd", None, id="no_minimum_known"),
]


@pytest.mark.parametrize(("amount", "currency", "rule"), CHARGES)
def test_charges_keep_to_steps_and_minimum(amount: int, currency: str, rule: str | None) -> None:
    """The rule's name is Stripe's own code."""
    refusal = amounts.charge_refusal(amount, currency, ())

    assert (refusal.rule if refusal else None) == rule
    assert refusal is None or refusal.code is RefusalCode.AMOUNT_INVALID


def test_every_minimum_can_be_charged() -> None:
    """Or the table would contradict itself."""
    assert all(least % smallest_step(code) == 0 for code, least in MINIMUM_CHARGE.items())


@pytest.mark.parametrize(
    ("total", "currency", "status", "due", "carried"),
    [
        pytest.param(30, "usd", "paid", 0, 30, id="too_little_is_a_debit"),
        pytest.param(50, "usd", "open", 50, 0, id="just_enough"),
        pytest.param(12_340, "isk", "open", 12_300, 40, id="rounded_down"),
        pytest.param(12_350, "isk", "open", 12_400, -50, id="rounded_up_is_credit"),
        pytest.param(40, "isk", "paid", 0, 40, id="less_than_half_a_krona"),
        pytest.param(5126, "kwd", "open", 5130, -4, id="three_decimals"),
    ],
)
def test_an_invoice_carries_over_what_it_cannot_ask_for(
    account: Account, total: int, currency: str, status: str, due: int, carried: int
) -> None:
    """Nothing is lost: it is owed, or credited, on the customer's balance."""
    invoice = account.now(account.open_invoice(total, currency=currency))

    customer = account.twin.customers.get(ADA)
    assert customer is not None
    assert (invoice.status, invoice.amount_due, invoice.ending_balance) == (status, due, carried)
    assert dict(customer.credit_balance).get(currency, 0) == -carried
    assert len(account.payments(invoice)) == (status == "open")


def test_what_was_carried_over_is_asked_for_next(account: Account) -> None:
    """30 cents were too little, and come on top of the next 500."""
    account.open_invoice(30)

    assert account.now(account.open_invoice(500)).amount_due == 530


def test_what_a_balance_leaves_can_be_too_little(account: Account) -> None:
    """770 of 800 are covered: paid, and the customer owes 30."""
    account.adjust(770)

    invoice = account.open_invoice(800)

    assert account.totals(invoice) == ("paid", 0, 0, 0)
    assert account.balance() == -30


@pytest.mark.parametrize(
    ("currency", "share", "rule"),
    [("isk", 150, NO_DECIMAL), ("ugx", 150, NO_DECIMAL), ("kwd", 125, LAST_DIGIT)],
)
def test_shares_and_outside_payments_keep_to_the_steps(
    account: Account, currency: str, share: int, rule: str
) -> None:
    """Cash has no minimum, but no half krona either; nor has a share of an intent."""
    invoice = account.open_invoice(10_000, currency=currency)
    outside = account.record(share, currency=currency)
    intent = account.succeeded_intent(1000, currency=currency)

    with pytest.raises(Refused) as of_record:
        account.twin.attach(invoice.id, outside.id)
    with pytest.raises(Refused) as of_share:
        account.twin.attach(invoice.id, intent.id, amount_requested=share)

    assert (of_record.value.rule, of_share.value.rule) == (rule, rule)
    account.twin.attach(invoice.id, account.record(100, currency=currency).id)


@pytest.mark.parametrize("part", ["refund", "out_of_band"])
def test_what_a_note_gives_back_keeps_to_the_steps(account: Account, part: str) -> None:
    """Money that is given back moves as well; credit on the balance does not."""
    invoice = account.open_invoice(1000, currency="isk")
    intent = account.succeeded_intent(1000, currency="isk")
    account.twin.attach(invoice.id, intent.id)

    with pytest.raises(Refused) as refused:
        account.twin.credit(CreditNoteDraft(invoice.id, 150, **{part: 150}))
    account.twin.credit(CreditNoteDraft(invoice.id, 150, credit=150))

    assert refused.value.rule == NO_DECIMAL


def test_a_note_leaves_what_can_be_asked_for(account: Account) -> None:
    """850 minor units of a krona could not be collected any more."""
    invoice = account.open_invoice(1000, currency="isk")

    with pytest.raises(Refused) as refused:
        account.credit(invoice, 150)

    assert refused.value.rule == NO_DECIMAL
