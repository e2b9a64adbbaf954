"""Which of Stripe's events a change announces. Stripe promises no order, so neither do these."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ledger.builders import Account

Change = Callable[[], object]


def create_draft(account: Account) -> Change:
    return account.draft_invoice


def delete_draft(account: Account) -> Change:
    draft = account.draft_invoice()
    return lambda: account.twin.delete_draft(draft.id)


def finalize(account: Account) -> Change:
    draft = account.draft_invoice()
    return lambda: account.twin.finalize(draft.id, number="N-1")


def finalize_zero(account: Account) -> Change:
    draft = account.draft_invoice(0)
    return lambda: account.twin.finalize(draft.id, number="N-1")


def attach_open(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.intent(600)
    return lambda: account.twin.attach(invoice.id, intent.id)


def attach_part(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    return lambda: account.twin.attach(invoice.id, intent.id)


def attach_whole(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(1000)
    return lambda: account.twin.attach(invoice.id, intent.id)


def attach_record(account: Account) -> Change:
    invoice, record = account.open_invoice(1000), account.record(600)
    return lambda: account.twin.attach(invoice.id, record.id)


def detach_open(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.intent(600)
    account.twin.attach(invoice.id, intent.id)
    return lambda: account.twin.detach(invoice.id, intent.id)


def detach_part(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    account.twin.attach(invoice.id, intent.id)
    return lambda: account.twin.detach(invoice.id, intent.id)


def detach_whole(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(1000)
    account.twin.attach(invoice.id, intent.id)
    return lambda: account.twin.detach(invoice.id, intent.id)


def pay(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.twin.pay(invoice.id)


def pay_out_of_band(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.twin.pay_out_of_band(invoice.id)


def void(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.twin.void(invoice.id)


def mark_uncollectible(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.twin.mark_uncollectible(invoice.id)


def credit_part(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.credit(invoice, 300)


def credit_last(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    return lambda: account.credit(invoice, 1000)


def credit_back(account: Account) -> Change:
    invoice = account.paid_invoice(1000)
    return lambda: account.credit(invoice, 300, refund=300)


def intent_created(account: Account) -> Change:
    return account.intent


def intent_moves(status: str) -> Callable[[Account], Change]:
    def change(account: Account) -> Change:
        intent = account.intent()
        return lambda: account.twin.progress(intent.id, status)

    return change


def intent_fails(account: Account) -> Change:
    intent = account.intent()
    account.twin.progress(intent.id, "processing")
    return lambda: account.twin.progress(intent.id, "requires_payment_method")


def attached_intent_succeeds(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.intent(600)
    account.twin.attach(invoice.id, intent.id)
    return lambda: account.twin.progress(intent.id, "succeeded")


def attached_intent_canceled(account: Account) -> Change:
    invoice, intent = account.open_invoice(1000), account.intent(600)
    account.twin.attach(invoice.id, intent.id)
    return lambda: account.twin.progress(intent.id, "canceled")


def shared_intent_succeeds(account: Account) -> Change:
    intent = account.intent(1000)
    for amount in (400, 600):
        account.twin.attach(account.open_invoice(1000).id, intent.id, amount_requested=amount)
    return lambda: account.twin.progress(intent.id, "succeeded")


def share_that_gets_nothing(account: Account) -> Change:
    intent = account.intent(1000)
    for amount in (400, 600):
        account.twin.attach(account.open_invoice(1000).id, intent.id, amount_requested=amount)
    return lambda: account.twin.progress(intent.id, "succeeded", amount_received=400)


def overpays_open(account: Account) -> Change:
    invoice = account.open_invoice(1000)
    first, second = account.intent(700), account.intent(700)
    account.twin.attach(invoice.id, first.id)
    account.twin.attach(invoice.id, second.id)
    account.twin.progress(first.id, "succeeded")
    return lambda: account.twin.progress(second.id, "succeeded")


def overpays_paid(account: Account) -> Change:
    invoice, late = account.open_invoice(1000), account.intent(700)
    account.twin.attach(invoice.id, late.id)
    account.twin.attach(invoice.id, account.succeeded_intent(1000).id)
    return lambda: account.twin.progress(late.id, "succeeded")


def same_metadata(account: Account) -> Change:
    invoice = account.open_invoice(metadata=(("a", "1"),))
    return lambda: account.twin.update_metadata(invoice.id, (("a", "1"),))


def other_metadata(account: Account) -> Change:
    invoice = account.open_invoice()
    return lambda: account.twin.update_metadata(invoice.id, (("a", "1"),))


CREATED = "payment_intent.created"
CANCELED = "payment_intent.canceled"
SUCCEEDED = "payment_intent.succeeded"
PAYMENT_OPEN = "invoice_payment.open"
PAYMENT_PAID = "invoice_payment.paid"
PAYMENT_CANCELED = "invoice_payment.canceled"
DETACHED = "invoice_payment.detached"
PAID = "invoice.paid"
UPDATED = "invoice.updated"
NOTE = "credit_note.created"

ANNOUNCED: list[tuple[str, Callable[[Account], Change], list[str]]] = [
    ("create_draft", create_draft, ["invoice.created"]),
    ("delete_draft", delete_draft, ["invoice.deleted"]),
    ("finalize", finalize, ["invoice.finalized", UPDATED, CREATED, PAYMENT_OPEN]),
    ("finalize_zero", finalize_zero, ["invoice.finalized", PAID, UPDATED]),
    ("attach_open", attach_open, [PAYMENT_OPEN]),
    ("attach_part", attach_part, [PAYMENT_OPEN, PAYMENT_PAID, UPDATED]),
    (
        "attach_whole",
        attach_whole,
        [PAYMENT_OPEN, PAYMENT_PAID, PAID, UPDATED, CANCELED, PAYMENT_CANCELED],
    ),
    ("attach_record", attach_record, [PAYMENT_OPEN, PAYMENT_PAID, UPDATED]),
    ("detach_open", detach_open, [DETACHED]),
    ("detach_part", detach_part, [DETACHED, UPDATED]),
    ("detach_whole", detach_whole, [DETACHED, UPDATED, CREATED, PAYMENT_OPEN]),
    ("pay", pay, [SUCCEEDED, PAYMENT_PAID, PAID, UPDATED]),
    ("pay_out_of_band", pay_out_of_band, [PAID, UPDATED, CANCELED, PAYMENT_CANCELED]),
    ("void", void, ["invoice.voided", UPDATED, CANCELED, PAYMENT_CANCELED]),
    ("mark_uncollectible", mark_uncollectible, ["invoice.marked_uncollectible", UPDATED]),
    ("credit_part", credit_part, [NOTE, UPDATED]),
    ("credit_last", credit_last, [NOTE, PAID, UPDATED, CANCELED, PAYMENT_CANCELED]),
    ("credit_back", credit_back, [NOTE, UPDATED]),
    ("intent_created", intent_created, [CREATED]),
    ("requires_action", intent_moves("requires_action"), ["payment_intent.requires_action"]),
    ("processing", intent_moves("processing"), ["payment_intent.processing"]),
    ("capture", intent_moves("requires_capture"), ["payment_intent.amount_capturable_updated"]),
    ("confirmation", intent_moves("requires_confirmation"), []),
    ("succeeded", intent_moves("succeeded"), [SUCCEEDED]),
    ("canceled", intent_moves("canceled"), [CANCELED]),
    ("intent_fails", intent_fails, ["payment_intent.payment_failed"]),
    ("attached_intent_succeeds", attached_intent_succeeds, [SUCCEEDED, PAYMENT_PAID, UPDATED]),
    ("attached_intent_canceled", attached_intent_canceled, [CANCELED, PAYMENT_CANCELED]),
    (
        "shared_intent_succeeds",
        shared_intent_succeeds,
        [SUCCEEDED, PAYMENT_PAID, UPDATED, PAYMENT_PAID, UPDATED],
    ),
    (
        "share_without_money",
        share_that_gets_nothing,
        [SUCCEEDED, PAYMENT_PAID, PAYMENT_CANCELED, UPDATED],
    ),
    (
        "overpays_open",
        overpays_open,
        [SUCCEEDED, PAYMENT_PAID, PAID, "invoice.overpaid", UPDATED, CANCELED, PAYMENT_CANCELED],
    ),
    (
        "overpays_paid",
        overpays_paid,
        [SUCCEEDED, PAYMENT_PAID, "invoice.payment.overpaid", UPDATED],
    ),
    ("same_metadata", same_metadata, []),
    ("other_metadata", other_metadata, [UPDATED]),
]


@pytest.mark.parametrize(
    ("arranged", "types"), [pytest.param(make, types, id=name) for name, make, types in ANNOUNCED]
)
def test_a_change_announces_what_stripe_would(
    account: Account, arranged: Callable[[Account], Change], types: list[str]
) -> None:
    """Whoever listens learns of every change once, and of nothing that did not happen."""
    change = arranged(account)

    heard = account.events_of(change)

    assert sorted(event.type for event in heard) == sorted(types)
