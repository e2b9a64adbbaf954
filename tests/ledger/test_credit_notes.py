"""How a credit note splits, what it leaves of the invoice, and where what is given back goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ledger import credit_notes
from schema.ports import CreditNoteDraft, RefusalCode, Refused
from tests.ledger.builders import Account, everything


@pytest.mark.parametrize(
    ("amount", "refund", "kind", "waived", "given_back"),
    [
        pytest.param(300, None, "pre_payment", 300, 0, id="below_the_balance"),
        pytest.param(400, None, "pre_payment", 400, 0, id="the_whole_balance"),
        pytest.param(500, 100, "mixed", 400, 100, id="beyond_the_balance"),
        pytest.param(1000, 600, "mixed", 400, 600, id="everything"),
    ],
)
def test_a_note_first_lowers_the_balance(
    account: Account, amount: int, refund: int | None, kind: str, waived: int, given_back: int
) -> None:
    """400 of 1000 remain: the note takes those first, and only the rest is given back."""
    invoice = account.half_paid_invoice()
    draft = CreditNoteDraft(invoice.id, amount, refund=refund)

    preview = credit_notes.preview(account.twin.book(invoice.id), draft)
    note = account.twin.credit(draft)

    split = (kind, waived, given_back)
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == split
    assert (preview.type, preview.pre_payment_amount, preview.post_payment_amount) == split
    assert preview.amount_remaining_after == 400 - waived
    assert account.now(invoice).amount_remaining == 400 - waived
    assert account.now(invoice).amount_due == 1000 - waived


def test_a_note_on_an_open_invoice_lowers_what_is_asked_for(account: Account) -> None:
    """300 of 1000 are waived: 700 are due, and the default payment asks for 700."""
    invoice = account.open_invoice(1000)

    account.credit(invoice, 300)

    now = account.now(invoice)
    assert (now.status, now.amount_due, now.amount_remaining) == ("open", 700, 700)
    assert (now.pre_payment_credit_notes_amount, now.post_payment_credit_notes_amount) == (300, 0)
    assert account.default_intent(invoice).amount == 700


def test_a_note_over_the_last_of_the_balance_makes_the_invoice_paid(account: Account) -> None:
    """Nothing remains, so it is paid, and its default payment must not collect any more."""
    invoice = account.half_paid_invoice()

    account.credit(invoice, 400)

    assert account.totals(invoice) == ("paid", 600, 0, 0)
    assert account.now(invoice).paid_at is not None
    assert account.open_default(invoice) is None


def test_a_note_over_a_whole_unpaid_invoice_makes_it_paid(account: Account) -> None:
    """An invoice for which nothing is asked any more is paid with nothing."""
    invoice = account.open_invoice(1000)

    account.credit(invoice, 1000)

    assert account.totals(invoice) == ("paid", 0, 0, 0)
    assert account.now(invoice).amount_due == 0


def test_a_note_on_a_paid_invoice_leaves_its_totals(account: Account) -> None:
    """What is given back does not make the invoice unpaid: it is counted on its own."""
    invoice = account.paid_invoice(1000)

    note = account.credit(invoice, 300, refund=100, credit=120, out_of_band=80)

    now = account.now(invoice)
    assert account.totals(invoice) == ("paid", 1000, 0, 0)
    assert (now.pre_payment_credit_notes_amount, now.post_payment_credit_notes_amount) == (0, 300)
    assert (note.type, note.credit_amount, note.out_of_band_amount) == ("post_payment", 120, 80)
    assert [refund.amount_refunded for refund in note.refunds] == [100]


def test_the_credited_part_goes_to_the_customer(account: Account) -> None:
    """Of 300 given back, 120 stay with us in the customer's favour."""
    invoice = account.paid_invoice(1000)

    account.credit(invoice, 300, refund=180, credit=120)

    assert account.balance() == 120


def test_notes_add_up_to_what_was_paid_and_no_more(account: Account) -> None:
    """700 and 300 give back all of 1000; the next cent is refused."""
    invoice = account.paid_invoice(1000)

    account.credit(invoice, 700, refund=700)
    account.credit(invoice, 300, refund=300)

    assert account.now(invoice).post_payment_credit_notes_amount == 1000
    with pytest.raises(Refused) as caught:
        account.credit(invoice, 1, refund=1)
    assert caught.value.code == RefusalCode.AMOUNT_TOO_LARGE


def test_the_overpaid_part_cannot_be_given_back_twice(account: Account) -> None:
    """700 and 700 for 1000: 400 are in the customer's balance, so a note gives back 1000 only."""
    invoice = account.open_invoice(1000)
    intents = [account.intent(700), account.intent(700)]
    for intent in intents:
        account.twin.attach(invoice.id, intent.id)
    for intent in intents:
        account.twin.progress(intent.id, "succeeded")

    with pytest.raises(Refused) as caught:
        account.credit(invoice, 1001, refund=1001)
    account.credit(invoice, 1000, refund=1000)

    assert caught.value.code == RefusalCode.AMOUNT_TOO_LARGE
    assert account.balance() == 400


def test_money_for_a_waived_balance_goes_to_the_customer(account: Account) -> None:
    """An open payment of 1000 on an invoice credited down to 300 overpays it by 700."""
    invoice, intent = account.open_invoice(1000), account.intent(1000)
    account.twin.attach(invoice.id, intent.id)
    account.credit(invoice, 700)

    account.twin.progress(intent.id, "succeeded")

    assert account.totals(invoice) == ("paid", 300, 0, 700)
    assert account.balance() == 700


def test_detach_after_a_waiver_asks_for_the_lowered_amount(account: Account) -> None:
    """400 of 1000 were waived; when the 600 are taken off, 600 remain and not 1000."""
    invoice = account.open_invoice(1000)
    intent = account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id)
    account.credit(invoice, 400)

    account.twin.detach(invoice.id, intent.id)

    assert account.totals(invoice) == ("open", 0, 600, 0)


def test_notes_of_one_invoice_are_numbered(account: Account) -> None:
    """People find a note by its invoice's number and its place among the notes."""
    invoice = account.paid_invoice(1000)

    notes = [account.credit(invoice, 100, refund=100) for _ in range(2)]

    number = account.now(invoice).number
    assert [note.number for note in notes] == [f"{number}-CN-01", f"{number}-CN-02"]


def test_a_voided_note_gives_back_what_it_took_off_the_invoice(account: Account) -> None:
    """300 of 1000 were waived; taken back, 1000 remain and the default payment asks for them."""
    invoice = account.open_invoice(1000)
    note = account.credit(invoice, 300)

    events = account.events_of(lambda: account.twin.void_credit_note(note.id))

    now, voided = account.now(invoice), account.twin.credit_notes.get(note.id)
    assert (now.amount_due, now.amount_remaining) == (1000, 1000)
    assert now.pre_payment_credit_notes_amount == 0
    assert account.default_intent(invoice).amount == 1000
    assert voided is not None
    assert (voided.status, voided.voided_at is not None) == ("void", True)
    assert [one.type for one in events] == ["credit_note.voided", "invoice.updated"]


def voided_already(account: Account) -> str:
    note = account.credit(account.open_invoice(1000), 300)
    return account.twin.void_credit_note(note.id).id


def given_back_in_part(account: Account) -> str:
    return account.credit(account.paid_invoice(1000), 300, refund=300).id


def of_an_invoice_that_it_paid(account: Account) -> str:
    return account.credit(account.half_paid_invoice(), 400).id


@pytest.mark.parametrize("make", [voided_already, given_back_in_part, of_an_invoice_that_it_paid])
def test_a_note_is_voided_only_while_it_lowers_an_open_invoice(
    account: Account, make: Callable[[Account], str]
) -> None:
    """What has been given back, or has made an invoice paid, cannot be taken back."""
    note_id = make(account)
    before = everything(account.twin)

    with pytest.raises(Refused) as caught:
        account.twin.void_credit_note(note_id)

    assert caught.value.code is RefusalCode.INVOICE_NOT_OPEN
    assert caught.value.rule == "credit_note_not_voidable"
    assert everything(account.twin) == before
