"""A machine that does to one account whatever can be done, and lets the auditor look every time.

Which operation comes next, on what and with which amounts, is hypothesis' choice alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from gateway.ledger.book import Book
from gateway.ledger.invariants import violations
from gateway.ledger.lifecycle import NEXT
from schema.ports import CreditNoteDraft, Refused
from tests.ledger.audit import differences
from tests.ledger.auditor import Auditor
from tests.ledger.builders import ADA, BOB, Account, everything
from tests.ledger.foretold import check_preview
from tests.ledger.postings import Source

Outcome = TypeVar("Outcome")

CUSTOMERS = st.sampled_from([ADA, ADA, ADA, ADA, BOB])
CURRENCIES = st.sampled_from(["usd", "usd", "usd", "usd", "eur"])
AMOUNTS = st.sampled_from([100, 200, 300, 400, 500, 1000])
DRAFTED = AMOUNTS | st.sampled_from([0, 30, -300])
ADJUSTMENTS = st.sampled_from([-400, -200, 100, 300, 700])
SHARES = st.none() | st.sampled_from([-1, 0, 50, 100, 200, 500])
STEPS = st.sampled_from(["succeeded", "succeeded", *sorted(NEXT)])
DEFAULT_STEPS = st.sampled_from(
    ["processing", "processing", "processing", "requires_payment_method", "requires_capture"]
)
PLACES = st.integers(0, 7)


class LedgerMachine(RuleBasedStateMachine):
    """Every operation of the twin, in any order, on a handful of invoices."""

    invoices: Bundle[str] = Bundle("invoices")
    drafts: Bundle[str] = Bundle("drafts")
    sources: Bundle[str] = Bundle("sources")

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.twin = self.account.twin
        self.auditor = Auditor()
        self.announced: Counter[str] = Counter()
        self.twin.listeners.append(lambda event: self.announced.update([event.type]))
        self.previewed: dict[str, Book] = {}

    def attempt(self, accepted: bool, operation: Callable[[], Outcome]) -> Outcome | None:
        """Its outcome if it had to be accepted; a refusal must leave everything as it was."""
        if accepted:
            return operation()
        before = everything(self.twin)
        with pytest.raises(Refused):
            operation()
        assert everything(self.twin) == before
        return None

    @initialize(target=invoices, amounts=st.lists(AMOUNTS, min_size=2, max_size=3))
    def some_open_invoices(self, amounts: list[int]) -> MultipleResults[str]:
        ids = [self.new_draft(amount, ADA, "usd") for amount in amounts]
        for invoice_id in ids:
            self.finalize(invoice_id)
        return multiple(*ids)

    @initialize(target=sources, amounts=st.lists(AMOUNTS, min_size=2, max_size=3))
    def some_intents(self, amounts: list[int]) -> MultipleResults[str]:
        return multiple(*(self.new_intent(amount, ADA, "usd") for amount in amounts))

    def new_draft(self, amount: int, customer: str, currency: str) -> str:
        draft = self.account.draft_invoice(amount, customer_id=customer, currency=currency)
        self.auditor.drafted(draft.id, customer, currency, amount)
        return draft.id

    def new_intent(self, amount: int, customer: str, currency: str) -> str:
        intent = self.account.intent(amount, customer_id=customer, currency=currency)
        self.auditor.came(intent)
        return intent.id

    @rule(target=drafts, amount=DRAFTED, customer=CUSTOMERS, currency=CURRENCIES)
    def create_draft(self, amount: int, customer: str, currency: str) -> str:
        return self.new_draft(amount, customer, currency)

    @rule(credit=ADJUSTMENTS, customer=CUSTOMERS, currency=CURRENCIES)
    def adjust_balance(self, credit: int, customer: str, currency: str) -> None:
        """A balance transaction by hand: a credit above zero, a debit below."""
        self.account.adjust(credit, customer, currency)
        self.auditor.adjusted(customer, currency, credit)

    @rule(target=invoices, draft=consumes(drafts))
    def finalize_draft(self, draft: str) -> str:
        self.finalize(draft)
        return draft

    @rule(draft=consumes(drafts), source=sources)
    def try_everything_on_a_draft_and_delete_it(self, draft: str, source: str) -> None:
        for refused in (self.pay, self.pay_out_of_band, self.void, self.mark_uncollectible):
            refused(draft)
        self.attach(draft, source, None)
        self.detach(draft, source)
        self.attempt(True, lambda: self.twin.delete_draft(draft))
        self.auditor.deleted(draft)

    @rule(invoice=invoices)
    def try_what_only_drafts_can(self, invoice: str) -> None:
        self.attempt(False, lambda: self.twin.delete_draft(invoice))
        self.finalize(invoice)

    def finalize(self, invoice: str) -> None:
        is_draft = self.auditor.status(invoice) == "draft"
        if self.attempt(is_draft, lambda: self.twin.finalize(invoice, number=f"N-{invoice}")):
            self.auditor.finalized(invoice)

    @rule(target=sources, amount=AMOUNTS, customer=CUSTOMERS, currency=CURRENCIES)
    def create_intent(self, amount: int, customer: str, currency: str) -> str:
        return self.new_intent(amount, customer, currency)

    @rule(target=sources, amount=AMOUNTS, customer=st.none() | CUSTOMERS, currency=CURRENCIES)
    def report_record(self, amount: int, customer: str | None, currency: str) -> str:
        record = self.account.record(amount, customer_id=customer, currency=currency)
        self.auditor.came(record)
        return record.id

    @rule(source=sources, step=STEPS, half=st.booleans())
    def progress_source(self, source: str, step: str, half: bool) -> None:
        if not self.auditor.sources[source].is_record:
            self.progress(source, step, half)

    @rule(invoice=invoices, step=DEFAULT_STEPS | STEPS, half=st.booleans())
    def progress_default(self, invoice: str, step: str, half: bool) -> None:
        """Above all to where it can no longer follow what remains."""
        default = self.auditor.open_default(invoice)
        if default is not None:
            self.progress(default.source, step, half)

    @rule(place=PLACES, half=st.booleans())
    def bring_the_money_of_an_open_payment(self, place: int, half: bool) -> None:
        links = [one for one in self.auditor.links.values() if one.status == "open"]
        if links:
            self.progress(links[place % len(links)].source, "succeeded", half)

    def progress(self, intent: str, step: str, half: bool) -> None:
        amount = self.auditor.sources[intent].amount
        received = amount // 2 if half and step == "succeeded" else None
        accepted = self.auditor.may_progress(intent, step) and received != 0
        if self.attempt(
            accepted, lambda: self.twin.progress(intent, step, amount_received=received)
        ):
            self.auditor.progressed(intent, step, received)

    @rule(target=sources, invoice=invoices, amount=AMOUNTS, step=st.none() | STEPS)
    def attach_a_new_intent(self, invoice: str, amount: int, step: str | None) -> str:
        """It may have got anywhere before it is attached, and it fits while something remains."""
        sheet, remaining = self.auditor.sheets[invoice], self.auditor.remaining(invoice)
        intent = self.new_intent(min(amount, remaining or amount), sheet.customer, sheet.currency)
        if step is not None:
            self.progress(intent, step, half=False)
        self.attach(invoice, intent, None)
        return intent

    @rule(invoice=invoices, place=PLACES, parts=st.integers(1, 3))
    def attach_what_fits(self, invoice: str, place: int, parts: int) -> None:
        """All or a part of what is free and remains: of a record, or of what was detached."""
        shares = [
            (source.id, self.fitting_share(invoice, source) // parts)
            for source in self.auditor.sources.values()
        ]
        fitting = [one for one in shares if self.auditor.may_attach(invoice, *one)]
        if fitting:
            self.attach(invoice, *fitting[place % len(fitting)])

    @rule(invoice=invoices, other=invoices, amount=AMOUNTS, half=st.booleans())
    def share_a_new_intent(self, invoice: str, other: str, amount: int, half: bool) -> None:
        """One open intent behind two payments, and perhaps not enough money for both."""
        sheet = self.auditor.sheets[invoice]
        intent = self.new_intent(amount, sheet.customer, sheet.currency)
        for one in (invoice, other):
            self.attach(one, intent, self.fitting_share(one, self.auditor.sources[intent]) // 2)
        self.progress(intent, "succeeded", half)

    def fitting_share(self, invoice: str, source: Source) -> int:
        free = source.whole - self.auditor.claimed_elsewhere(source.id, invoice)
        return min(free, self.auditor.remaining(invoice))

    @rule(invoice=invoices, source=sources, share=SHARES)
    def attach(self, invoice: str, source: str, share: int | None) -> None:
        accepted = self.auditor.may_attach(invoice, source, share)
        payment = self.attempt(
            accepted, lambda: self.twin.attach(invoice, source, amount_requested=share)
        )
        if payment is not None:
            self.auditor.attached(payment.id, invoice, source, share)

    @rule(invoice=invoices, other=invoices, place=PLACES, share=SHARES)
    def attach_a_source_of(self, invoice: str, other: str, place: int, share: int | None) -> None:
        links = self.auditor.of(other)
        if links:
            self.attach(invoice, links[place % len(links)].source, share)

    @rule(place=PLACES)
    def detach_what_is_attached(self, place: int) -> None:
        links = [
            one
            for one in self.auditor.links.values()
            if self.auditor.may_detach(one.invoice, one.source)
        ]
        if links:
            link = links[place % len(links)]
            self.detach(link.invoice, link.source)

    @rule(invoice=invoices, place=PLACES)
    def detach_any_payment(self, invoice: str, place: int) -> None:
        links = self.auditor.of(invoice)
        if links:
            self.detach(invoice, links[place % len(links)].source)

    @rule(invoice=invoices, source=sources)
    def detach(self, invoice: str, source: str) -> None:
        if self.attempt(
            self.auditor.may_detach(invoice, source), lambda: self.twin.detach(invoice, source)
        ):
            self.auditor.detached(invoice, source)

    @rule(invoice=invoices)
    def pay(self, invoice: str) -> None:
        default = self.auditor.open_default(invoice)
        accepted = self.auditor.may_be_paid(invoice) and default is not None
        if self.attempt(accepted, lambda: self.twin.pay(invoice)) and default is not None:
            received = min(default.requested, self.auditor.remaining(invoice))
            self.auditor.progressed(default.source, "succeeded", received)

    @rule(invoice=invoices)
    def pay_out_of_band(self, invoice: str) -> None:
        accepted = self.auditor.may_be_paid(invoice)
        if self.attempt(accepted, lambda: self.twin.pay_out_of_band(invoice)):
            self.auditor.paid_elsewhere(invoice)

    @rule(invoice=invoices, really=st.sampled_from([False, False, True]))
    def void(self, invoice: str, really: bool = True) -> None:
        """Seldom where it is accepted, as little can happen afterwards."""
        accepted = self.auditor.may_void(invoice)
        if accepted and not really:
            return
        if self.attempt(accepted, lambda: self.twin.void(invoice)):
            self.auditor.voided(invoice)

    @rule(invoice=invoices)
    def mark_uncollectible(self, invoice: str) -> None:
        accepted = self.auditor.may_mark_uncollectible(invoice)
        if self.attempt(accepted, lambda: self.twin.mark_uncollectible(invoice)):
            self.auditor.marked_uncollectible(invoice)

    @rule(
        invoice=invoices,
        amount=st.sampled_from([0, 50, 100, 300, 1000]),
        quarters=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        off_by=st.sampled_from([0, 0, 0, 0, 1]),
    )
    def credit(self, invoice: str, amount: int, quarters: tuple[int, int], off_by: int) -> None:
        """What is given back is refunded, credited and given elsewhere, in any proportion."""
        _, back = self.auditor.split(invoice, amount)
        refund, balance = (back * quarter // 4 for quarter in quarters)
        elsewhere = back - refund - balance + off_by
        draft = CreditNoteDraft(
            invoice, amount, refund=refund, credit=balance, out_of_band=elsewhere
        )
        accepted = self.auditor.may_credit(invoice, amount, refund + balance + elsewhere, refund)
        if self.attempt(accepted, lambda: self.twin.credit(draft)):
            self.auditor.credited(invoice, amount, balance, refund)

    @invariant()
    def the_auditor_agrees(self) -> None:
        assert differences(self.auditor, self.twin, self.announced) == []

    @invariant()
    def nothing_is_violated(self) -> None:
        for invoice in self.twin.invoices:
            assert list(violations(self.twin.book(invoice.id))) == []

    @invariant()
    def previews_agree_with_detach(self) -> None:
        for invoice in self.twin.invoices:
            book = self.twin.book(invoice.id)
            if self.previewed.get(invoice.id) == book:
                continue
            self.previewed[invoice.id] = book
            for payment in book.payments:
                check_preview(book, payment)
