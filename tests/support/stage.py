"""The stage that a test sets before it acts: customers, invoices and intents on a twin."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.backends.memory.twin import Twin
from schema import records
from tests.support.time_and_ids import CountingIds, ManualClock

ACME = "cus_acme"
GLOBEX = "cus_globex"


@dataclass(slots=True)
class Stage:
    """Sets up objects directly on the twin, with amounts in the smallest unit."""

    twin: Twin
    clock: ManualClock
    ids: CountingIds

    @classmethod
    def empty(cls) -> Stage:
        clock, ids = ManualClock(), CountingIds()
        twin = Twin(now=clock.now, new_id=ids.new)
        for customer_id in (ACME, GLOBEX):
            # The address is there for the net under the suite, which knows one when it is logged.
            address = f"{customer_id}@example.com"
            customer = records.Customer(customer_id, clock.now(), name=customer_id, email=address)
            twin.customers.put(customer)
        return cls(twin, clock, ids)

    def draft(
        self,
        amount: int = 1000,
        *,
        customer_id: str = ACME,
        currency: str = "usd",
        invoice_id: str | None = None,
        due_date: int | None = None,
    ) -> str:
        self.clock.advance(1)
        invoice = records.Invoice(
            id=invoice_id or self.ids.new("in"),
            created=self.clock.now(),
            currency=currency,
            customer_id=customer_id,
            status="draft",
            subtotal=amount,
            total=amount,
            amount_due=amount,
            amount_remaining=amount,
            due_date=due_date,
        )
        return self.twin.create_invoice(invoice, ()).id

    def delete_customer(self, customer_id: str) -> None:
        self.twin.delete_customer(customer_id)

    def open_invoice(
        self,
        amount: int = 1000,
        *,
        customer_id: str = ACME,
        currency: str = "usd",
        invoice_id: str | None = None,
    ) -> str:
        draft = self.draft(
            amount, customer_id=customer_id, currency=currency, invoice_id=invoice_id
        )
        return self.twin.finalize(draft, number=f"N-{draft}").id

    def intent(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = ACME,
        currency: str = "usd",
        status: str = "requires_payment_method",
        intent_id: str | None = None,
    ) -> str:
        self.clock.advance(1)
        intent = records.PaymentIntent(
            id=intent_id or self.ids.new("pi"),
            created=self.clock.now(),
            currency=currency,
            status="requires_payment_method",
            amount=amount,
            customer_id=customer_id,
        )
        self.twin.create_intent(intent)
        if status != intent.status:
            self.twin.progress(intent.id, status)
        return intent.id

    def succeeded(
        self, amount: int = 1000, *, customer_id: str = ACME, currency: str = "usd"
    ) -> str:
        return self.intent(amount, customer_id=customer_id, currency=currency, status="succeeded")

    def paid_by(self, *amounts: int, customer_id: str = ACME) -> tuple[str, list[str]]:
        """An invoice paid by one succeeded intent for each amount; invoice id and intent ids."""
        invoice_id = self.open_invoice(sum(amounts), customer_id=customer_id)
        intents = [self.succeeded(amount, customer_id=customer_id) for amount in amounts]
        for intent_id in intents:
            self.twin.attach(invoice_id, intent_id)
        return invoice_id, intents

    def payment_record(self, amount: int = 1000, *, customer_id: str | None = ACME) -> str:
        record = records.PaymentRecord(
            id=self.ids.new("pr"),
            created=self.clock.now(),
            currency="usd",
            amount=amount,
            customer_id=customer_id,
        )
        return self.twin.report_payment(record).id
