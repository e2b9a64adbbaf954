"""Which credit notes are refused, and which rule is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ledger import credit_notes
from schema.ports import CreditNoteDraft, RefusalCode, Refused
from tests.ledger.builders import Account
from tests.ledger.rules import Rule, check_in_precedence_order, check_refused, rows

Draft = Callable[[Account], CreditNoteDraft]


def crediting(draft: Draft) -> Callable[[Account], Callable[[], object]]:
    """Tries to issue the note that the account is arranged for."""

    def arranged(account: Account) -> Callable[[], object]:
        note = draft(account)
        return lambda: account.twin.credit(note)

    return arranged


def unknown_invoice(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft("in_unknown", 100)


def draft(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.draft_invoice().id, 100)


def void(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.void_invoice().id, 100)


def uncollectible(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.uncollectible_invoice().id, 100)


def zero(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.open_invoice().id, 0)


def negative(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.open_invoice().id, -100)


def negative_refund(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice().id, 100, refund=-100, credit=200)


def negative_credit(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice().id, 100, credit=-100, refund=200)


def negative_out_of_band(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice().id, 100, out_of_band=-100, refund=200)


def parts_missing(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice().id, 100)


def parts_too_small(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice().id, 100, refund=60, credit=39)


def parts_too_large(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.half_paid_invoice().id, 500, refund=60, credit=41)


def parts_without_need(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.open_invoice(1000).id, 400, refund=1)


def beyond_paid(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice(1000).id, 1001, refund=1001)


def beyond_open_and_paid(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.half_paid_invoice().id, 1001, refund=601)


def beyond_what_is_left(account: Account) -> CreditNoteDraft:
    invoice = account.paid_invoice(1000)
    account.credit(invoice, 700, refund=700)
    return CreditNoteDraft(invoice.id, 301, credit=301)


INVALID = RefusalCode.AMOUNT_INVALID
NOT_OPEN = RefusalCode.INVOICE_NOT_OPEN
TOO_LARGE = RefusalCode.AMOUNT_TOO_LARGE

DRAFTS: list[tuple[str, Draft, RefusalCode, str]] = [
    ("unknown_invoice", unknown_invoice, RefusalCode.NOT_FOUND, "no_such_object"),
    ("draft", draft, RefusalCode.INVOICE_NOT_FINALIZED, "invoice_not_finalized"),
    ("void", void, NOT_OPEN, "invoice_not_open_or_paid"),
    ("uncollectible", uncollectible, NOT_OPEN, "invoice_not_open_or_paid"),
    ("zero", zero, INVALID, "amount_invalid"),
    ("negative", negative, INVALID, "amount_invalid"),
    ("negative_refund", negative_refund, INVALID, "amount_invalid"),
    ("negative_credit", negative_credit, INVALID, "amount_invalid"),
    ("negative_out_of_band", negative_out_of_band, INVALID, "amount_invalid"),
    ("parts_missing", parts_missing, INVALID, "amount_invalid"),
    ("parts_too_small", parts_too_small, INVALID, "amount_invalid"),
    ("parts_too_large", parts_too_large, INVALID, "amount_invalid"),
    ("parts_without_need", parts_without_need, INVALID, "amount_invalid"),
    ("beyond_paid", beyond_paid, TOO_LARGE, "credit_exceeds_paid"),
    ("beyond_open_and_paid", beyond_open_and_paid, TOO_LARGE, "credit_exceeds_paid"),
    ("beyond_what_is_left", beyond_what_is_left, TOO_LARGE, "credit_exceeds_paid"),
]
RULES = [Rule(name, crediting(make), code, rule) for name, make, code, rule in DRAFTS]


@pytest.mark.parametrize("row", rows(RULES))
def test_credit_refuses(account: Account, row: Rule) -> None:
    """A note that cannot be issued is refused by name, and nothing has changed."""
    check_refused(account, row)


def test_the_rules_of_credit_stand_in_order_of_precedence() -> None:
    """The table reads as the rules are checked, so that its order is the documentation."""
    check_in_precedence_order(RULES)


def draft_and_zero(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.draft_invoice().id, 0)


def void_and_negative(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.void_invoice().id, -1)


def parts_wrong_and_beyond_paid(account: Account) -> CreditNoteDraft:
    return CreditNoteDraft(account.paid_invoice(1000).id, 1001, refund=1000)


PAIRS = [
    Rule(
        "draft_zero",
        crediting(draft_and_zero),
        RefusalCode.INVOICE_NOT_FINALIZED,
        "invoice_not_finalized",
    ),
    Rule("void_negative", crediting(void_and_negative), NOT_OPEN, "invoice_not_open_or_paid"),
    Rule("parts_and_beyond", crediting(parts_wrong_and_beyond_paid), INVALID, "amount_invalid"),
]


@pytest.mark.parametrize("row", rows(PAIRS))
def test_credit_names_the_first_of_several_broken_rules(account: Account, row: Rule) -> None:
    """Where two rules are broken the earlier in the order of precedence is named."""
    check_refused(account, row)


@pytest.mark.parametrize(
    ("make", "code"), [pytest.param(row[1], row[2], id=row[0]) for row in DRAFTS[1:]]
)
def test_the_preview_refuses_what_issuing_refuses(
    account: Account, make: Draft, code: RefusalCode
) -> None:
    """Someone decides by the preview, so it must say no exactly where issuing would."""
    note = make(account)
    book = account.twin.book(note.invoice_id)

    with pytest.raises(Refused) as caught:
        credit_notes.preview(book, note)

    assert caught.value.code == code
