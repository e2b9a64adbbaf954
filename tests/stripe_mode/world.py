"""Stripe's backend as a whole, served on the loopback with its cache, against a sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from tests.support.served import Served, serving
from tests.support.stage import Stage
from tests.webhooks.signing import SECRET, signed

STATUS = "query ($id: ID!) { invoice(id: $id) { status } }"
INTENT_STATUS = "query ($id: ID!) { paymentIntent(id: $id) { status } }"
HANG_SECONDS_MAX = 20.0


@dataclass(slots=True)
class World:
    """A served gateway and the account behind it, whose events come when the test sends them."""

    served: Served
    sandbox: Sandbox
    stage: Stage

    async def status(self, invoice_id: str) -> str:
        answer = await self.served.data(STATUS, id=invoice_id)
        status: str = answer["invoice"]["status"]
        return status

    async def intent_status(self, intent_id: str) -> str:
        answer = await self.served.data(INTENT_STATUS, id=intent_id)
        status: str = answer["paymentIntent"]["status"]
        return status

    async def cached_status(self, invoice_id: str) -> str:
        """Asked until Stripe is asked no more: then it came from the cache."""
        async with asyncio.timeout(HANG_SECONDS_MAX):
            while True:
                asked_before = len(self.sandbox.requests)
                status = await self.status(invoice_id)
                if len(self.sandbox.requests) == asked_before:
                    return status

    async def webhook(self, body: bytes) -> int:
        headers = {"Stripe-Signature": signed(body, self.served.clock.now())}
        url = self.served.url / "webhooks" / "stripe"
        async with self.served.session.post(url, data=body, headers=headers) as response:
            return response.status

    def bodies(self, *types: str) -> list[bytes]:
        return [one.body for one in self.sandbox.account.events if one.type in types]


@asynccontextmanager
async def stripe_world(**settings: Any) -> AsyncIterator[World]:
    """A gateway with its log in memory, and with whatever else the settings say."""
    stage = Stage.empty()
    async with (
        running_sandbox(stage.twin) as sandbox,
        serving(
            backend="stripe",
            STRIPE_API_KEY="sk_test_sandbox",
            stripe_api_base=sandbox.url,
            stripe_calls_per_second=1e6,
            stripe_endpoint_calls_per_second=1e6,
            log="memory",
            **{"stripe_webhook_secrets": SECRET} | settings,
        ) as served,
    ):
        stage.clock.advance(served.clock.now() - stage.clock.now())
        yield World(served, sandbox, stage)
