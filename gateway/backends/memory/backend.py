"""The in-memory backend: the twin behind the port, with viewers and Stripe's idempotency.

No await lies between reading and writing, so every write is one step of a serial order.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.backends.assembly import Assembly, cursor_gone, failure_of, not_found
from gateway.backends.kept_trees import KeptTrees
from gateway.backends.memory.tables import Query, Table
from gateway.backends.memory.twin import Request, Twin, no_such_source
from gateway.backends.stripe.reads.pool import paid_out_of_band
from gateway.backends.supplier import (
    FIRST,
    Attempt,
    key_reused,
    no_such,
    no_such_invoice,
    pointing_out_of_band,
)
from gateway.ledger import credit_notes, payments
from gateway.ledger.book import claim
from gateway.ledger.reallocation import Reallocation, reallocation_preview
from schema import records
from schema.changing import changed
from schema.ports import (
    ALWAYS,
    Attached,
    AttachPayment,
    BackendDescription,
    BackendKind,
    Capability,
    Computed,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    CreditNoteVoided,
    Deleted,
    Detached,
    DetachPayment,
    ErrorCode,
    Failed,
    ListFilter,
    Listing,
    Loaded,
    Meter,
    Needs,
    Outcome,
    Page,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Root,
    Step,
    Viewer,
    VoidCreditNote,
)

KEYS_KEPT_MAX = 100_000
"""Stripe keeps idempotency keys for 24 hours; the twin keeps this many, oldest first out."""


DESCRIPTION = BackendDescription(
    kind=BackendKind.MEMORY,
    account="memory",
    livemode=False,
    stripe_api_version=None,
    capabilities=frozenset(Capability),
)


class TwinSource:
    """The twin's tables as a source of records for the assembly."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self._tables: dict[str, Table[Any]] = {
            "Customer": twin.customers,
            "Invoice": twin.invoices,
            "InvoicePayment": twin.invoice_payments,
            "PaymentIntent": twin.payment_intents,
            "PaymentRecord": twin.payment_records,
            "Charge": twin.charges,
            "CreditNote": twin.credit_notes,
        }

    def get(self, kind: str, record_id: str) -> Any:
        record = self._tables[kind].get(record_id)
        if record is None and kind == "Customer" and record_id in self.twin.deleted_customers:
            raise Deleted(kind, record_id)
        if record is None:
            raise not_found(kind, record_id)
        return record

    def page(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[list[Any], bool, bool]:
        if listing.name == "lines":
            return self._lines(listing.page, self.twin.lines.get(parent.id, ()))
        page = listing.page
        table, query = self._list(listing, parent, viewer)
        cursor = page.after or page.before
        if cursor is not None and not table.holds(cursor.object_id, query):
            raise cursor_gone()
        if page.before is not None:
            members = table.oldest_first(query, above=page.before.object_id)
            found = list(islice(members, page.size + 1))
            return found[: page.size][::-1], True, len(found) > page.size
        below = page.after.object_id if page.after else None
        found = list(islice(table.newest_first(query, below=below), page.size + 1))
        return found[: page.size], len(found) > page.size, page.after is not None

    def _lines(
        self, page: Page, lines: tuple[records.InvoiceLineItem, ...]
    ) -> tuple[list[Any], bool, bool]:
        start = 0
        if page.after is not None:
            ids = [line.id for line in lines]
            if page.after.object_id not in ids:
                raise cursor_gone()
            start = ids.index(page.after.object_id) + 1
        stop = start + page.size
        return list(lines[start:stop]), stop < len(lines), start > 0

    def _list(self, listing: Listing, parent: Any, viewer: Viewer) -> tuple[Table[Any], Query[Any]]:
        """The table and what of it the list holds."""
        twin, where = self.twin, listing.where
        match listing.name:
            case "invoices":
                return twin.invoices, _invoices(where, parent, viewer)
            case "payments":
                return twin.invoice_payments, _payments(where, invoice_id=parent.id)
            case "invoice_payments":
                sources = where.payment_intent_id or where.payment_record_id
                query = _payments(
                    where,
                    None if viewer.customers is None else self._seen_by(viewer),
                    invoice_id=where.invoice_id,
                    source_id=sources if parent is None else parent.id,
                )
                return twin.invoice_payments, query
            case "credit_notes":
                return twin.credit_notes, Query((("invoice_id", parent.id),))
            case _:
                assert listing.name == "payment_intents"
                equals = (("customer_id", parent.id),)
                return twin.payment_intents, Query(equals, check=self._attachable(where))

    def _seen_by(self, viewer: Viewer) -> Callable[[records.InvoicePayment], bool]:
        def check(payment: records.InvoicePayment) -> bool:
            invoice = self.twin.invoices.get(payment.invoice_id)
            return invoice is not None and viewer.sees(invoice.customer_id)

        return check

    def _attachable(self, where: ListFilter) -> Callable[[records.PaymentIntent], bool] | None:
        invoice_id = where.attachable_to
        if invoice_id is None:
            return None
        if invoice_id not in self.twin.invoices:
            raise not_found("Invoice", invoice_id)
        book = self.twin.book(invoice_id)

        def check(intent: records.PaymentIntent) -> bool:
            claimed = self.twin.claimed_elsewhere(intent.id, book.invoice.id)
            return payments.attachable(book, intent, claimed)

        return check

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any:
        match need.name:
            case "amount_paid_out_of_band":
                of_invoice = self.twin.invoice_payments.matching("invoice_id", parent.id)
                return paid_out_of_band(parent, of_invoice)
            case "detach_preview":
                return payments.detach_preview(self.twin.book(parent.invoice_id), parent)
            case "confirmation_secret":
                return self._confirmation_secret(parent, viewer)
            case _:
                try:
                    return self._preview(need.argument, viewer)
                except Refused as refused:
                    raise failure_of(refused) from refused

    def _preview(
        self, asked: CreditNoteDraft | ReallocatePayment | None, viewer: Viewer
    ) -> records.CreditNotePreview | records.ReallocationPreview:
        if isinstance(asked, ReallocatePayment):
            return reallocation_preview(both_invoices(self.twin, viewer, asked), asked)
        assert asked is not None
        return credit_notes.preview(self.twin.book(asked.invoice_id), asked)

    def _confirmation_secret(
        self, invoice: records.Invoice, viewer: Viewer
    ) -> records.ConfirmationSecret | None:
        if not viewer.may("payments:write"):
            raise Failed(ErrorCode.FORBIDDEN, "this needs the scope payments:write")
        default = self.twin.book(invoice.id).open_default
        if default is None:
            return None
        digest = hashlib.sha256(f"{default.id}:{default.source_id}".encode()).hexdigest()
        return records.ConfirmationSecret(f"{default.source_id}_secret_{digest[:24]}")


def _invoices(where: ListFilter, parent: Any, viewer: Viewer) -> Query[records.Invoice]:
    customer_id = where.customer_id if parent is None else parent.id
    if customer_id is None and viewer.customers is not None:
        customer_id = next(iter(viewer.customers), "")
    if customer_id is not None and not viewer.sees(customer_id):
        customer_id = ""
    return Query(
        equals=_stated(
            customer_id=customer_id,
            status=where.statuses[0] if where.statuses else None,
            collection_method=where.collection_method,
            subscription_id=where.subscription_id,
        ),
        created_from=where.created.start,
        created_to=where.created.end,
        due=None if where.due == ALWAYS else (where.due.start, where.due.end),
    )


def _payments(
    where: ListFilter,
    seen: Callable[[records.InvoicePayment], bool] | None = None,
    **links: str | None,
) -> Query[records.InvoicePayment]:
    """Invoice payments, by index where one status is wanted, by a look at each where several."""
    wanted, check = frozenset(where.statuses), seen
    if len(wanted) > 1:

        def check(payment: records.InvoicePayment) -> bool:
            return payment.status in wanted and (seen is None or seen(payment))

    return Query(
        equals=_stated(**links, status=where.statuses[0] if len(wanted) == 1 else None),
        created_from=where.created.start,
        created_to=where.created.end,
        check=check,
    )


def _stated(**equals: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in equals.items() if value is not None)


@dataclass(frozen=True, slots=True)
class _TwinBasis:
    """See `schema.ports.Basis`: all that the twin holds."""

    twin: Twin
    changes: int
    cached: int = 0

    def holds(self) -> bool:
        return self.twin.changes == self.changes

    async def look(self) -> bool:
        return self.holds()


class MemoryBackend:
    """See `gateway.backends.supplier.Supplier`."""

    def __init__(self, twin: Twin, *, keeps_trees: bool = True) -> None:
        self.twin = twin
        self._source = TwinSource(twin)
        self._trees = KeptTrees() if keeps_trees else None
        self._known: OrderedDict[tuple[str, str, str], tuple[Step, Outcome]] = OrderedDict()

    def describe(self) -> BackendDescription:
        return DESCRIPTION

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any]:
        kept = None if self._trees is None else self._trees.get(viewer, needs)
        if kept is not None and kept.basis is not None and kept.basis.holds():
            return kept
        assembly = Assembly(viewer, self._source)
        root = assembly.root(needs)
        assert not assembly.missing
        if self._trees is None or assembly.has_secret:
            return root
        basis = _TwinBasis(self.twin, self.twin.changes)
        self._trees.keep(viewer, needs, root, basis, assembly.objects)
        return Root(None, root.children, basis)

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        return MemoryBackend.at_once(self, viewer, needs, meter)

    async def write(
        self, viewer: Viewer, command: Step, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        """Write, or answer what the same key answered before. Refusals are not kept: nothing
        happened, so the same key may try again."""
        if attempt.may_send:
            await attempt.going_out()
        key = (viewer.tenant, command.operation, command.idempotency_key)
        known = self._known.get(key)
        if known is not None:
            return _replayed(viewer, command, *known)
        if not attempt.may_send:
            # A key that is too old to be used, and has done nothing that is still known.
            raise Refused(
                RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
                "upstream_outcome_unknown",
                "nothing is known of this write any more",
                looked=True,
            )
        request = Request(self.twin.new_id("req"), command.idempotency_key)
        try:
            outcome = self._done(viewer, command, request)
        except Refused as refused:
            refused.settles = True  # The keys are known here, and this one has done nothing.
            raise
        self._known[key] = (command, outcome)
        if len(self._known) > KEYS_KEPT_MAX:
            self._known.popitem(last=False)
        return outcome

    async def both_invoices(
        self, viewer: Viewer, asked: ReallocatePayment, meter: Meter
    ) -> Reallocation:
        return both_invoices(self.twin, viewer, asked)

    async def close(self) -> None:
        return

    def _done(self, viewer: Viewer, command: Step, request: Request) -> Outcome:
        invoice = self.twin.invoice(command.invoice_id)
        if not viewer.sees(invoice.customer_id):
            raise no_such_invoice(invoice.id)
        match command:
            case AttachPayment():
                return self._attach(viewer, invoice, command, request)
            case DetachPayment():
                return self._detach(viewer, invoice, command, request)
            case CreateCreditNote():
                note = self.twin.credit(command.draft, request=request)
                return CreditNoteCreated(invoice.id, note.id, invoice.customer_id)
            case VoidCreditNote():
                note = self.twin.credit_note(command.credit_note_id)
                if note.invoice_id != invoice.id:
                    raise no_such("credit_note", note.id, ("creditNoteId",))
                self.twin.void_credit_note(note.id, request)
                return CreditNoteVoided(invoice.id, note.id, invoice.customer_id)

    def _attach(
        self, viewer: Viewer, invoice: records.Invoice, command: AttachPayment, request: Request
    ) -> Attached:
        source_id = command.payment_intent_id or command.payment_record_id
        if source_id is None:
            source_id = self._reported(invoice, command).id
        elif not viewer.sees(self.twin.source(source_id).customer_id):
            raise no_such_source(source_id)
        payment = self.twin.attach(
            invoice.id, source_id, amount_requested=command.amount_requested, request=request
        )
        return Attached(
            invoice_id=invoice.id,
            invoice_payment_id=payment.id,
            customer_id=invoice.customer_id,
            payment_intent_id=command.payment_intent_id,
        )

    def _reported(self, invoice: records.Invoice, command: AttachPayment) -> records.PaymentRecord:
        """A payment record for the facts, kept only if it can be attached."""
        facts, book = command.out_of_band, self.twin.book(invoice.id)
        assert facts is not None
        record = payments.to_be_reported(facts, invoice)
        for refusal in payments.attach_refusals(book, record, command.amount_requested, 0):
            raise pointing_out_of_band(refusal)
        return self.twin.report_payment(
            changed(record, id=self.twin.new_id("pr"), created=self.twin.now())
        )

    def _detach(
        self, viewer: Viewer, invoice: records.Invoice, command: DetachPayment, request: Request
    ) -> Detached:
        intent = self.twin.intent(command.payment_intent_id)
        if not viewer.sees(intent.customer_id):
            raise no_such("payment_intent", intent.id, ("paymentIntentId",))
        payment, fresh = self.twin.detach(
            invoice.id, intent.id, if_amount_paid=command.if_amount_paid, request=request
        )
        return Detached(
            invoice_id=invoice.id,
            invoice_payment_id=payment.id,
            customer_id=invoice.customer_id,
            payment_intent_id=intent.id,
            new_default_payment_id=None if fresh is None else fresh.id,
        )


def both_invoices(twin: Twin, viewer: Viewer, asked: ReallocatePayment) -> Reallocation:
    """Raises `Refused` for what does not exist and what is another's."""
    ends = ((asked.from_invoice_id, "fromInvoiceId"), (asked.to_invoice_id, "toInvoiceId"))
    for invoice_id, argument in ends:
        invoice = twin.invoices.get(invoice_id)
        if invoice is None or not viewer.sees(invoice.customer_id):
            raise no_such("invoice", invoice_id, (argument,))
    intent = twin.intent(asked.payment_intent_id)
    if not viewer.sees(intent.customer_id):
        raise no_such("payment_intent", intent.id, ("paymentIntentId",))
    source, target = (twin.book(invoice_id) for invoice_id, _ in ends)
    claimed = sum(
        claim(one)
        for one in twin.invoice_payments.matching("source_id", intent.id)
        if one.invoice_id not in (asked.from_invoice_id, asked.to_invoice_id)
    )
    return Reallocation(source, target, intent, claimed)


def _replayed(viewer: Viewer, command: Step, first: Step, outcome: Outcome) -> Outcome:
    """What the same key answered before. Raises `Refused` for other input, and for who may not see
    it."""
    if first != command:
        raise key_reused()
    if not viewer.sees(outcome.customer_id):
        raise no_such_invoice(outcome.invoice_id)
    return changed(outcome, replayed=True)
