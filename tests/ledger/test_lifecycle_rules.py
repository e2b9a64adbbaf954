"""Which steps of an invoice or of an intent are refused, and which rule is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ledger.lifecycle import NEXT
from schema.ports import RefusalCode
from schema.records import Invoice
from tests.ledger.builders import Account
from tests.ledger.rules import Rule, check_in_precedence_order, check_refused, rows

Attempt = Callable[[], object]


def with_open_payment(account: Account) -> Invoice:
    invoice = account.open_invoice(1000)
    account.twin.attach(invoice.id, account.intent(600).id)
    return invoice


def paid_with_money_under_way(account: Account) -> Invoice:
    invoice = account.invoice_with_money_under_way()
    account.twin.attach(invoice.id, account.succeeded_intent(1000).id)
    return invoice


def finalizing(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.finalize(invoice.id, number="N-2")

    return arranged


def deleting(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.delete_draft(invoice.id)

    return arranged


def voiding(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.void(invoice.id)

    return arranged


def marking(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.mark_uncollectible(invoice.id)

    return arranged


def paying(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.pay(invoice.id)

    return arranged


def paying_out_of_band(make: Callable[[Account], Invoice]) -> Callable[[Account], Attempt]:
    def arranged(account: Account) -> Attempt:
        invoice = make(account)
        return lambda: account.twin.pay_out_of_band(invoice.id)

    return arranged


NOT_OPEN = RefusalCode.INVOICE_NOT_OPEN
WRONG_STATE = RefusalCode.PAYMENT_INTENT_WRONG_STATE
TRANSITION = "status_transition_invalid"
HAS_PAYMENTS = "invoice_has_payments"
UNDER_WAY = "payment_under_way"

DRAFT = Account.draft_invoice
OPEN = Account.open_invoice
PAID = Account.paid_invoice
VOID = Account.void_invoice
UNCOLLECTIBLE = Account.uncollectible_invoice

RULES = [
    Rule("finalize_open", finalizing(OPEN), NOT_OPEN, TRANSITION),
    Rule("finalize_paid", finalizing(PAID), NOT_OPEN, TRANSITION),
    Rule("finalize_void", finalizing(VOID), NOT_OPEN, TRANSITION),
    Rule("delete_open", deleting(OPEN), NOT_OPEN, "only_drafts_can_be_deleted"),
    Rule("delete_void", deleting(VOID), NOT_OPEN, "only_drafts_can_be_deleted"),
    Rule("void_draft", voiding(DRAFT), NOT_OPEN, TRANSITION),
    Rule("void_paid", voiding(PAID), NOT_OPEN, TRANSITION),
    Rule("void_void", voiding(VOID), NOT_OPEN, TRANSITION),
    Rule("void_with_open_payment", voiding(with_open_payment), NOT_OPEN, HAS_PAYMENTS),
    Rule("void_with_paid_payment", voiding(Account.half_paid_invoice), NOT_OPEN, HAS_PAYMENTS),
    Rule("mark_draft", marking(DRAFT), NOT_OPEN, TRANSITION),
    Rule("mark_paid", marking(PAID), NOT_OPEN, TRANSITION),
    Rule("mark_uncollectible_again", marking(UNCOLLECTIBLE), NOT_OPEN, TRANSITION),
    Rule("mark_with_open_payment", marking(with_open_payment), NOT_OPEN, HAS_PAYMENTS),
    Rule("pay_draft", paying(DRAFT), NOT_OPEN, "nothing_to_pay"),
    Rule("pay_paid", paying(PAID), NOT_OPEN, "nothing_to_pay"),
    Rule("pay_void", paying(VOID), NOT_OPEN, "nothing_to_pay"),
    Rule("pay_again", paying(paid_with_money_under_way), NOT_OPEN, "nothing_to_pay"),
    Rule("pay_out_of_band_draft", paying_out_of_band(DRAFT), NOT_OPEN, TRANSITION),
    Rule("pay_out_of_band_paid", paying_out_of_band(PAID), NOT_OPEN, TRANSITION),
    Rule("pay_out_of_band_void", paying_out_of_band(VOID), NOT_OPEN, TRANSITION),
    Rule("void_under_way", voiding(Account.invoice_with_money_under_way), WRONG_STATE, UNDER_WAY),
    Rule("pay_under_way", paying(Account.invoice_with_money_under_way), WRONG_STATE, UNDER_WAY),
    Rule(
        "pay_out_of_band_under_way",
        paying_out_of_band(Account.invoice_with_money_under_way),
        WRONG_STATE,
        UNDER_WAY,
    ),
]


@pytest.mark.parametrize("row", rows(RULES))
def test_a_lifecycle_step_is_refused(account: Account, row: Rule) -> None:
    """A step that Stripe does not know is refused by name, and nothing has changed."""
    check_refused(account, row)


def test_the_rules_of_the_lifecycle_stand_in_order_of_precedence() -> None:
    """The table reads as the rules are checked, so that its order is the documentation."""
    check_in_precedence_order(RULES)


RECEIVED = [
    ("nothing", 0, RefusalCode.AMOUNT_INVALID),
    ("less_than_nothing", -1, RefusalCode.AMOUNT_INVALID),
    ("more_than_its_amount", 1001, RefusalCode.AMOUNT_TOO_LARGE),
]


@pytest.mark.parametrize(
    ("received", "code"), [pytest.param(*row, id=name) for name, *row in RECEIVED]
)
def test_an_intent_receives_something_and_at_most_its_amount(
    account: Account, received: int, code: RefusalCode
) -> None:
    """A success without money would leave an open invoice that nobody can pay."""

    def broken(account: Account) -> Attempt:
        intent = account.default_intent(account.open_invoice(1000))
        return lambda: account.twin.progress(intent.id, "succeeded", amount_received=received)

    check_refused(account, Rule("received", broken, code, "amount_received_out_of_range"))


def void_with_payment_and_under_way(account: Account) -> Attempt:
    invoice = account.invoice_with_money_under_way()
    account.twin.attach(invoice.id, account.intent(600).id)
    return lambda: account.twin.void(invoice.id)


def test_void_names_the_first_of_several_broken_rules(account: Account) -> None:
    """The state of the invoice is named before the state of an intent."""
    pair = Rule("two", void_with_payment_and_under_way, NOT_OPEN, HAS_PAYMENTS)

    check_refused(account, pair)


STATUSES = sorted(NEXT)
FORBIDDEN_STEPS = [(a, b) for a in STATUSES for b in STATUSES if b not in NEXT[a]]


def intent_in(account: Account, status: str) -> str:
    """An intent's id, after it has been moved to this status."""
    intent = account.intent(1000)
    if status != intent.status:
        account.twin.progress(intent.id, status)
    return intent.id


@pytest.mark.parametrize(
    ("start", "end"), [pytest.param(a, b, id=f"{a}_to_{b}") for a, b in FORBIDDEN_STEPS]
)
def test_an_intent_takes_no_step_that_stripe_does_not_know(
    account: Account, start: str, end: str
) -> None:
    """Money that has come does not go by a status, and what is canceled stays so."""
    code, rule = WRONG_STATE, "payment_intent_unexpected_state"

    def broken(account: Account) -> Attempt:
        intent_id = intent_in(account, start)
        return lambda: account.twin.progress(intent_id, end)

    check_refused(account, Rule("step", broken, code, rule))


def test_the_default_intent_cannot_be_canceled_directly(account: Account) -> None:
    """Stripe keeps it with its invoice; without it nobody could pay the open invoice."""

    def broken(account: Account) -> Attempt:
        intent = account.default_intent(account.open_invoice())
        return lambda: account.twin.progress(intent.id, "canceled")

    check_refused(account, Rule("default", broken, WRONG_STATE, "default_payment_intent"))
