"""What a fixtures file holds once it is read, and the refusal of one that contradicts itself.

Names only: how a file becomes this stands in `fixtures_read`, what must hold in `fixtures_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ledger.invariants import Violation
from schema import records

PREFIXES: Mapping[str, str] = {
    "customers": records.Customer.prefix,
    "payment_intents": records.PaymentIntent.prefix,
    "payment_records": records.PaymentRecord.prefix,
    "charges": records.Charge.prefix,
    "invoices": records.Invoice.prefix,
    "invoice_payments": records.InvoicePayment.prefix,
    "credit_notes": records.CreditNote.prefix,
}
"""The lists of a file, each with the prefix of its objects' ids."""

WHOLE_FILE = "fixtures"
"""Stands for an id where a problem belongs to no object."""


@dataclass(frozen=True, slots=True)
class Fixtures:
    """The state of one account. Every list is in order of creation, ties in the file's order."""

    customers: tuple[records.Customer, ...] = ()
    deleted_customers: tuple[str, ...] = ()
    customer_accounts: tuple[tuple[str, str], ...] = ()
    """Ids of objects, each with the account that is its customer."""
    payment_intents: tuple[records.PaymentIntent, ...] = ()
    payment_records: tuple[records.PaymentRecord, ...] = ()
    charges: tuple[records.Charge, ...] = ()
    invoices: tuple[records.Invoice, ...] = ()
    invoice_payments: tuple[records.InvoicePayment, ...] = ()
    credit_notes: tuple[records.CreditNote, ...] = ()
    lines: tuple[records.InvoiceLineItem, ...] = ()


class FixturesRefused(Exception):
    """The file was refused and nothing was loaded. `count` is all problems, not only those kept."""

    def __init__(self, violations: Sequence[Violation], count: int | None = None) -> None:
        self.violations = tuple(violations)
        self.count = len(self.violations) if count is None else count
        super().__init__(self._text())

    def _text(self) -> str:
        noun = "problem" if self.count == 1 else "problems"
        lines = [f"the fixtures have {self.count} {noun}", *map(str, self.violations)]
        more = self.count - len(self.violations)
        return "\n".join([*lines, f"and {more} more"] if more else lines)
