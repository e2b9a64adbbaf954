"""A stage on a twin: in process, in the twin's own time."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.ledger.book import with_balance
from schema.ports import CreditNoteDraft
from tests.contract.staging import Stage
from tests.support import stage as support


class TwinStage(Stage):
    """See `tests.contract.staging.Stage`; each has a twin of its own."""

    run = "run_0001"
    acme = support.ACME
    globex = support.GLOBEX

    def __init__(self, direct: support.Stage) -> None:
        self._direct = direct

    def now(self) -> int:
        return self._direct.clock.now()

    async def draft(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        due_date: int | None = None,
    ) -> str:
        return self._direct.draft(
            amount, customer_id=customer_id or self.acme, currency=currency, due_date=due_date
        )

    async def finalize(self, invoice_id: str) -> None:
        self._direct.twin.finalize(invoice_id, number=f"N-{invoice_id}")

    async def intent(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        status: str = "requires_payment_method",
    ) -> str:
        return self._direct.intent(
            amount, customer_id=customer_id or self.acme, currency=currency, status=status
        )

    async def payment_record(self, amount: int = 1000) -> str:
        return self._direct.payment_record(amount)

    async def attach(self, invoice_id: str, source_id: str) -> None:
        self._direct.twin.attach(invoice_id, source_id)

    async def detach(self, invoice_id: str, intent_id: str) -> None:
        self._direct.twin.detach(invoice_id, intent_id)

    async def set_balance(self, balance: int) -> None:
        twin = self._direct.twin
        customer = twin.customers.get(self.acme)
        assert customer is not None
        twin.enter_customer(with_balance(customer, "usd", balance))

    async def void(self, invoice_id: str) -> None:
        self._direct.twin.void(invoice_id)

    async def credit(self, invoice_id: str, amount: int) -> str:
        return self._direct.twin.credit(CreditNoteDraft(invoice_id, amount)).id

    async def payments_of(self, invoice_id: str) -> Mapping[str, str]:
        return {one.source_id: one.id for one in self._direct.twin.book(invoice_id).payments}

    async def delete_customer(self, customer_id: str) -> None:
        self._direct.delete_customer(customer_id)
