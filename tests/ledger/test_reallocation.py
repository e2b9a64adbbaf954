"""Moving a payment between two invoices: its rules together, and what it leaves alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.memory.backend import both_invoices
from gateway.ledger.invariants import violations
from gateway.ledger.reallocation import (
    Reallocation,
    reallocation_preview,
    reallocation_refusals,
)
from schema.ports import PRECEDENCE, CreditNoteDraft, ReallocatePayment, RefusalCode, Viewer
from schema.records import InvoicePayment
from tests.ledger.builders import Account

ANYBODY = Viewer("ledger")


@dataclass(slots=True)
class Scene:
    """Two invoices with payments of their own, and one on the first that is to move."""

    account: Account
    asked: ReallocatePayment

    def both(self) -> Reallocation:
        return both_invoices(self.account.twin, ANYBODY, self.asked)

    def others(self) -> list[InvoicePayment]:
        """Every payment of both invoices that nobody has asked to move, save the open defaults,
        which Stripe keeps in step."""
        ids = (self.asked.from_invoice_id, self.asked.to_invoice_id)
        return sorted(
            (
                one
                for one in self.account.twin.invoice_payments
                if one.invoice_id in ids
                and one.source_id != self.asked.payment_intent_id
                and not one.is_default
            ),
            key=lambda one: one.id,
        )

    def move(self) -> None:
        twin, asked = self.account.twin, self.asked
        twin.detach(asked.from_invoice_id, asked.payment_intent_id)
        twin.attach(
            asked.to_invoice_id, asked.payment_intent_id, amount_requested=asked.amount_requested
        )


AMOUNTS = st.integers(1, 900)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Amounts, whether money has come, shares on a third invoice, and what is asked for."""
    account = Account()
    source, target, third = (account.open_invoice(draw(AMOUNTS) + 900) for _ in range(3))
    for invoice in (source, target):
        for amount in draw(st.lists(st.integers(1, 300), max_size=3)):
            account.attached_intent(invoice, amount)
    amount = draw(AMOUNTS)
    is_settled = draw(st.booleans())
    intent = account.succeeded_intent(amount) if is_settled else account.intent(amount)
    share = draw(st.none() | st.integers(1, amount))
    if share is not None and share < amount and draw(st.booleans()):
        account.twin.attach(third.id, intent.id, amount_requested=amount - share)
    remaining = account.twin.invoice(source.id).amount_remaining
    on_source = share if share is not None else amount
    if on_source <= remaining:
        account.twin.attach(source.id, intent.id, amount_requested=share)
    requested = draw(st.none() | st.integers(0, amount + 5))
    return Scene(account, ReallocatePayment(intent.id, source.id, target.id, "k", requested))


@given(scenes())
def test_what_is_allowed_moves_and_leaves_all_else_alone(scene: Scene) -> None:
    """The other payments of both invoices are the very same, always; the money adds up; the intent
    is on the other invoice and not on the first; and all is as the preview said."""
    twin, asked = scene.account.twin, scene.asked
    both, others = scene.both(), scene.others()
    preview = reallocation_preview(both, asked)
    if not preview.allowed:
        assert preview.blocked_by
        return

    scene.move()

    assert scene.others() == others
    left, entered = (twin.book(one) for one in (asked.from_invoice_id, asked.to_invoice_id))
    assert left.live_payment_by(asked.payment_intent_id) is None
    moved = entered.live_payment_by(asked.payment_intent_id)
    assert moved is not None
    assert moved.amount_requested == (asked.amount_requested or both.intent.amount)
    for before, after, side in (
        (both.source, left, preview.from_invoice),
        (both.target, entered, preview.to_invoice),
    ):
        assert list(violations(after)) == []
        assert side is not None
        invoice = after.invoice
        assert (side.status, side.amount_paid) == (invoice.status, invoice.amount_paid)
        assert (side.amount_remaining, side.amount_overpaid) == (
            invoice.amount_remaining,
            invoice.amount_overpaid,
        )
        known = {one.id for one in before.payments}
        fresh = [one for one in after.payments if one.is_default and one.id not in known]
        assert side.creates_default_payment_intent is bool(fresh)
        gone = before.open_default if after.open_default is None else None
        assert side.canceled_default_payment_id == (gone.id if gone else None)
    was = both.payment.amount_paid if both.payment else None
    assert left.credited == both.source.credited - (was or 0)
    assert entered.credited == both.target.credited + (moved.amount_paid or 0)


@given(scenes())
def test_what_is_refused_is_refused_by_its_steps_too(scene: Scene) -> None:
    """No rule of its own stands in the way of what two writes could do: if it is refused, one of
    the two would be."""
    if not reallocation_refusals(scene.both(), scene.asked):
        return

    with pytest.raises(Exception, match=r".") as refused:
        scene.move()

    assert getattr(refused.value, "code", None) in PRECEDENCE


@given(scenes())
def test_rules_come_in_order_of_precedence(scene: Scene) -> None:
    codes = [one.code for one in reallocation_refusals(scene.both(), scene.asked)]

    assert all(PRECEDENCE.index(a) <= PRECEDENCE.index(b) for a, b in pairwise(codes))


def test_what_credit_notes_have_given_back_stays() -> None:
    """Else refunded money would pay a second invoice."""
    account = Account()
    source, target = account.paid_invoice(1000), account.open_invoice(1000)
    (payment,) = [one for one in account.payments(source) if one.status == "paid"]
    account.twin.credit(CreditNoteDraft(source.id, 100, out_of_band=100))
    asked = ReallocatePayment(payment.source_id, source.id, target.id, "k")

    (refused,) = reallocation_refusals(both_invoices(account.twin, ANYBODY, asked), asked)

    assert refused.code is RefusalCode.PAYMENT_INTENT_WRONG_STATE
    assert refused.rule == "payment_credited_back"


def test_the_rules_of_both_steps_are_told_together() -> None:
    """One dialog shows all that stands in the way, each pointing at its own field."""
    account = Account()
    source, target = account.open_invoice(1000), account.void_invoice()
    intent = account.default_intent(source)
    asked = ReallocatePayment(intent.id, source.id, target.id, "k", 0, if_from_amount_paid=7)

    found = reallocation_refusals(both_invoices(account.twin, ANYBODY, asked), asked)

    assert [(one.code.value, one.path) for one in found] == [
        ("STALE_PRECONDITION", ("ifFromAmountPaidMinorUnits",)),
        ("INVOICE_NOT_OPEN", ("toInvoiceId",)),
        ("PAYMENT_IS_DEFAULT", ("paymentIntentId",)),
        ("AMOUNT_INVALID", ("amountRequestedMinorUnits",)),
    ]
