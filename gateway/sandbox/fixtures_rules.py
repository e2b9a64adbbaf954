"""What must hold between the objects of a fixtures file: references, sums, and every book.

An object with a problem of its own is left out of the checks that build on it, so that one
mistake is named once. The rules of a single invoice are the ledger's invariants; here stands only
what they cannot see, because it goes beyond one book.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.ledger.book import EDITABLE, Book, claim, is_live
from gateway.ledger.invariants import Violation, violations
from gateway.ledger.payments import whole
from gateway.sandbox.fixtures_fields import Problems
from gateway.sandbox.fixtures_format import Fixtures
from gateway.sandbox.fixtures_notes import type_of
from schema import records

Source = records.PaymentIntent | records.PaymentRecord | records.Charge
Linked = records.InvoicePayment | records.CreditNote
R = TypeVar("R", bound=records.Record)


def check(fixtures: Fixtures, problems: Problems) -> None:
    """Add everything that contradicts something else."""
    index = _Index(fixtures)
    for violation in (*_references(index), *_twice(fixtures.lines)):
        problems.add(violation)
    suspect = frozenset(problems.ids)
    for source in index.sources.values():
        for violation in _claims(index, source, suspect):
            problems.add(violation)
    for invoice in fixtures.invoices:
        for violation in _of_invoice(index, invoice, suspect):
            problems.add(violation)


@dataclass(slots=True)
class _Index:
    """The fixtures by id, and what belongs to each invoice and each source."""

    fixtures: Fixtures
    customers: Mapping[str, records.Customer] = field(init=False)
    invoices: Mapping[str, records.Invoice] = field(init=False)
    sources: dict[str, Source] = field(init=False)
    paying: dict[str, list[records.InvoicePayment]] = field(init=False)
    taking: dict[str, list[records.InvoicePayment]] = field(init=False)
    notes: dict[str, list[records.CreditNote]] = field(init=False)

    def __post_init__(self) -> None:
        held = self.fixtures
        self.customers, self.invoices = _by_id(held.customers), _by_id(held.invoices)
        every: tuple[Source, ...] = (*held.payment_intents, *held.payment_records, *held.charges)
        self.sources = {one.id: one for one in every}
        self.paying, self.taking = defaultdict(list), defaultdict(list)
        self.notes = defaultdict(list)
        for payment in held.invoice_payments:
            self.paying[payment.invoice_id].append(payment)
            self.taking[payment.source_id].append(payment)
        for note in held.credit_notes:
            self.notes[note.invoice_id].append(note)


def _by_id(found: tuple[R, ...]) -> dict[str, R]:
    return {one.id: one for one in found}


def _references(index: _Index) -> Iterator[Violation]:
    """Every id that stands in a record must be in the file."""
    held = index.fixtures
    with_customer: tuple[records.Invoice | Source | records.CreditNote, ...] = (
        *held.invoices,
        *held.payment_intents,
        *held.payment_records,
        *held.charges,
        *held.credit_notes,
    )
    known = index.customers.keys() | set(held.deleted_customers)
    for one in with_customer:
        yield from _known(one.id, "customer", one.customer_id, known)
    linked: tuple[Linked, ...] = (*held.invoice_payments, *held.credit_notes)
    for of_invoice in linked:
        yield from _known(of_invoice.id, "invoice", of_invoice.invoice_id, index.invoices)
    for payment in held.invoice_payments:
        place = f"payment.{payment.source_type}"
        yield from _known(payment.id, place, payment.source_id, index.sources)
        if payment.is_default and payment.source_type != "payment_intent":
            yield Violation(
                payment.id,
                "is_default",
                "must be false: only a PaymentIntent can be the default payment",
            )
    reported = _by_id(held.payment_records)
    for note in held.credit_notes:
        for at, refund in enumerate(note.refunds):
            place = f"refunds[{at}].payment_record_refund.payment_record"
            yield from _known(note.id, place, refund.payment_record_id, reported)


def _known(
    owner: str, place: str, wanted: str | None, known: Collection[str]
) -> Iterator[Violation]:
    if wanted and wanted not in known:
        yield Violation(owner, place, f"must be in this file, but {wanted} is not")


def _twice(lines: tuple[records.InvoiceLineItem, ...]) -> Iterator[Violation]:
    for line_id, times in Counter(line.id for line in lines).items():
        if times > 1:
            yield Violation(line_id, "id", f"must be unique, but {times} lines have it")


def _claims(index: _Index, source: Source, suspect: Collection[str]) -> Iterator[Violation]:
    """No source gives more than it has, nor to another customer or in another currency."""
    payments = index.taking[source.id]
    if source.id in suspect or any(one.id in suspect for one in payments):
        return
    has = source.amount if isinstance(source, records.Charge) else whole(source)
    taken = sum(map(claim, payments))
    if taken > has:
        names = ", ".join(one.id for one in payments if is_live(one))
        yield Violation(
            source.id, "amount", f"is {has}, but {names} take {taken} of it: lower what they take"
        )
    for payment in payments:
        if payment.currency != source.currency:
            yield Violation(
                payment.id, "currency", f"must be {source.currency}, as that of {source.id}"
            )
        billed = index.invoices[payment.invoice_id].customer_id
        if not isinstance(source, records.PaymentIntent) and source.customer_id not in (
            None,
            billed,
        ):
            yield Violation(payment.id, "payment", f"{source.id} belongs to another customer")


def _of_invoice(
    index: _Index, invoice: records.Invoice, suspect: Collection[str]
) -> Iterator[Violation]:
    """The ledger's invariants of its book, and what its payments and credit notes add to them."""
    payments, notes = index.paying[invoice.id], index.notes[invoice.id]
    sources = {one.source_id: index.sources.get(one.source_id) for one in payments}
    linked: tuple[Linked, ...] = (*payments, *notes)
    if any(one in suspect for one in (invoice.id, *sources, *(one.id for one in linked))):
        return
    intents = {one.id: one for one in sources.values() if isinstance(one, records.PaymentIntent)}
    customer = index.customers.get(invoice.customer_id or "")
    book = Book(invoice=invoice, payments=tuple(payments), intents=intents, customer=customer)
    yield from violations(book)
    yield from _payments(book)
    for note in notes:
        yield from _note(invoice, note)
    yield from _note_totals(invoice, notes)


def _payments(book: Book) -> Iterator[Violation]:
    live = Counter(one.source_id for one in book.payments if is_live(one))
    for one in book.payments:
        if (one.amount_paid or 0) > one.amount_requested:
            yield Violation(
                one.id,
                "amount_paid",
                f"must be at most the amount_requested {one.amount_requested}, got "
                f"{one.amount_paid}",
            )
        if is_live(one) and live[one.source_id] > 1:
            yield Violation(
                one.id, "payment", f"{one.source_id} can be attached to {one.invoice_id} only once"
            )
    default = book.open_default
    if default is None:
        return
    intent = book.intents[default.source_id]
    if intent.status in EDITABLE and intent.amount != default.amount_requested:
        yield Violation(
            intent.id,
            "amount",
            f"must be {default.amount_requested}, the amount_requested of {default.id}, its "
            f"default payment, got {intent.amount}",
        )


def _note(invoice: records.Invoice, note: records.CreditNote) -> Iterator[Violation]:
    pre, post = note.pre_payment_amount, note.post_payment_amount
    if note.currency != invoice.currency:
        yield Violation(note.id, "currency", f"must be {invoice.currency}, as that of {invoice.id}")
    if note.customer_id != invoice.customer_id:
        yield Violation(note.id, "customer", f"must be {invoice.customer_id}, as of {invoice.id}")
    if pre + post != note.amount:
        yield Violation(
            note.id,
            "amount",
            f"must be {pre + post}, the pre_payment_amount {pre} and the post_payment_amount {post}"
            f", got {note.amount}",
        )
    if note.type != type_of(pre, post):
        yield Violation(note.id, "type", f"must be {type_of(pre, post)} by its amounts")
    refunded = sum(one.amount_refunded for one in note.refunds)
    settled = refunded + note.credit_amount + (note.out_of_band_amount or 0)
    if settled != post:
        yield Violation(
            note.id,
            "post_payment_amount",
            f"must be {settled}, as refunds {refunded}, credit_amount {note.credit_amount} and "
            f"out_of_band_amount {note.out_of_band_amount or 0} add up to, got {post}",
        )


def _note_totals(invoice: records.Invoice, notes: list[records.CreditNote]) -> Iterator[Violation]:
    """Voided notes do not count."""
    for part in ("pre_payment", "post_payment"):
        place = f"{part}_credit_notes_amount"
        stated = getattr(invoice, place)
        of_notes = sum(getattr(one, f"{part}_amount") for one in notes if one.status == "issued")
        if stated != of_notes:
            yield Violation(
                invoice.id,
                place,
                f"must be {of_notes}, what its credit notes add up to, got {stated}",
            )
