"""Stripe's side of the tests: a sandbox in this process, which outlives every gateway.

Its webhooks go to one address, are retried soon, and tell how each attempt was answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from aiohttp import ClientSession

from gateway.backends.memory.twin import Twin
from gateway.clock import RandomIds, SystemClock
from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from schema import records
from tests.crash.processes import GatewayProcess

RETRY_DELAYS_SECONDS = (0.2,) * 200
"""Stripe's are hours; what counts is that it comes again until it is taken."""
CUSTOMER = "cus_crash"


@dataclass(slots=True)
class World:
    """The account, and a session for the clients of its gateways."""

    sandbox: Sandbox
    session: ClientSession

    @property
    def twin(self) -> Twin:
        return self.sandbox.twin

    def open_invoice(self, amount: int) -> str:
        invoice = records.Invoice(
            id=self.twin.new_id("in"),
            created=self.twin.now(),
            currency="usd",
            customer_id=CUSTOMER,
            status="draft",
            subtotal=amount,
            total=amount,
            amount_due=amount,
            amount_remaining=amount,
        )
        draft = self.twin.create_invoice(invoice, ())
        return self.twin.finalize(draft.id, number=f"N-{draft.id}").id

    def succeeded(self, amount: int) -> str:
        """An intent that has its money, free to be attached."""
        intent = records.PaymentIntent(
            id=self.twin.new_id("pi"),
            created=self.twin.now(),
            currency="usd",
            status="requires_payment_method",
            amount=amount,
            customer_id=CUSTOMER,
        )
        self.twin.create_intent(intent)
        self.twin.progress(intent.id, "succeeded")
        return intent.id

    def paid_by_two(self, amount: int) -> tuple[str, str]:
        """An invoice paid by two intents of this amount each, and the second of them."""
        invoice_id = self.open_invoice(2 * amount)
        intents = [self.succeeded(amount) for _ in range(2)]
        for intent_id in intents:
            self.twin.attach(invoice_id, intent_id)
        return invoice_id, intents[1]

    def attached(self, invoice_id: str) -> list[str]:
        """The intents whose money counts for the invoice now."""
        found = self.twin.invoice_payments.matching("invoice_id", invoice_id)
        return sorted(one.source_id for one in found if one.status == "paid")

    def event_ids(self, *types: str) -> list[str]:
        """What has happened so far, by the beginning of its type."""
        return [one.id for one in self.sandbox.account.events if one.type.startswith(types)]

    def answers(self, event_id: str) -> list[int | None]:
        """How each attempt to deliver the event was answered."""
        sent = self.sandbox.webhooks.deliveries
        return [one.status for one in sent if one.event_id == event_id]

    async def point_webhooks_at(self, gateway: GatewayProcess) -> None:
        """Register the address, or move it; what waits for its retry goes there too."""
        url = f"{gateway.url}/webhooks/stripe"
        endpoints = self.sandbox.account.webhook_endpoints
        for endpoint in list(endpoints):
            endpoints.put(replace(endpoint, url=url))
            return
        async with self.session.post(
            f"{self.sandbox.url}/v1/webhook_endpoints",
            data={"url": url, "enabled_events[0]": "*"},
            headers={"Authorization": "Bearer sk_test_sandbox"},
        ) as response:
            assert response.status == 200, await response.text()

    def introduce(self, gateway: GatewayProcess) -> None:
        """Tell a gateway where Stripe is, and how to know its webhooks."""
        secrets = [one.secret for one in self.sandbox.account.webhook_endpoints]
        gateway.configure(
            stripe_api_base=self.sandbox.url, stripe_webhook_secrets=",".join(secrets)
        )


@asynccontextmanager
async def made_world() -> AsyncIterator[World]:
    """By the clock of the wall, as signatures carry the time."""
    twin = Twin(now=SystemClock().now, new_id=RandomIds().new)
    twin.customers.put(records.Customer(CUSTOMER, twin.now(), name=CUSTOMER))
    async with (
        running_sandbox(twin, retry_delays_seconds=RETRY_DELAYS_SECONDS) as sandbox,
        ClientSession() as session,
    ):
        yield World(sandbox, session)
