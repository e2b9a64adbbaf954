"""A small account whose objects say which version they are, and what a reader may expect.

A change moves an invoice and everything that hangs on it to a new version, at once and behind the
cache. When its drop has completed, whoever begins to read has a right to that version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage
from gateway.backends.caching.source import walk
from gateway.backends.harvest import Harvest
from gateway.backends.stripe.reads.pool import paid_out_of_band
from schema import records
from schema.ports import (
    ROOT,
    ById,
    Computed,
    Failed,
    Link,
    ListFilter,
    Listing,
    Loaded,
    LoadedPage,
    Need,
    Needs,
    Viewer,
)
from tests.support.stage import ACME, GLOBEX, Stage
from tests.support.wanting import wanting

OPERATOR = Viewer("operator")
PARTNER = Viewer("partner", customers=frozenset({ACME}))
FIRST, SECOND, FOREIGN, LATER = "in_first", "in_second", "in_foreign", "in_later"
SHARED, SETTLED = "pi_shared", "pi_settled"
INVOICES = (FIRST, SECOND, FOREIGN, LATER)
CUSTOMERS = {FIRST: ACME, SECOND: ACME, FOREIGN: GLOBEX, LATER: ACME}

PAYMENTS, INTENT, INVOICE = Listing("payments"), Link("payment_intent"), Link("invoice")
OUT_OF_BAND, PREVIEW = Computed("amount_paid_out_of_band"), Computed("detach_preview")


def _both(*parts: Needs) -> Needs:
    needs = Needs()
    for part in parts:
        needs.merge(part)
    return needs


def _invoice(invoice_id: str) -> Needs:
    root = ("Query", ById("Invoice", invoice_id, quiet=True))
    return _both(
        wanting(root, ("Invoice", PAYMENTS), ("InvoicePayment", INTENT)),
        wanting(root, ("Invoice", Link("customer"))),
        wanting(root, ("Invoice", OUT_OF_BAND)),
        wanting(root, ("Invoice", PAYMENTS), ("InvoicePayment", PREVIEW)),
    )


def _root(need: Need, *path: tuple[str, Need]) -> Needs:
    return wanting(("Query", need), *path)


READS: tuple[Needs, ...] = (
    _root(ById("Invoice", FIRST)),
    _invoice(LATER),
    _root(ById("Invoice", FIRST), ("Invoice", PAYMENTS), ("InvoicePayment", INTENT)),
    _invoice(FIRST),
    _both(_root(ById("Invoice", FIRST)), _root(ById("Invoice", SECOND))),
    _root(ById("Invoice", SECOND), ("Invoice", PAYMENTS), ("InvoicePayment", INTENT)),
    _root(ById("PaymentIntent", SHARED), ("PaymentIntent", Listing("invoice_payments"))),
    _root(ById("InvoicePayment", "inpay_second"), ("InvoicePayment", INVOICE)),
    _root(ById("InvoicePayment", "inpay_second", quiet=True), ("InvoicePayment", PREVIEW)),
    _root(Listing("invoices", where=ListFilter(customer_id=ACME)), ("Invoice", PAYMENTS)),
    _root(ById("Customer", ACME), ("Customer", Listing("invoices"))),
    _root(ById("Customer", ACME), ("Customer", Listing("payment_intents"))),
    _invoice(FOREIGN),
    _root(Listing("invoice_payments", where=ListFilter(invoice_id=SECOND))),
    _root(Listing("invoice_payments", where=ListFilter(payment_intent_id=SHARED))),
    _both(_root(ById("PaymentIntent", SETTLED)), _invoice(LATER)),
    _root(ById("PaymentIntent", SHARED)),
    _root(ById("InvoicePayment", "inpay_second", quiet=True)),
    _root(ById("Customer", ACME)),
)
for _deeper in (deeper for needs in READS for deeper in needs.of(ROOT).values()):
    _deeper.is_lasting = True  # As those of a plan, so that trees are kept, too.


@dataclass(frozen=True, slots=True)
class Rights:
    """What one reader may expect: at least these versions, these there, and these not."""

    versions: dict[str, int]
    there: frozenset[str]
    gone: frozenset[str]


@dataclass(slots=True)
class World:
    """The account, and what has been dropped for everybody to know."""

    stage: Stage = field(default_factory=Stage.empty)
    version: int = 0
    removed: set[str] = field(default_factory=set)
    known: dict[str, int] = field(default_factory=dict)
    known_gone: set[str] = field(default_factory=set)
    known_there: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._intent(SHARED, "requires_payment_method")
        self._intent(SETTLED, "succeeded")
        for invoice_id in (FIRST, SECOND, FOREIGN):
            self._appear(invoice_id)
        self.known_there |= {FIRST, SECOND, FOREIGN, SHARED, SETTLED, ACME, GLOBEX}
        self.known_there |= {one.id for one in self._payments(FIRST) + self._payments(SECOND)}

    def _intent(self, intent_id: str, status: str) -> None:
        intent = records.PaymentIntent(intent_id, 1, "v0", status, 100, customer_id=ACME)
        self.stage.twin.payment_intents.put(intent)

    def _appear(self, invoice_id: str) -> None:
        twin, customer_id = self.stage.twin, CUSTOMERS[invoice_id]
        twin.invoices.put(records.Invoice(invoice_id, 1, self.mark, customer_id, "open"))
        sources = {FIRST: (SHARED, SETTLED), SECOND: (SHARED,), LATER: (SHARED,)}
        for source_id in sources.get(invoice_id, ()):
            name = invoice_id.removeprefix("in_")
            twin.invoice_payments.put(
                records.InvoicePayment(
                    id=f"inpay_{name}" + ("_settled" if source_id == SETTLED else ""),
                    created=1,
                    currency=self.mark,
                    invoice_id=invoice_id,
                    status="open",
                    source_type="payment_intent",
                    source_id=source_id,
                    amount_requested=100,
                )
            )

    @property
    def mark(self) -> str:
        """The version, in a field that all records of money have."""
        return f"v{self.version}"

    def _payments(self, invoice_id: str) -> list[records.InvoicePayment]:
        return self.stage.twin.invoice_payments.matching("invoice_id", invoice_id)

    def change(self, invoice_id: str) -> Change:
        """Move the invoice on; one that was not there yet appears."""
        self.version += 1
        before = {invoice_id} | {one.id for one in self._payments(invoice_id)}
        if invoice_id not in self.stage.twin.invoices:
            self._appear(invoice_id)
        touched = list(self._touch(invoice_id))
        return Change(self.version, invoice_id, frozenset(touched) | before)

    def _touch(self, invoice_id: str) -> Iterator[str]:
        twin, customer_id = self.stage.twin, CUSTOMERS[invoice_id]
        twin.customers.put(records.Customer(customer_id, 1, name=self.mark))
        invoice = twin.invoice(invoice_id)
        twin.invoices.put(replace(invoice, currency=self.mark, amount_overpaid=self.version))
        yield from (customer_id, invoice_id)
        for payment in self._payments(invoice_id):
            twin.invoice_payments.put(replace(payment, currency=self.mark))
            yield payment.id
            intent = twin.intent(payment.source_id)
            if intent.status != "succeeded":
                twin.payment_intents.put(replace(intent, currency=self.mark))
                yield intent.id

    def detach(self, invoice_id: str) -> Change:
        """Take the invoice's first payment away, and move the rest on."""
        lost = self._payments(invoice_id)[:1]
        for payment in lost:
            self.stage.twin.invoice_payments.remove(payment.id)
            self.removed.add(payment.id)
        change = self.change(invoice_id)
        return replace(change, removed=frozenset(one.id for one in lost))

    def harvest(self, invoice_id: str, removed: Collection[str]) -> Harvest:
        """What one read of an invoice brings now: all that hangs on it."""
        twin = self.stage.twin
        invoice, customer_id = twin.invoice(invoice_id), CUSTOMERS[invoice_id]
        payments = self._payments(invoice_id)
        intents = [twin.intent(one.source_id) for one in payments]
        customers = [one for one in (twin.customers.get(customer_id),) if one is not None]
        outside = paid_out_of_band(invoice, payments)
        return Harvest(
            records=(invoice, *customers, *payments, *intents),
            rows={("Invoice", "payments", invoice_id): FetchedPage(tuple(payments), False, False)},
            answers={Ask("Invoice", invoice_id, OUT_OF_BAND): outside},
            detached=dict.fromkeys(removed, invoice_id),
        )

    def dropped(self, change: Change) -> None:
        """The change's drop has completed: from now on everybody must know."""
        for touched in change.touched:
            self.known[touched] = max(self.known.get(touched, 0), change.version)
        self.known_gone |= change.removed
        self.known_there |= change.touched

    def rights(self) -> Rights:
        """What who begins to read now may expect."""
        return Rights(dict(self.known), frozenset(self.known_there), frozenset(self.known_gone))

    def check(self, rights: Rights, needs: Needs, tree: Loaded[Any], viewer: Viewer) -> None:
        """Nothing in the answer is older than what its reader had a right to."""
        for held in walk(tree):
            if held.need is None:
                self._check_record(rights, held.outcome)
            elif isinstance(held.outcome, LoadedPage):
                self._check_members(rights, held.need, held.parent, held.outcome)
            elif isinstance(held.need, Computed):
                self._check_computed(rights, held.need, held.parent, held.outcome)
        for need in needs.of("Query"):
            if isinstance(need, ById) and need.id in rights.there - self.removed:
                self._check_there(need, tree.children[need], viewer)

    def _check_record(self, rights: Rights, record: Any) -> None:
        assert record.id not in rights.gone, f"{record.id} is shown after it was gone"
        mark = record.name if isinstance(record, records.Customer) else record.currency
        version = int(mark[1:]) if mark.startswith("v") else 0
        assert version >= rights.versions.get(record.id, 0), f"{record.id} is stale: {mark}"

    def _check_computed(self, rights: Rights, need: Need, parent: Any, outcome: Any) -> None:
        if need == OUT_OF_BAND:
            least = rights.versions.get(parent.id, 0)
            assert outcome >= least, f"{parent.id}: {outcome} paid out of band is stale"
        else:
            least = rights.versions.get(parent.invoice_id, 0)
            version = int(outcome.record.currency[1:])
            assert version >= least, f"the preview of {parent.id} is stale: {version}"

    def _check_members(self, rights: Rights, need: Need, parent: Any, page: LoadedPage) -> None:
        shown = {item.record.id for item in page.items}
        sure = set(self._members(need, parent)) & rights.there
        assert sure <= shown, f"{sorted(sure - shown)} missing from {need}"

    def _members(self, need: Any, parent: Any) -> Iterator[str]:
        """The members that the list has at present."""
        twin, where = self.stage.twin, need.where
        for invoice_id in INVOICES if need.name == "invoices" else ():
            if CUSTOMERS[invoice_id] == ACME:
                yield invoice_id
        if need.name == "payment_intents":
            yield from (SHARED, SETTLED)
        invoice_id = parent.id if need.name == "payments" else where.invoice_id
        if invoice_id is not None:
            yield from (one.id for one in self._payments(invoice_id))
        elif need.name == "invoice_payments":
            shared = twin.invoice_payments.matching("source_id", SHARED)
            yield from (one.id for one in shared)

    def _check_there(self, need: ById, outcome: Any, viewer: Viewer) -> None:
        if viewer.customers is None or need.id != FOREIGN:
            assert outcome is not None, f"{need.id} is not found after it appeared"
            assert not isinstance(outcome, Failed), f"{need.id} is not found after it appeared"


@dataclass(frozen=True, slots=True)
class Change:
    """What one change has touched."""

    version: int
    invoice_id: str
    touched: frozenset[str]
    removed: frozenset[str] = frozenset()
