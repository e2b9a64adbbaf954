"""One Stripe account with the objects of several customers, each marked as whose it is.

Every id and every text of a customer's objects carries the customer's mark, and the amounts of
`GLOBEX` begin with digits that nobody else's have, so that what strays into another's answer is
recognised wherever it stands.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache

from gateway.backends.memory.twin import Twin
from schema import records
from schema.ports import CreditNoteDraft
from tests.support.stage import Stage
from tests.support.time_and_ids import CountingIds, ManualClock

ACME, INITECH, GLOBEX = "cus_zqacme", "cus_zqinitech", "cus_zqglobex"
CUSTOMERS = (ACME, INITECH, GLOBEX)
UNIT = {ACME: 10_000, INITECH: 20_000, GLOBEX: 9_137_000}
"""What each customer's amounts are about."""
GLOBEX_DIGITS = ("9137", "91,37")
"""How every amount of Globex's begins, plain and formatted."""
SHARED = "pr_zqnobody_0001"
"""A payment record that names no customer and pays invoices of all of them."""
CROSSED = "pi_zqcrossed"
"""An intent of Globex's that, by a fault in the account, pays an invoice of Acme's, who is told
this id by the payment and nothing more."""
SHARED_EACH = 12
"""Invoices of each customer that the shared record pays; more than the default page."""


def mark(customer_id: str) -> str:
    return customer_id.removeprefix("cus_")


class MarkedIds(CountingIds):
    """Ids that carry the mark of whose objects are being made; `later` once a test has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.mark = "later"

    def new(self, prefix: str) -> str:
        kind, _, number = super().new(prefix).rpartition("_")
        return f"{kind}_{self.mark}_{number}"


@dataclass(frozen=True, slots=True)
class Owned:
    """What one customer has. `share` is the shared record's payment of `shared`, `payment` that of
    the own record, and `paying` that of `intent`; `voidable` is the note of `credited`."""

    customer_id: str
    open: str
    paid: str
    recorded: str
    charged: str
    shared: str
    share: str
    payment: str
    paying: str
    intent: str
    free: str
    record: str
    charge: str
    note: str
    credited: str
    voidable: str
    line: str
    subscription: str

    @property
    def by_kind(self) -> dict[str, str]:
        """One object of each kind that has an id."""
        return {
            "Invoice": self.open,
            "InvoicePayment": self.payment,
            "PaymentIntent": self.intent,
            "PaymentRecord": self.record,
            "Charge": self.charge,
            "CreditNote": self.note,
            "Customer": self.customer_id,
        }


UNKNOWN = Owned(
    customer_id="cus_zqunknown",
    open="in_zqunknown_1",
    paid="in_zqunknown_2",
    recorded="in_zqunknown_3",
    charged="in_zqunknown_4",
    shared="in_zqunknown_5",
    share="inpay_zqunknown_1",
    payment="inpay_zqunknown_2",
    paying="inpay_zqunknown_3",
    intent="pi_zqunknown_1",
    free="pi_zqunknown_2",
    record="pr_zqunknown",
    charge="ch_zqunknown",
    note="cn_zqunknown",
    credited="in_zqunknown_6",
    voidable="cn_zqunknown_2",
    line="il_zqunknown",
    subscription="sub_zqunknown",
)
"""Ids of nothing at all."""


@dataclass(slots=True)
class Account:
    """The twin of the account and what each customer has in it."""

    twin: Twin
    owned: dict[str, Owned]

    def owner(self, record: object) -> str | None:
        """Whose object this is."""
        if isinstance(record, records.Customer):
            return record.id
        if isinstance(record, records.InvoicePayment):
            return self.twin.invoice(record.invoice_id).customer_id
        return record.customer_id  # type: ignore[attr-defined, no-any-return]

    def hidden_from(self, customers: frozenset[str]) -> set[str]:
        """Ids of all that is not of these customers; what pays their invoices they are told."""
        twin = self.twin
        tables = (
            *(twin.customers, twin.invoices, twin.invoice_payments, twin.payment_intents),
            *(twin.payment_records, twin.charges, twin.credit_notes),
        )
        hidden = {
            record.id for table in tables for record in table if self.owner(record) not in customers
        }
        told = {one.source_id for one in twin.invoice_payments if self.owner(one) in customers}
        return hidden - told


def make_account(clock: ManualClock) -> Account:
    """The account, the same in every run, without the events of how it came about."""
    made, ids = _made()
    account = Account(Twin(now=clock.now, new_id=deepcopy(ids).new), made.owned)
    copy_tables(made.twin, account.twin)
    return account


def copy_tables(model: Twin, twin: Twin) -> None:
    """Everything of one twin into another's tables, beside what is there."""
    for name in (
        *("customers", "payment_intents", "payment_records", "charges"),
        *("invoices", "invoice_payments", "credit_notes"),
    ):
        for record in getattr(model, name):
            getattr(twin, name).put(record)
    twin.lines.update(model.lines)


@cache
def _made() -> tuple[Account, MarkedIds]:
    """Made once, for all to copy. The shared invoices of all customers lie in turn."""
    clock, ids = ManualClock(), MarkedIds()
    stage = Stage(Twin(now=clock.now, new_id=ids.new), clock, ids)
    record = records.PaymentRecord(SHARED, clock.now(), "usd", 500_000_000)
    stage.twin.report_payment(record)
    invoices: dict[str, str] = {}
    for _ in range(SHARED_EACH):
        for customer_id in CUSTOMERS:
            ids.mark = mark(customer_id)
            invoices[customer_id] = stage.open_invoice(
                UNIT[customer_id] + 1, customer_id=customer_id
            )
            stage.twin.attach(invoices[customer_id], SHARED, amount_requested=UNIT[customer_id] + 1)
    owned = {}
    for customer_id in CUSTOMERS:
        ids.mark = mark(customer_id)
        owned[customer_id] = _possessions(stage, customer_id, invoices[customer_id])
    _cross(stage.twin, owned)
    _sign(stage.twin)
    ids.mark = "later"
    return Account(stage.twin, owned), ids


def _possessions(stage: Stage, customer_id: str, shared: str) -> Owned:
    twin, unit = stage.twin, UNIT[customer_id]
    held = (("eur", unit + 7),)
    customer = records.Customer(customer_id, stage.clock.now(), currency="eur", credit_balance=held)
    twin.customers.put(customer)
    subscription = f"sub_{mark(customer_id)}"
    paid, (intent, _) = stage.paid_by(unit + 2, unit + 3, customer_id=customer_id)
    note = twin.credit(CreditNoteDraft(paid, unit + 4, memo="memo", out_of_band=unit + 4))
    recorded = stage.open_invoice(unit + 5, customer_id=customer_id)
    record = stage.payment_record(unit + 5, customer_id=customer_id)
    payment = twin.attach(recorded, record)
    open_invoice = stage.open_invoice(unit + 6, customer_id=customer_id)
    subscribed = replace(twin.invoice(open_invoice), subscription_id=subscription)
    twin.invoices.put(replace(subscribed, collection_method="send_invoice"))
    line = records.InvoiceLineItem(
        stage.ids.new("il"),
        open_invoice,
        unit + 6,
        "usd",
        quantity="1",
        period_start=1,
        period_end=2,
    )
    twin.lines[open_invoice] = (line, replace(line, id=stage.ids.new("il")))
    charged = stage.open_invoice(unit + 7, customer_id=customer_id)
    credited = stage.open_invoice(unit + 8, customer_id=customer_id)
    voidable = twin.credit(CreditNoteDraft(credited, 1, memo="memo"))
    return Owned(
        customer_id=customer_id,
        open=open_invoice,
        paid=paid,
        recorded=recorded,
        charged=charged,
        shared=shared,
        share=_payment_by(twin, shared, SHARED),
        payment=payment.id,
        paying=_payment_by(twin, paid, intent),
        intent=intent,
        free=stage.succeeded(unit + 6, customer_id=customer_id),
        record=record,
        charge=_charge(stage, charged, unit + 7, customer_id),
        note=note.id,
        credited=credited,
        voidable=voidable.id,
        line=line.id,
        subscription=subscription,
    )


def _payment_by(twin: Twin, invoice_id: str, source_id: str) -> str:
    payment = twin.book(invoice_id).live_payment_by(source_id)
    assert payment is not None
    return payment.id


def _charge(stage: Stage, invoice_id: str, amount: int, customer_id: str) -> str:
    """An old payment by a charge, which no call of today's makes."""
    charge = records.Charge(stage.ids.new("ch"), stage.clock.now(), "usd", amount, customer_id)
    (payment,) = stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    stage.twin.charges.put(charge)
    by_charge = replace(payment, source_type="charge", source_id=charge.id, is_default=False)
    stage.twin.invoice_payments.put(by_charge)
    return charge.id


def _cross(twin: Twin, owned: dict[str, Owned]) -> None:
    """Globex's intent on Acme's invoice: Stripe refuses that, and an account may have it still."""
    theirs = twin.payment_intents.get(owned[GLOBEX].free)
    assert theirs is not None
    twin.payment_intents.put(replace(theirs, id=CROSSED))
    (payment,) = twin.invoice_payments.matching("invoice_id", owned[ACME].open)
    crossed = replace(payment, id="inpay_zqacme_crossed", source_id=CROSSED, is_default=False)
    twin.invoice_payments.put(replace(crossed, status="canceled"))


def _sign(twin: Twin) -> None:
    """Write the owner's mark into every text."""
    for customer in list(twin.customers):
        name = mark(customer.id)
        twin.customers.put(replace(customer, name=name, email=f"{name}@example.com"))
    for invoice in list(twin.invoices):
        name = mark(invoice.customer_id or "")
        twin.invoices.put(
            replace(
                invoice,
                description=f"for {name}",
                customer_name=name,
                customer_email=f"{name}@example.com",
                account_name=f"for {name}",
                hosted_invoice_url=f"https://invoice.example.com/{name}",
                invoice_pdf=f"https://invoice.example.com/{name}.pdf",
                metadata=(("owner", name),),
                due_date=invoice.created + 86_400,
                uncollectible_reason="user_forgiven",
            )
        )
    for invoice_id, lines in twin.lines.items():
        name = mark(twin.invoice(invoice_id).customer_id or "")
        twin.lines[invoice_id] = tuple(replace(one, description=name) for one in lines)
    for table in (twin.payment_intents, twin.payment_records):
        for source in list(table):
            name = mark(source.customer_id or "cus_zqnobody")
            signed = replace(source, description=name, metadata=(("owner", name),))
            table.put(signed)
    records_by_owner = {one.customer_id: one.id for one in twin.payment_records}
    for intent in list(twin.payment_intents):
        record_id = records_by_owner.get(intent.customer_id)
        twin.payment_intents.put(replace(intent, payment_record_id=record_id))
    for note in list(twin.credit_notes):
        twin.credit_notes.put(replace(note, memo=mark(note.customer_id or "")))
