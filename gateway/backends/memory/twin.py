"""The twin itself: what Stripe would do with one account, synchronously, on tables in memory.

Every operation reads one book, asks the ledger, and writes the difference in one step without
an await, so that writes on one invoice end as a serial order of them. It knows neither viewers
nor GraphQL; the memory backend and the sandbox speak for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.memory.tables import Query, Table
from gateway.backends.supplier import no_such, no_such_invoice
from gateway.ledger import credit_notes, lifecycle, payments
from gateway.ledger.book import Book, Moment, NewId, Source, claim, foretold
from gateway.ledger.facts import Fact, facts, intent_fact
from schema import records
from schema.changing import changed
from schema.ports import CreditNoteDraft, RefusalCode, Refused

EVENTS_KEPT_MAX = 10_000
"""Stripe keeps 30 days of events; the twin keeps this many, so that memory stays flat."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request behind a change, as Stripe's events name it."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class TwinEvent:
    """What Stripe tells of one fact, by an event with this snapshot, a thin one, or both."""

    id: str
    type: str
    created: int
    object: Any
    previous: tuple[tuple[str, Any], ...] = ()
    request: Request = Request()


Listener = Callable[[TwinEvent], None]


def _table(*indexed: str, due: str | None = None) -> Table[Any]:
    return field(default_factory=partial(Table, *indexed, due=due))


@dataclass(slots=True)
class Twin:
    """One account's objects. `now` gives epoch seconds, `new_id` a fresh id for a prefix."""

    now: Callable[[], int]
    new_id: NewId
    customers: Table[records.Customer] = _table()
    deleted_customers: dict[str, None] = field(default_factory=dict)
    """Ids of those that are gone, though invoices still name them."""
    customer_accounts: dict[str, str] = field(default_factory=dict)
    """By an object's id, the account that is its customer, where that is no `Customer`."""
    invoices: Table[records.Invoice] = _table(
        "customer_id", "status", "collection_method", "subscription_id", due="due_date"
    )
    invoice_payments: Table[records.InvoicePayment] = _table("invoice_id", "source_id", "status")
    payment_intents: Table[records.PaymentIntent] = _table("customer_id")
    payment_records: Table[records.PaymentRecord] = _table()
    charges: Table[records.Charge] = _table()
    credit_notes: Table[records.CreditNote] = _table("invoice_id")
    lines: dict[str, tuple[records.InvoiceLineItem, ...]] = field(default_factory=dict)
    events: deque[TwinEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT_MAX))
    listeners: list[Listener] = field(default_factory=list)
    livemode: bool = False

    @property
    def changes(self) -> int:
        """How often anything has changed. Whatever else changes, does so together with a record."""
        return (
            self.customers.changes
            + self.invoices.changes
            + self.invoice_payments.changes
            + self.payment_intents.changes
            + self.payment_records.changes
            + self.charges.changes
            + self.credit_notes.changes
        )

    def invoice(self, invoice_id: str) -> records.Invoice:
        invoice = self.invoices.get(invoice_id)
        if invoice is None:
            raise no_such_invoice(invoice_id)
        return invoice

    def intent(self, intent_id: str) -> records.PaymentIntent:
        intent = self.payment_intents.get(intent_id)
        if intent is None:
            raise no_such("payment_intent", intent_id, ("paymentIntentId",))
        return intent

    def book(self, invoice_id: str) -> Book:
        """Everything that the rules may look at for this invoice."""
        invoice = self.invoice(invoice_id)
        of_invoice = self.invoice_payments.matching("invoice_id", invoice_id)
        intents = (self.payment_intents.get(one.source_id) for one in of_invoice)
        notes = self.credit_notes.matching("invoice_id", invoice_id)
        issued = (note for note in notes if note.status == "issued")
        return Book(
            invoice=invoice,
            payments=tuple(of_invoice),
            intents={one.id: one for one in intents if one is not None},
            customer=self.customers.get(invoice.customer_id or ""),
            refunded=sum(refund.amount_refunded for note in issued for refund in note.refunds),
        )

    def enter_customer(self, customer: records.Customer) -> None:
        """Keep the customer; drafts foretell what is due, so they follow the balance in silence."""
        self.customers.put(customer)
        drafts: Query[records.Invoice] = Query((("customer_id", customer.id), ("status", "draft")))
        for draft in list(self.invoices.newest_first(drafts)):
            self.invoices.put(foretold(draft, customer))

    def claimed_elsewhere(self, source_id: str, invoice_id: str) -> int:
        """How much of a source the payments of other invoices take."""
        return sum(
            claim(one)
            for one in self.invoice_payments.matching("source_id", source_id)
            if one.invoice_id != invoice_id
        )

    def _at(self) -> Moment:
        return Moment(self.now(), self.new_id)

    def _enter(self, before: Book, after: Book, request: Request) -> Book:
        """Write the difference of two books, and announce it; answers the later one."""
        for intent_id, intent in after.intents.items():
            if before.intents.get(intent_id) is not intent:
                self.payment_intents.put(intent)
        known = {one.id: one for one in before.payments}
        for gone in known.keys() - {one.id for one in after.payments}:
            self.invoice_payments.remove(gone)
        for payment in after.payments:
            if known.get(payment.id) is not payment:
                self.invoice_payments.put(payment)
        if after.invoice is not before.invoice:
            self.invoices.put(after.invoice)
        if after.customer is not None and after.customer is not before.customer:
            self.enter_customer(after.customer)
        self.announce(facts(before, after), request)
        return after

    def announce(self, what: list[Fact], request: Request) -> None:
        for fact in what:
            self.tell(fact.type, fact.object, fact.previous, request=request)

    def tell(
        self,
        event_type: str,
        subject: Any,
        previous: tuple[tuple[str, Any], ...] = (),
        *,
        request: Request = Request(),
    ) -> None:
        """Announce one event, whether or not its subject has a place in a book."""
        event = TwinEvent(
            id=self.new_id("evt"),
            type=event_type,
            created=self.now(),
            object=subject,
            previous=previous,
            request=request,
        )
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def create_invoice(
        self,
        invoice: records.Invoice,
        lines: tuple[records.InvoiceLineItem, ...],
        request: Request = Request(),
    ) -> records.Invoice:
        """Keep a draft with its lines."""
        invoice = foretold(invoice, self.customers.get(invoice.customer_id or ""))
        self.invoices.put(invoice)
        if lines:
            self.lines[invoice.id] = lines
        self.announce([Fact("invoice.created", invoice)], request)
        return invoice

    def delete_draft(self, invoice_id: str, request: Request = Request()) -> None:
        invoice = self.invoice(invoice_id)
        lifecycle.check_deletable(invoice)
        self.invoices.remove(invoice_id)
        self.lines.pop(invoice_id, None)
        self.announce([Fact("invoice.deleted", invoice)], request)

    def create_intent(
        self, intent: records.PaymentIntent, request: Request = Request()
    ) -> records.PaymentIntent:
        self.payment_intents.put(intent)
        self.announce([Fact("payment_intent.created", intent)], request)
        return intent

    def finalize(
        self, invoice_id: str, *, number: str, request: Request = Request()
    ) -> records.Invoice:
        before = self.book(invoice_id)
        after = lifecycle.finalize(before, self._at(), number=number)
        return self._enter(before, after, request).invoice

    def void(self, invoice_id: str, request: Request = Request()) -> records.Invoice:
        book = self.book(invoice_id)
        return self._enter(book, lifecycle.void(book, self._at()), request).invoice

    def mark_uncollectible(self, invoice_id: str, request: Request = Request()) -> records.Invoice:
        book = self.book(invoice_id)
        return self._enter(book, lifecycle.mark_uncollectible(book, self._at()), request).invoice

    def pay_out_of_band(self, invoice_id: str, request: Request = Request()) -> records.Invoice:
        book = self.book(invoice_id)
        return self._enter(book, lifecycle.pay_out_of_band(book, self._at()), request).invoice

    def attach(
        self,
        invoice_id: str,
        source_id: str,
        *,
        amount_requested: int | None = None,
        request: Request = Request(),
    ) -> records.InvoicePayment:
        """Attach a PaymentIntent or a payment record."""
        before = self.book(invoice_id)
        after = payments.attach(
            before,
            self.source(source_id),
            self._at(),
            amount_requested=amount_requested,
            claimed_elsewhere=self.claimed_elsewhere(source_id, invoice_id),
        )
        payment = self._enter(before, after, request).live_payment_by(source_id)
        assert payment is not None
        return payment

    def source(self, source_id: str) -> Source:
        """The PaymentIntent or payment record. Raises `Refused`."""
        source = self.payment_intents.get(source_id) or self.payment_records.get(source_id)
        if source is None:
            raise no_such_source(source_id)
        return source

    def detach(
        self,
        invoice_id: str,
        intent_id: str,
        *,
        if_amount_paid: int | None = None,
        request: Request = Request(),
    ) -> tuple[records.InvoicePayment, records.InvoicePayment | None]:
        """Free an intent; answers the payment that is gone and the default that took over."""
        before, intent = self.book(invoice_id), self.intent(intent_id)
        after, payment = payments.detach(before, intent, self._at(), if_amount_paid=if_amount_paid)
        self._enter(before, after, request)
        known = {one.id for one in before.payments}
        return payment, next((one for one in after.payments if one.id not in known), None)

    def credit(self, draft: CreditNoteDraft, *, request: Request = Request()) -> records.CreditNote:
        before = self.book(draft.invoice_id)
        count = len(self.credit_notes.matching("invoice_id", draft.invoice_id)) + 1
        number = f"{before.invoice.number or draft.invoice_id}-CN-{count:02}"
        after, note = credit_notes.issue(before, draft, self._at(), number=number)
        self.credit_notes.put(note)
        self.announce([Fact("credit_note.created", note)], request)
        self._enter(before, after, request)
        return note

    def credit_note(self, note_id: str) -> records.CreditNote:
        """Raises `Refused` NOT_FOUND."""
        note = self.credit_notes.get(note_id)
        if note is None:
            raise no_such("credit_note", note_id, ("creditNoteId",))
        return note

    def void_credit_note(self, note_id: str, request: Request = Request()) -> records.CreditNote:
        note = self.credit_note(note_id)
        before = self.book(note.invoice_id)
        after, voided = credit_notes.void(before, note, self._at())
        self.credit_notes.put(voided)
        self.announce([Fact("credit_note.voided", voided)], request)
        self._enter(before, after, request)
        return voided

    def progress(
        self,
        intent_id: str,
        status: str,
        *,
        amount_received: int | None = None,
        cancellation_reason: str | None = None,
        request: Request = Request(),
    ) -> records.PaymentIntent:
        """Move a PaymentIntent on, and every open invoice payment behind it."""
        intent = self.intent(intent_id)
        behind = self.invoice_payments.matching("source_id", intent_id)
        still_open = [one for one in behind if one.status == "open"]
        if status == "canceled" and any(one.is_default for one in still_open):
            raise Refused(
                RefusalCode.PAYMENT_INTENT_WRONG_STATE,
                "default_payment_intent",
                f"{intent_id} is kept by its invoice and cannot be canceled directly",
                path=("paymentIntentId",),
            )
        moved = lifecycle.progressed(
            intent,
            status,
            now=self.now(),
            amount_received=amount_received,
            cancellation_reason=cancellation_reason,
        )
        self.payment_intents.put(moved)
        fact = intent_fact(intent, moved)
        self.announce([fact] if fact else [], request)
        for payment, share in lifecycle.shares(still_open, moved.amount_received):
            if payment.is_default or status in ("succeeded", "canceled"):
                book = self.book(payment.invoice_id)
                after = lifecycle.followed(book, moved, payment, credited=share, at=self._at())
                self._enter(book, after, request)
        return self.intent(intent_id)

    def pay(self, invoice_id: str, request: Request = Request()) -> records.Invoice:
        """Collect what remains through the default PaymentIntent, and no more than that."""
        book = self.book(invoice_id)
        default = lifecycle.default_to_pay(book)
        received = min(default.amount_requested, book.invoice.amount_remaining)
        self.progress(default.source_id, "succeeded", amount_received=received, request=request)
        return self.invoice(invoice_id)

    def report_payment(self, record: records.PaymentRecord) -> records.PaymentRecord:
        self.payment_records.put(record)
        return record

    def delete_customer(self, customer_id: str, request: Request = Request()) -> None:
        """For good; what names the customer stays."""
        customer = self.customers.get(customer_id)
        assert customer is not None
        self.customers.remove(customer_id)
        self.deleted_customers[customer_id] = None
        self.tell("customer.deleted", customer, request=request)

    def update_metadata(
        self, invoice_id: str, metadata: records.Metadata, request: Request = Request()
    ) -> records.Invoice:
        before = self.book(invoice_id)
        after = changed(before, invoice=changed(before.invoice, metadata=metadata))
        self._enter(before, after, request)
        return after.invoice


def no_such_source(source_id: str) -> Refused:
    """For an intent or record that does not exist, and for somebody else's."""
    is_intent = source_id.startswith("pi_")
    kind = "payment_intent" if is_intent else "payment_record"
    path = "paymentIntentId" if is_intent else "paymentRecordId"
    return no_such(kind, source_id, ("payment", path))
