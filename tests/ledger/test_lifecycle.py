"""What becomes of an invoice as a whole, and of the intents behind its payments."""

from __future__ import annotations

from gateway.ledger.invariants import violations
from tests.ledger.builders import Account


def test_finalize_opens_with_a_default_payment_for_the_whole(account: Account) -> None:
    """From now on 1000 can be collected, by an intent that Stripe keeps."""
    draft = account.draft_invoice(1000)

    account.twin.finalize(draft.id, number="N-1")

    now, default = account.now(draft), account.open_default(draft)
    assert account.totals(draft) == ("open", 0, 1000, 0)
    assert now.number == "N-1"
    assert now.finalized_at is not None
    assert default is not None
    assert (default.amount_requested, account.default_intent(draft).amount) == (1000, 1000)
    assert account.default_intent(draft).customer_id == draft.customer_id


def test_finalize_of_a_zero_invoice_makes_it_paid(account: Account) -> None:
    """There is nothing to collect, so there is no default payment either."""
    invoice = account.open_invoice(0)

    assert account.totals(invoice) == ("paid", 0, 0, 0)
    assert account.payments(invoice) == ()


def test_finalize_keeps_a_number_that_was_given(account: Account) -> None:
    """A number that someone has chosen for the draft is not replaced."""
    draft = account.draft_invoice(number="CHOSEN-1")

    account.twin.finalize(draft.id, number="N-1")

    assert account.now(draft).number == "CHOSEN-1"


def test_delete_takes_a_draft_away(account: Account) -> None:
    """Only a draft can vanish; whatever was finalized stays in the books."""
    draft = account.draft_invoice()

    account.twin.delete_draft(draft.id)

    assert draft.id not in account.twin.invoices


def test_pay_collects_through_the_default_payment(account: Account) -> None:
    """600 were attached; the default payment brings the other 400."""
    invoice = account.half_paid_invoice()
    default = account.open_default(invoice)
    assert default is not None

    account.twin.pay(invoice.id)

    assert account.payment(default.id).amount_paid == 400
    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_pay_of_an_uncollectible_invoice_makes_it_paid(account: Account) -> None:
    """Bad debt that is paid after all is paid."""
    invoice = account.uncollectible_invoice(1000)

    account.twin.pay(invoice.id)

    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_a_default_intent_that_received_less_is_followed_by_another(account: Account) -> None:
    """300 of 1000 came in: a fresh default payment asks for the other 700."""
    invoice = account.open_invoice(1000)
    intent = account.default_intent(invoice)

    account.twin.progress(intent.id, "succeeded", amount_received=300)

    assert account.totals(invoice) == ("open", 300, 700, 0)
    assert account.default_intent(invoice).id != intent.id
    assert account.default_intent(invoice).amount == 700


def test_pay_out_of_band_settles_all_that_remains(account: Account) -> None:
    """600 came through Stripe, 400 did not: it is paid, and no payment stands for the 400."""
    invoice = account.half_paid_invoice()

    account.twin.pay_out_of_band(invoice.id)

    by_stripe = sum(one.amount_paid or 0 for one in account.payments(invoice))
    assert account.totals(invoice) == ("paid", 1000, 0, 0)
    assert by_stripe == 600
    assert account.open_default(invoice) is None


def test_detach_keeps_what_was_paid_out_of_band(account: Account) -> None:
    """Without the 600 of Stripe, the 400 from elsewhere still count."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id)
    account.twin.pay_out_of_band(invoice.id)

    account.twin.detach(invoice.id, intent.id)

    assert account.totals(invoice) == ("open", 400, 600, 0)


def test_void_cancels_the_default_payment(account: Account) -> None:
    """What is void must never be collected."""
    invoice = account.open_invoice(1000)
    intent = account.default_intent(invoice)

    account.twin.void(invoice.id)

    assert account.now(invoice).status == "void"
    assert account.now(invoice).voided_at is not None
    assert account.twin.intent(intent.id).status == "canceled"
    assert account.twin.intent(intent.id).cancellation_reason == "void_invoice"
    assert [one.status for one in account.payments(invoice)] == ["canceled"]


def test_void_of_an_uncollectible_invoice_is_accepted(account: Account) -> None:
    """Bad debt may turn out to have been no debt."""
    invoice = account.uncollectible_invoice(1000)

    account.twin.void(invoice.id)

    assert account.now(invoice).status == "void"


def test_void_after_everything_was_detached_is_accepted(account: Account) -> None:
    """The refusal says: detach them first; so that must help."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id)

    account.twin.detach(invoice.id, intent.id)
    account.twin.void(invoice.id)

    assert account.now(invoice).status == "void"


def test_mark_uncollectible_keeps_the_default_payment(account: Account) -> None:
    """It can still be paid, and that is what the default payment is for."""
    invoice = account.half_paid_invoice()

    account.twin.mark_uncollectible(invoice.id)

    assert account.totals(invoice) == ("uncollectible", 600, 400, 0)
    assert account.now(invoice).marked_uncollectible_at is not None
    assert account.default_intent(invoice).amount == 400


def test_an_intent_under_way_is_left_alone_when_the_invoice_is_paid(account: Account) -> None:
    """Stripe cannot call such money back; if it comes, it is the customer's and not lost."""
    invoice = account.invoice_with_money_under_way()
    intent = account.default_intent(invoice)

    account.attached_intent(invoice, 1000)
    account.twin.progress(intent.id, "succeeded")

    assert account.totals(invoice) == ("paid", 1000, 0, 1000)
    assert account.balance() == 1000


def test_an_intent_under_way_keeps_its_amount(account: Account) -> None:
    """1000 are on their way and stay 1000, though only 400 remain: the rest is an overpayment."""
    invoice = account.invoice_with_money_under_way()
    intent = account.default_intent(invoice)

    account.attached_intent(invoice, 600)
    under_way = account.default_intent(invoice)
    account.twin.progress(intent.id, "succeeded")

    assert (under_way.id, under_way.amount) == (intent.id, 1000)
    assert account.totals(invoice) == ("paid", 1000, 0, 600)


def test_pay_collects_no_more_than_what_remains(account: Account) -> None:
    """1000 are authorised and 600 were attached since: 400 are collected and not 1000."""
    invoice = account.open_invoice(1000)
    account.twin.progress(account.default_intent(invoice).id, "requires_capture")
    account.attached_intent(invoice, 600)

    account.twin.pay(invoice.id)

    assert account.totals(invoice) == ("paid", 1000, 0, 0)


def test_a_failed_intent_under_way_falls_back_into_step(account: Account) -> None:
    """It was left at 1000 while 600 were attached; once it failed it must ask for 400 only."""
    invoice = account.invoice_with_money_under_way()
    intent = account.default_intent(invoice)
    account.attached_intent(invoice, 600)

    account.twin.progress(intent.id, "requires_payment_method")

    assert account.default_intent(invoice).id == intent.id
    assert account.default_intent(invoice).amount == 400
    assert list(violations(account.twin.book(invoice.id))) == []


def test_a_failed_intent_under_way_is_canceled_once_the_invoice_is_paid(account: Account) -> None:
    """Left open, it could be confirmed again and the customer would pay twice."""
    invoice = account.invoice_with_money_under_way()
    intent = account.default_intent(invoice)
    account.attached_intent(invoice, 1000)

    account.twin.progress(intent.id, "requires_payment_method")

    assert account.open_default(invoice) is None
    assert account.twin.intent(intent.id).status == "canceled"
    assert list(violations(account.twin.book(invoice.id))) == []
