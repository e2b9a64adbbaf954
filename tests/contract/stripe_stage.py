"""A stage on a Stripe account, driven by nothing but Stripe's REST API.

It is the same for Stripe's test mode and for the sandbox. What it makes stays in the account,
marked with the name of its run: Stripe keeps finalized invoices and payments for good.
Source: https://docs.stripe.com/invoicing/partial-payments and https://docs.stripe.com/testing,
2026-10-28.endive; detaching is 2026-09-30.preview.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import WriteRejected
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION
from schema.ports import Meter
from tests.contract.staging import Stage

DAYS_UNTIL_DUE = 30
PAYMENTS_MAX = 100
"""Of one invoice; no test makes as many as Stripe puts on a page."""
PAID_BY_CARD = {
    "payment_method": "pm_card_visa",
    "confirm": True,
}

Apart = Callable[[], AbstractAsyncContextManager[None]]
"""Surrounds a call that makes something, so that no two are made in the same second."""


class OneSecondApart:
    """Stripe tells time in whole seconds, and lists what is as old in an order of its own."""

    def __init__(
        self, *, sleep: Callable[[float], Awaitable[None]], monotonic: Callable[[], float]
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._free_at = monotonic()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        await self._sleep(max(0.0, self._free_at - self._monotonic()))
        yield
        self._free_at = self._monotonic() + 1.0


class StripeStage(Stage):
    """See `tests.contract.staging.Stage`. Made by `opened`."""

    def __init__(self, api: StripeApi, *, run: str, apart: Apart) -> None:
        self.run = run
        self._api = api
        self._apart = apart
        self._keys = count(1)
        self._newest = 0

    @classmethod
    async def opened(cls, api: StripeApi, *, run: str, apart: Apart) -> StripeStage:
        """A stage with its two customers in place."""
        stage = cls(api, run=run, apart=apart)
        stage.acme = await stage._customer("acme")
        stage.globex = await stage._customer("globex")
        return stage

    async def _customer(self, name: str) -> str:
        """With an address for mail, which Stripe wants of whoever is sent an invoice."""
        email = f"{name}@example.com"
        return await self._made("/v1/customers", {"name": f"{name} {self.run}", "email": email})

    def now(self) -> int:
        return self._newest

    async def draft(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        due_date: int | None = None,
    ) -> str:
        """Never finalized by Stripe itself, and without what may wait on the customer."""
        customer = customer_id or self.acme
        due = {"days_until_due": DAYS_UNTIL_DUE} if due_date is None else {"due_date": due_date}
        given = {
            "customer": customer,
            "currency": currency,
            "collection_method": "send_invoice",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
        }
        async with self._apart():
            invoice_id = await self._made("/v1/invoices", given | due)
        line = {"customer": customer, "invoice": invoice_id, "amount": amount, "currency": currency}
        await self._made("/v1/invoiceitems", {**line, "description": "one line"})
        return invoice_id

    async def finalize(self, invoice_id: str) -> None:
        await self._post(f"/v1/invoices/{invoice_id}/finalize", {"auto_advance": False})

    async def intent(
        self,
        amount: int = 1000,
        *,
        customer_id: str | None = None,
        currency: str = "usd",
        status: str = "requires_payment_method",
    ) -> str:
        given = {
            "amount": amount,
            "currency": currency,
            "customer": customer_id or self.acme,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
        paid = PAID_BY_CARD if status == "succeeded" else {}
        async with self._apart():
            intent_id = await self._made("/v1/payment_intents", given | paid)
        if status == "canceled":
            await self._post(f"/v1/payment_intents/{intent_id}/cancel", {})
        return intent_id

    async def payment_record(self, amount: int = 1000) -> str:
        paid_at = self.now()
        given = {
            "amount_requested": {"currency": "usd", "value": amount},
            "customer_details": {"customer": self.acme},
            "initiated_at": paid_at,
            "outcome": "guaranteed",
            "guaranteed": {"guaranteed_at": paid_at},
            "payment_method_details": {"type": "custom", "custom": {"display_name": "In cash"}},
        }
        return await self._made("/v1/payment_records/report_payment", given)

    async def attach(self, invoice_id: str, source_id: str) -> None:
        source_type = "payment_intent" if source_id.startswith("pi_") else "payment_record"
        async with self._apart():
            await self._post(f"/v1/invoices/{invoice_id}/attach_payment", {source_type: source_id})

    async def detach(self, invoice_id: str, intent_id: str) -> None:
        path = f"/v1/invoices/{invoice_id}/detach_payment"
        await self._post(path, {"payment_intent": intent_id}, version=PREVIEW_VERSION)

    async def set_balance(self, balance: int) -> None:
        await self._post(f"/v1/customers/{self.acme}", {"balance": balance})

    async def void(self, invoice_id: str) -> None:
        await self._post(f"/v1/invoices/{invoice_id}/void", {})

    async def credit(self, invoice_id: str, amount: int) -> str:
        async with self._apart():
            made = await self._post("/v1/credit_notes", {"invoice": invoice_id, "amount": amount})
        return str(made["id"])

    async def payments_of(self, invoice_id: str) -> Mapping[str, str]:
        where = {"invoice": invoice_id, "limit": PAYMENTS_MAX}
        page = await self._api.get("/v1/invoice_payments", where, Meter(self.run))
        return {one["payment"][one["payment"]["type"]]: one["id"] for one in page["data"]}

    async def delete_customer(self, customer_id: str) -> None:
        await self._api._stripe().raw_request_async("delete", f"/v1/customers/{customer_id}")

    async def _made(self, path: str, given: Mapping[str, Any]) -> str:
        """The id of a new object that carries the name of the run."""
        metadata = {"metadata": {"contract_run": self.run}}
        return str((await self._post(path, {**given, **metadata}))["id"])

    async def _post(
        self, path: str, given: Mapping[str, Any], *, version: str | None = None
    ) -> dict[str, Any]:
        """Stripe's answer; what the account refuses ends the test with Stripe's own words."""
        key = f"{self.run}-{next(self._keys)}"
        try:
            result = await self._api.post(
                path, given, Meter(self.run), idempotency_key=key, version=version
            )
        except WriteRejected as refused:
            why = f"{refused.message} ({refused.param}, {refused.request_id})"
            raise AssertionError(f"the stage could not be set, {path}: {why}") from refused
        self._newest = max(self._newest, result.body.get("created") or 0)
        return result.body
