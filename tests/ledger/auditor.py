"""An independent bookkeeper: what every object must be, worked out from what was accepted.

It keeps postings, not balances: totals are summed anew whenever they are asked for, so that no
mistake of the ledger's arithmetic can be repeated here. It also foretells whether an operation
will be accepted. It must never import the code that it audits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from schema.records import PaymentIntent, PaymentRecord
from tests.ledger.postings import Adjustment, Link, Note, Sheet, Source

CHANGEABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
ENDED = ("succeeded", "canceled")


LEAST_CHARGE = 50
"""Of US dollars and of euros alike."""


def asked_for(total: int, credit: int) -> int:
    """What credit leaves of a total; what is too little to charge is carried over as a debit."""
    left = total - credit
    return left if left >= LEAST_CHARGE else 0


@dataclass(slots=True)
class Auditor:
    """The books of one account. `heard` counts the event types that must have been announced."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    adjustments: list[Adjustment] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)

    def of(self, invoice: str) -> list[Link]:
        return [link for link in self.links.values() if link.invoice == invoice]

    def received(self, invoice: str) -> int:
        by_links = sum(link.paid or 0 for link in self.of(invoice))
        return by_links + sum(self.sheets[invoice].elsewhere)

    def due(self, invoice: str) -> int:
        sheet = self.sheets[invoice]
        if not sheet.finalized:
            return asked_for(sheet.asked, self.balance(sheet.customer, sheet.currency))
        return sheet.asked - sheet.by_balance - self.waived(invoice)

    def balance_after(self, invoice: str) -> int:
        """What finalization left in the customer's favour."""
        return self.sheets[invoice].credit_before - self.sheets[invoice].by_balance

    def waived(self, invoice: str) -> int:
        return sum(note.waived for note in self.sheets[invoice].notes)

    def given_back(self, invoice: str) -> int:
        return sum(note.given_back for note in self.sheets[invoice].notes)

    def refunded(self, invoice: str) -> int:
        return sum(note.refunded for note in self.sheets[invoice].notes)

    def paid(self, invoice: str) -> int:
        return min(self.received(invoice), self.due(invoice))

    def remaining(self, invoice: str) -> int:
        return max(0, self.due(invoice) - self.received(invoice))

    def overpaid(self, invoice: str) -> int:
        return max(0, self.received(invoice) - self.due(invoice))

    def status(self, invoice: str) -> str:
        sheet = self.sheets[invoice]
        if not sheet.finalized:
            return "draft"
        if sheet.voided:
            return "void"
        if self.remaining(invoice) == 0:
            return "paid"
        return "uncollectible" if sheet.uncollectible else "open"

    def balance(self, customer: str, currency: str) -> int:
        """What is in the customer's favour, by the law of conservation: all that ever came in
        (overpayments, notes given as balance, adjustments), less what invoices hold of it."""
        of_invoices = sum(
            self.overpaid(sheet.id) + sum(note.as_balance for note in sheet.notes) - sheet.held
            for sheet in self.sheets.values()
            if sheet.finalized and (sheet.customer, sheet.currency) == (customer, currency)
        )
        return of_invoices + sum(
            one.credit
            for one in self.adjustments
            if (one.customer, one.currency) == (customer, currency)
        )

    def claimed_elsewhere(self, source: str, invoice: str) -> int:
        return sum(
            link.claim
            for link in self.links.values()
            if link.source == source and link.invoice != invoice
        )

    def live_link(self, invoice: str, source: str) -> Link | None:
        found = [one for one in self.of(invoice) if one.source == source and one.live]
        return found[0] if found else None

    def open_default(self, invoice: str) -> Link | None:
        found = [one for one in self.of(invoice) if one.is_default and one.status == "open"]
        return found[0] if found else None

    def is_under_way(self, invoice: str) -> bool:
        default = self.open_default(invoice)
        return default is not None and self.sources[default.source].status == "processing"

    def may_attach(self, invoice: str, source_id: str, requested: int | None) -> bool:
        sheet, source = self.sheets[invoice], self.sources[source_id]
        claimed = self.claimed_elsewhere(source_id, invoice)
        amount = source.whole if requested is None else requested
        nobodys_record = source.is_record and source.customer is None
        return (
            self.status(invoice) in ("open", "uncollectible")
            and source.currency == sheet.currency
            and (source.customer == sheet.customer or nobodys_record)
            and self.live_link(invoice, source_id) is None
            and not (claimed and requested is None)
            and source.status != "canceled"
            and 0 < amount <= min(source.whole - claimed, self.remaining(invoice))
        )

    def may_detach(self, invoice: str, source: str) -> bool:
        link = self.live_link(invoice, source)
        if link is None or self.status(invoice) in ("draft", "void"):
            return False
        if self.sources[source].is_record:
            return False
        stays = self.received(invoice) - (link.paid or 0)
        is_kept = link.is_default and link.status == "open"
        by_balance = max(0, self.sheets[invoice].by_balance)
        return (
            not is_kept
            and self.given_back(invoice) <= stays + by_balance
            and self.refunded(invoice) <= stays
        )

    def split(self, invoice: str, amount: int) -> tuple[int, int]:
        """How a credit note over this amount is waived and given back."""
        waived = min(amount, self.remaining(invoice))
        return waived, amount - waived

    def may_credit(self, invoice: str, amount: int, parts: int, refund: int) -> bool:
        """Notes give back no more than was asked for, and refund no more than was paid."""
        _, back = self.split(invoice, amount)
        credited = self.waived(invoice) + self.given_back(invoice)
        return (
            self.status(invoice) in ("open", "paid")
            and amount > 0
            and parts == back
            and amount + credited <= self.sheets[invoice].asked
            and refund + self.refunded(invoice) <= self.paid(invoice)
        )

    def may_void(self, invoice: str) -> bool:
        return (
            self.status(invoice) in ("open", "uncollectible")
            and self.received(invoice) == 0
            and not self.waits_for_attached(invoice)
            and not self.is_under_way(invoice)
        )

    def may_mark_uncollectible(self, invoice: str) -> bool:
        return self.status(invoice) == "open" and not self.waits_for_attached(invoice)

    def waits_for_attached(self, invoice: str) -> bool:
        return any(one.status == "open" and not one.is_default for one in self.of(invoice))

    def may_be_paid(self, invoice: str) -> bool:
        is_payable = self.status(invoice) in ("open", "uncollectible")
        return is_payable and not self.is_under_way(invoice)

    def may_progress(self, source_id: str, status: str) -> bool:
        now = self.sources[source_id].status
        if status == "canceled" and self.is_kept_by_invoice(source_id):
            return False
        if now in CHANGEABLE:
            return status != now
        if now == "processing":
            return status in ("requires_payment_method", "requires_capture", "succeeded")
        return now == "requires_capture" and status in ENDED

    def is_kept_by_invoice(self, source: str) -> bool:
        """Whether it is behind an open default payment."""
        return any(
            one.source == source and one.is_default and one.status == "open"
            for one in self.links.values()
        )

    def drafted(self, invoice: str, customer: str, currency: str, asked: int) -> None:
        self.sheets[invoice] = Sheet(invoice, customer, currency, asked)

    def deleted(self, invoice: str) -> None:
        del self.sheets[invoice]

    def adjusted(self, customer: str, currency: str, credit: int) -> None:
        self.adjustments.append(Adjustment(customer, currency, credit))

    def finalized(self, invoice: str) -> None:
        sheet = self.sheets[invoice]
        sheet.credit_before = self.balance(sheet.customer, sheet.currency)
        sheet.by_balance = sheet.asked - asked_for(sheet.asked, sheet.credit_before)
        sheet.finalized = True
        self.heard["invoice.finalized"] += 1
        self._settle(invoice)

    def came(self, source: PaymentIntent | PaymentRecord) -> None:
        is_record = isinstance(source, PaymentRecord)
        self.sources[source.id] = Source(
            source.id,
            source.customer_id,
            source.currency,
            source.amount,
            "succeeded" if is_record else "requires_payment_method",
            source.amount if is_record else 0,
        )

    def attached(self, payment: str, invoice: str, source_id: str, requested: int | None) -> None:
        source = self.sources[source_id]
        amount = source.whole if requested is None else requested
        self.links[payment] = Link(payment, invoice, source_id, amount)
        if source.status == "succeeded":
            self._pay(self.links[payment], amount)
        self._settle(invoice)

    def detached(self, invoice: str, source: str) -> None:
        link = self.live_link(invoice, source)
        assert link is not None
        del self.links[link.id]
        self.heard["invoice_payment.detached"] += 1
        self._settle(invoice)

    def progressed(self, source_id: str, status: str, received: int | None) -> None:
        source = self.sources[source_id]
        source.status = status
        behind = [
            one for one in self.links.values() if one.source == source_id and one.status == "open"
        ]
        if status == "succeeded":
            source.received = left = source.amount if received is None else received
            self.heard["payment_intent.succeeded"] += 1
            for link in behind:
                share = min(link.requested, left)
                left -= share
                self._pay(link, share)
        if status == "canceled":
            self.heard["payment_intent.canceled"] += 1
            for link in behind:
                link.status = "canceled"
        for link in behind:
            self._settle(link.invoice)

    def paid_elsewhere(self, invoice: str) -> None:
        self.sheets[invoice].elsewhere.append(self.remaining(invoice))
        self._settle(invoice)

    def voided(self, invoice: str) -> None:
        self.sheets[invoice].voided = True
        self.heard["invoice.voided"] += 1
        self._settle(invoice)

    def marked_uncollectible(self, invoice: str) -> None:
        self.sheets[invoice].uncollectible = True
        self.heard["invoice.marked_uncollectible"] += 1

    def credited(self, invoice: str, amount: int, as_balance: int, refund: int) -> None:
        self.sheets[invoice].notes.append(Note(*self.split(invoice, amount), as_balance, refund))
        self.heard["credit_note.created"] += 1
        self._settle(invoice)

    def _pay(self, link: Link, amount: int) -> None:
        link.status = "paid" if amount else "canceled"
        if amount:
            link.paid = amount
            self.heard["invoice_payment.paid"] += 1

    def _settle(self, invoice: str) -> None:
        """The consequences: paid or reopened, and a default payment in step with what remains."""
        sheet, status, default = (
            self.sheets[invoice],
            self.status(invoice),
            self.open_default(invoice),
        )
        if status == "paid":
            sheet.uncollectible = False
            self.heard["invoice.paid"] += not sheet.was_paid
        sheet.was_paid = status == "paid"
        if default is None:
            sheet.awaits_default = status == "open"
            return
        source = self.sources[default.source]
        if status in ("open", "uncollectible"):
            if source.status in CHANGEABLE:
                default.requested = source.amount = self.remaining(invoice)
        elif source.status != "processing":
            default.status = source.status = "canceled"
            self.heard["payment_intent.canceled"] += 1
