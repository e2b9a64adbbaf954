"""What the auditor writes down: facts that were accepted, and no totals.

Source, Link and Sheet stand for a PaymentIntent or record, an InvoicePayment and an Invoice.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Source:
    """An intent or a payment record, which has `succeeded` from the start."""

    id: str
    customer: str | None
    currency: str
    amount: int
    status: str
    received: int = 0

    @property
    def is_record(self) -> bool:
        return self.id.startswith("pr_")

    @property
    def whole(self) -> int:
        return self.received if self.status == "succeeded" else self.amount


@dataclass(slots=True)
class Link:
    """One payment of one invoice by one source."""

    id: str
    invoice: str
    source: str
    requested: int
    is_default: bool = False
    status: str = "open"
    paid: int | None = None

    @property
    def live(self) -> bool:
        return self.status != "canceled"

    @property
    def claim(self) -> int:
        """What it takes of its source."""
        if not self.live:
            return 0
        return self.requested if self.paid is None else self.paid


@dataclass(frozen=True, slots=True)
class Note:
    """A credit note: what it waived, what it gave back, and how much of that as balance and as a
    refund."""

    waived: int
    given_back: int
    as_balance: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What was put on a customer's balance by hand; a debit is below zero."""

    customer: str
    currency: str
    credit: int


@dataclass(slots=True)
class Sheet:
    """One invoice: what was asked for, and what happened to it. `credit_before` stood in the
    customer's favour at finalization, and `by_balance` of the asked was taken from it."""

    id: str
    customer: str
    currency: str
    asked: int
    credit_before: int = 0
    by_balance: int = 0
    finalized: bool = False
    voided: bool = False
    uncollectible: bool = False
    elsewhere: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    was_paid: bool = False
    awaits_default: bool = False

    @property
    def held(self) -> int:
        """What it holds of the customer's balance; voided, it has given everything back."""
        return 0 if self.voided else self.by_balance
