"""What may not be attached to an invoice, and which rule is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gateway.ledger import payments
from schema.ports import RefusalCode
from schema.records import Invoice
from tests.ledger.builders import BOB, Account
from tests.ledger.rules import (
    Rule,
    check_in_precedence_order,
    check_refused,
    rows,
    sorted_by_precedence,
)

Attempt = Callable[[], object]


def attaching(
    account: Account, invoice: Invoice | str, source_id: str, amount: int | None = None
) -> Attempt:
    invoice_id = invoice if isinstance(invoice, str) else invoice.id
    return lambda: account.twin.attach(invoice_id, source_id, amount_requested=amount)


def to_unknown_invoice(account: Account) -> Attempt:
    return attaching(account, "in_unknown", account.succeeded_intent().id)


def unknown_intent(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), "pi_unknown")


def unknown_record(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), "pr_unknown")


def to_draft(account: Account) -> Attempt:
    return attaching(account, account.draft_invoice(), account.succeeded_intent().id)


def to_paid(account: Account) -> Attempt:
    return attaching(account, account.paid_invoice(), account.succeeded_intent().id)


def to_void(account: Account) -> Attempt:
    return attaching(account, account.void_invoice(), account.succeeded_intent().id)


def to_charging_subscription(account: Account) -> Attempt:
    invoice = account.open_invoice(subscription_id="sub_1")
    return attaching(account, invoice, account.succeeded_intent().id)


def intent_in_euros(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.succeeded_intent(currency="eur").id)


def record_in_euros(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.record(currency="eur").id)


def intent_of_bob(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.succeeded_intent(customer_id=BOB).id)


def intent_of_nobody(account: Account) -> Attempt:
    intent = account.succeeded_intent(customer_id=None)
    return attaching(account, account.open_invoice(), intent.id)


def record_of_bob(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.record(customer_id=BOB).id)


def paid_here(account: Account) -> Attempt:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id)
    return attaching(account, invoice, intent.id)


def open_here(account: Account) -> Attempt:
    invoice, intent = account.open_invoice(1000), account.intent(600)
    account.twin.attach(invoice.id, intent.id)
    return attaching(account, invoice, intent.id)


def share_of_what_is_here(account: Account) -> Attempt:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id, amount_requested=100)
    return attaching(account, invoice, intent.id, 200)


def record_here(account: Account) -> Attempt:
    invoice, record = account.open_invoice(1000), account.record(600)
    account.twin.attach(invoice.id, record.id)
    return attaching(account, invoice, record.id)


def whole_of_what_is_elsewhere(account: Account) -> Attempt:
    intent = account.succeeded_intent(1000)
    account.twin.attach(account.open_invoice().id, intent.id, amount_requested=400)
    return attaching(account, account.open_invoice(), intent.id)


def own_default(account: Account) -> Attempt:
    invoice = account.open_invoice()
    return attaching(account, invoice, account.default_intent(invoice).id)


def default_of_another(account: Account) -> Attempt:
    other = account.default_intent(account.open_invoice())
    return attaching(account, account.open_invoice(), other.id)


def canceled_intent(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.canceled_intent().id)


def zero(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.succeeded_intent().id, 0)


def negative(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(), account.succeeded_intent().id, -1)


def share_above_intent(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(1000), account.succeeded_intent(600).id, 601)


def share_above_received(account: Account) -> Attempt:
    intent = account.intent(600)
    account.twin.progress(intent.id, "succeeded", amount_received=500)
    return attaching(account, account.open_invoice(1000), intent.id, 501)


def share_above_free(account: Account) -> Attempt:
    intent = account.succeeded_intent(1000)
    account.twin.attach(account.open_invoice().id, intent.id, amount_requested=400)
    return attaching(account, account.open_invoice(), intent.id, 601)


def share_of_default_of_another(account: Account) -> Attempt:
    other = account.default_intent(account.open_invoice())
    return attaching(account, account.open_invoice(), other.id, 1)


def intent_above_remaining(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(1000), account.succeeded_intent(1001).id)


def record_above_remaining(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(1000), account.record(1001).id)


def share_above_remaining(account: Account) -> Attempt:
    return attaching(account, account.open_invoice(1000), account.succeeded_intent(2000).id, 1001)


NOT_FOUND = RefusalCode.NOT_FOUND
NOT_OPEN = RefusalCode.INVOICE_NOT_OPEN
CURRENCY = RefusalCode.CURRENCY_MISMATCH
CUSTOMER = RefusalCode.CUSTOMER_MISMATCH
ATTACHED = RefusalCode.PAYMENT_ALREADY_ATTACHED
WRONG_STATE = RefusalCode.PAYMENT_INTENT_WRONG_STATE
INVALID = RefusalCode.AMOUNT_INVALID
TOO_LARGE = RefusalCode.AMOUNT_TOO_LARGE

RULES = [
    Rule("unknown_invoice", to_unknown_invoice, NOT_FOUND, "no_such_object"),
    Rule("unknown_intent", unknown_intent, NOT_FOUND, "no_such_object"),
    Rule("unknown_record", unknown_record, NOT_FOUND, "no_such_object"),
    Rule("draft", to_draft, RefusalCode.INVOICE_NOT_FINALIZED, "invoice_not_finalized"),
    Rule("paid", to_paid, NOT_OPEN, "invoice_not_open"),
    Rule("void", to_void, NOT_OPEN, "invoice_not_open"),
    Rule(
        "charging_subscription",
        to_charging_subscription,
        NOT_OPEN,
        "subscription_invoice_charged_automatically",
    ),
    Rule("intent_in_euros", intent_in_euros, CURRENCY, "currency_mismatch"),
    Rule("record_in_euros", record_in_euros, CURRENCY, "currency_mismatch"),
    Rule("intent_of_bob", intent_of_bob, CUSTOMER, "customer_mismatch"),
    Rule("intent_of_nobody", intent_of_nobody, CUSTOMER, "customer_mismatch"),
    Rule("record_of_bob", record_of_bob, CUSTOMER, "customer_mismatch"),
    Rule("paid_here", paid_here, ATTACHED, "payment_already_attached"),
    Rule("open_here", open_here, ATTACHED, "payment_already_attached"),
    Rule("share_of_what_is_here", share_of_what_is_here, ATTACHED, "payment_already_attached"),
    Rule("record_here", record_here, ATTACHED, "payment_already_attached"),
    Rule("whole_elsewhere", whole_of_what_is_elsewhere, ATTACHED, "payment_already_attached"),
    Rule("own_default", own_default, ATTACHED, "payment_already_attached"),
    Rule("default_of_another", default_of_another, ATTACHED, "payment_already_attached"),
    Rule("canceled_intent", canceled_intent, WRONG_STATE, "payment_intent_canceled"),
    Rule("zero", zero, INVALID, "amount_not_positive"),
    Rule("negative", negative, INVALID, "amount_not_positive"),
    Rule("share_above_intent", share_above_intent, TOO_LARGE, "amount_exceeds_payment"),
    Rule("share_above_received", share_above_received, TOO_LARGE, "amount_exceeds_payment"),
    Rule("share_above_free", share_above_free, TOO_LARGE, "amount_exceeds_payment"),
    Rule("share_of_default", share_of_default_of_another, TOO_LARGE, "amount_exceeds_payment"),
    Rule("intent_above_remaining", intent_above_remaining, TOO_LARGE, "amount_exceeds_remaining"),
    Rule("record_above_remaining", record_above_remaining, TOO_LARGE, "amount_exceeds_remaining"),
    Rule("share_above_remaining", share_above_remaining, TOO_LARGE, "amount_exceeds_remaining"),
]


@pytest.mark.parametrize("row", rows(RULES))
def test_attach_refuses(account: Account, row: Rule) -> None:
    """A payment that may not pay this invoice is refused by name, and nothing has changed."""
    check_refused(account, row)


def test_the_rules_of_attach_stand_in_order_of_precedence() -> None:
    """The table reads as the rules are checked, so that its order is the documentation."""
    check_in_precedence_order(RULES)


@dataclass(frozen=True, slots=True)
class Broken:
    """How one attach breaks rules; every field's default breaks none."""

    status: str = "open"
    currency: str = "usd"
    customer: str = "cus_ada"
    attached_elsewhere: bool = False
    intent_status: str = "succeeded"
    amount: int | None = None
    claimed: int = 0


PAIRS = [
    ("draft_in_euros", Broken(status="draft", currency="eur"), RefusalCode.INVOICE_NOT_FINALIZED),
    ("void_in_euros", Broken(status="void", currency="eur"), NOT_OPEN),
    ("in_euros_of_bob", Broken(currency="eur", customer=BOB), CURRENCY),
    ("of_bob_and_elsewhere", Broken(customer=BOB, claimed=400), CUSTOMER),
    ("elsewhere_and_canceled", Broken(claimed=400, intent_status="canceled"), ATTACHED),
    ("canceled_and_zero", Broken(intent_status="canceled", amount=0), WRONG_STATE),
    ("zero_of_a_claimed_whole", Broken(amount=0, claimed=1001), INVALID),
    (
        "everything",
        Broken("void", "eur", BOB, intent_status="canceled", amount=-1, claimed=2000),
        NOT_OPEN,
    ),
]


@pytest.mark.parametrize(
    ("broken", "first"), [pytest.param(*pair, id=name) for name, *pair in PAIRS]
)
def test_attach_names_the_first_of_several_broken_rules(
    account: Account, broken: Broken, first: RefusalCode
) -> None:
    """Where two rules are broken the earlier in the order of precedence is named."""
    book = account.twin.book(account.open_invoice(1000).id)
    book = replace(book, invoice=replace(book.invoice, status=broken.status))
    intent = replace(
        account.succeeded_intent(1000),
        currency=broken.currency,
        customer_id=broken.customer,
        status=broken.intent_status,
    )

    refusals = list(payments.attach_refusals(book, intent, broken.amount, broken.claimed))

    assert len(refusals) >= 2
    assert refusals[0].code == first
    assert sorted_by_precedence(refusals)
