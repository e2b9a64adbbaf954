"""The stage of the contract: what a test has in place before it acts, whoever keeps the account.

A test names objects by the ids that the stage returns and asks the stage for nothing that Stripe's
API could not tell, so that the same test runs on a twin and on a real account.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Stage(ABC):
    """Two fresh customers and what they owe and pay; amounts in the smallest unit.

    Whatever is made is there when the call returns, and younger than all that was made before it.
    The account may hold other objects.
    """

    run: str
    """This stage's name, unlike that of any other stage that ever used the account."""
    acme: str
    """A customer's id, taken where a test names none."""
    globex: str
    """Another customer's id."""

    @abstractmethod
    def now(self) -> int:
        """The account's time in epoch seconds: that of its newest object or later."""

    @abstractmethod
    async def draft(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        due_date: int | None = None,
    ) -> str:
        """A draft over one line; the invoice's id."""

    @abstractmethod
    async def finalize(self, invoice_id: str) -> None:
        """The draft becomes open, with Stripe's default payment."""

    @abstractmethod
    async def intent(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        status: str = "requires_payment_method",
    ) -> str:
        """A PaymentIntent that waits for a payment method, has succeeded, or is canceled."""

    @abstractmethod
    async def payment_record(self, amount: int = 1000) -> str:
        """Acme's money that came outside Stripe, in US dollars; the payment record's id."""

    @abstractmethod
    async def attach(self, invoice_id: str, source_id: str) -> None:
        """Attach the whole of a PaymentIntent or a payment record."""

    @abstractmethod
    async def detach(self, invoice_id: str, intent_id: str) -> None:
        """Take a PaymentIntent off its invoice."""

    @abstractmethod
    async def set_balance(self, balance: int) -> None:
        """Acme's balance in US dollars, in Stripe's sign: credit is below zero."""

    @abstractmethod
    async def void(self, invoice_id: str) -> None:
        """Void an open invoice."""

    @abstractmethod
    async def credit(self, invoice_id: str, amount: int) -> str:
        """Issue a credit note; its id."""

    @abstractmethod
    async def payments_of(self, invoice_id: str) -> Mapping[str, str]:
        """The ids of the invoice's payments, by the id of what pays."""

    @abstractmethod
    async def delete_customer(self, customer_id: str) -> None:
        """Delete the customer; its invoices stay."""

    async def open_invoice(
        self, amount: int = 1000, *, customer_id: str | None = None, currency: str = "usd"
    ) -> str:
        """A finalized invoice over one line; its id."""
        invoice_id = await self.draft(amount, customer_id=customer_id, currency=currency)
        await self.finalize(invoice_id)
        return invoice_id

    async def succeeded(self, amount: int = 1000, *, customer_id: str | None = None) -> str:
        """A PaymentIntent whose money has come; its id."""
        return await self.intent(amount, customer_id=customer_id, status="succeeded")

    async def paid_by(self, *amounts: int, customer_id: str | None = None) -> tuple[str, list[str]]:
        """An invoice paid by one succeeded intent for each amount; invoice id and intent ids."""
        invoice_id = await self.open_invoice(sum(amounts), customer_id=customer_id)
        intents = [await self.succeeded(amount, customer_id=customer_id) for amount in amounts]
        for intent_id in intents:
            await self.attach(invoice_id, intent_id)
        return invoice_id, intents
