"""What may not be taken off an invoice, and which rule is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.ledger import payments
from schema.ports import RefusalCode
from schema.records import Invoice
from tests.ledger.builders import Account
from tests.ledger.rules import (
    Rule,
    check_in_precedence_order,
    check_refused,
    rows,
    sorted_by_precedence,
)

Attempt = Callable[[], object]


def detaching(
    account: Account, invoice: Invoice | str, intent_id: str, if_amount_paid: int | None = None
) -> Attempt:
    invoice_id = invoice if isinstance(invoice, str) else invoice.id
    return lambda: account.twin.detach(invoice_id, intent_id, if_amount_paid=if_amount_paid)


def unknown_invoice(account: Account) -> Attempt:
    return detaching(account, "in_unknown", account.succeeded_intent().id)


def unknown_intent(account: Account) -> Attempt:
    return detaching(account, account.open_invoice(), "pi_unknown")


def moved_on(account: Account) -> Attempt:
    invoice = account.open_invoice(1000)
    first = account.attached_intent(invoice, 300)
    account.attached_intent(invoice, 200)
    return detaching(account, invoice, first.id, if_amount_paid=300)


def from_draft(account: Account) -> Attempt:
    return detaching(account, account.draft_invoice(), account.succeeded_intent().id)


def from_void(account: Account) -> Attempt:
    invoice = account.open_invoice()
    intent = account.default_intent(invoice)
    account.twin.void(invoice.id)
    return detaching(account, invoice, intent.id)


def never_attached(account: Account) -> Attempt:
    return detaching(account, account.open_invoice(), account.succeeded_intent().id)


def attached_elsewhere(account: Account) -> Attempt:
    intent = account.attached_intent(account.open_invoice(), 600)
    return detaching(account, account.open_invoice(), intent.id)


def detached_before(account: Account) -> Attempt:
    invoice = account.open_invoice()
    intent = account.attached_intent(invoice, 600)
    account.twin.detach(invoice.id, intent.id)
    return detaching(account, invoice, intent.id)


def payment_canceled(account: Account) -> Attempt:
    invoice, intent = account.open_invoice(), account.intent(600)
    account.twin.attach(invoice.id, intent.id)
    account.twin.progress(intent.id, "canceled")
    return detaching(account, invoice, intent.id)


def open_default(account: Account) -> Attempt:
    invoice = account.open_invoice()
    return detaching(account, invoice, account.default_intent(invoice).id)


def credited_back(account: Account) -> Attempt:
    invoice = account.open_invoice(1000)
    intent = account.attached_intent(invoice, 1000)
    account.credit(invoice, 1, refund=1)
    return detaching(account, invoice, intent.id)


def rest_is_less_than_credited_back(account: Account) -> Attempt:
    invoice = account.open_invoice(1000)
    large = account.attached_intent(invoice, 800)
    account.attached_intent(invoice, 200)
    account.credit(invoice, 201, credit=201)
    return detaching(account, invoice, large.id)


NOT_FOUND = RefusalCode.NOT_FOUND
STALE = RefusalCode.STALE_PRECONDITION
NOT_FINALIZED = RefusalCode.INVOICE_NOT_FINALIZED
NOT_OPEN = RefusalCode.INVOICE_NOT_OPEN
NOT_ATTACHED = RefusalCode.PAYMENT_NOT_ATTACHED
IS_DEFAULT = RefusalCode.PAYMENT_IS_DEFAULT
WRONG_STATE = RefusalCode.PAYMENT_INTENT_WRONG_STATE

RULES = [
    Rule("unknown_invoice", unknown_invoice, NOT_FOUND, "no_such_object"),
    Rule("unknown_intent", unknown_intent, NOT_FOUND, "no_such_object"),
    Rule("moved_on", moved_on, STALE, "amount_paid_moved_on"),
    Rule("draft", from_draft, NOT_FINALIZED, "invoice_not_finalized"),
    Rule("void", from_void, NOT_OPEN, "invoice_not_open"),
    Rule("never_attached", never_attached, NOT_ATTACHED, "payment_not_attached"),
    Rule("attached_elsewhere", attached_elsewhere, NOT_ATTACHED, "payment_not_attached"),
    Rule("detached_before", detached_before, NOT_ATTACHED, "payment_not_attached"),
    Rule("payment_canceled", payment_canceled, NOT_ATTACHED, "payment_not_attached"),
    Rule("open_default", open_default, IS_DEFAULT, "payment_is_default"),
    Rule("credited_back", credited_back, WRONG_STATE, "payment_credited_back"),
    Rule("rest_too_small", rest_is_less_than_credited_back, WRONG_STATE, "payment_credited_back"),
]


@pytest.mark.parametrize("row", rows(RULES))
def test_detach_refuses(account: Account, row: Rule) -> None:
    """What cannot be taken off is refused by name, and nothing has changed."""
    check_refused(account, row)


def test_the_rules_of_detach_stand_in_order_of_precedence() -> None:
    """The table reads as the rules are checked, so that its order is the documentation."""
    check_in_precedence_order(RULES)


PAIRS = [
    ("stale_and_draft", "draft", "foreign", 1, STALE),
    ("stale_and_void", "void", "foreign", 1, STALE),
    ("stale_and_not_attached", "open", "foreign", 1, STALE),
    ("stale_and_default", "open", "default", 1, STALE),
    ("draft_and_not_attached", "draft", "foreign", None, NOT_FINALIZED),
    ("void_and_not_attached", "void", "foreign", None, NOT_OPEN),
    ("void_and_default", "void", "default", None, NOT_OPEN),
]


@pytest.mark.parametrize(
    ("status", "which", "if_amount_paid", "first"),
    [pytest.param(*pair, id=name) for name, *pair in PAIRS],
)
def test_detach_names_the_first_of_several_broken_rules(
    account: Account, status: str, which: str, if_amount_paid: int | None, first: RefusalCode
) -> None:
    """Where two rules are broken the earlier in the order of precedence is named."""
    invoice = account.open_invoice(1000)
    book = account.twin.book(invoice.id)
    book = replace(book, invoice=replace(book.invoice, status=status))
    intents = {"default": account.default_intent(invoice), "foreign": account.intent()}

    refusals = list(payments.detach_refusals(book, intents[which], if_amount_paid))

    assert len(refusals) >= 2
    assert refusals[0].code == first
    assert sorted_by_precedence(refusals)
