"""Clients that attach and detach, retry each write with its own key, and write down what they
were told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientTimeout

from tests.crash.processes import GatewayProcess
from tests.crash.waiting import LOOK_SECONDS, WAIT_SECONDS_MAX
from tests.crash.world import World

ATTACH = """
mutation ($invoice: ID!, $intent: ID!, $key: String!) {
  attachPayment(input: {invoiceId: $invoice, payment: {paymentIntentId: $intent},
                        idempotencyKey: $key}) { errors { code message } replayed } }
"""
DETACH = """
mutation ($invoice: ID!, $intent: ID!, $key: String!) {
  detachPayment(input: {invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key}) {
    errors { code message } replayed } }
"""
MOVE = """
mutation ($from: ID!, $to: ID!, $intent: ID!, $key: String!) {
  reallocatePayment(input: {paymentIntentId: $intent, fromInvoiceId: $from, toInvoiceId: $to,
                            idempotencyKey: $key}) { errors { code message } replayed } }
"""
RETRIED = frozenset(
    {
        "IDEMPOTENCY_IN_PROGRESS",
        "UPSTREAM_OUTCOME_UNKNOWN",
        "UPSTREAM_UNAVAILABLE",
        "UPSTREAM_RATE_LIMITED",
    }
)


@dataclass(frozen=True, slots=True)
class Write:
    """One write that a gateway has acknowledged."""

    key: str
    type: str
    invoice_id: str
    intent_id: str
    attempts: int


@dataclass(slots=True)
class History:
    """What was acknowledged, in the order in which it was, and what was refused."""

    acknowledged: list[Write] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    noted: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Writer:
    """Attaches and detaches one intent by turns; nobody else touches that intent."""

    name: str
    world: World
    gateway: GatewayProcess
    history: History
    invoice_id: str
    intent_id: str

    async def write(self, count: int) -> None:
        """So many acknowledged writes, the first of them an attach."""
        for at in range(count):
            is_attach = at % 2 == 0
            await self.write_one("ATTACHED" if is_attach else "DETACHED", f"{self.name}-{at}")

    async def write_one(self, type: str, key: str) -> None:
        await self.ask(ATTACH if type == "ATTACHED" else DETACH, key, {type: self.invoice_id})

    async def ask(self, query: str, key: str, becomes: dict[str, str], **more: str) -> None:
        """Try with the same key until it is answered for good; then so much has happened to each
        invoice."""
        variables = {"invoice": self.invoice_id, "intent": self.intent_id, "key": key, **more}
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            attempts = 1
            while (errors := await self._attempt(query, variables)) is None:
                attempts += 1
                await asyncio.sleep(LOOK_SECONDS)
        if errors:
            self.history.refused.append((key, errors))
            return
        for type, invoice_id in becomes.items():
            write = Write(key, type, invoice_id, self.intent_id, attempts)
            self.history.acknowledged.append(write)
        self.history.noted()

    async def _attempt(self, query: str, variables: dict[str, str]) -> list[Any] | None:
        """The errors of the answer, none for a success; None to try again."""
        payload = {"query": query, "variables": variables}
        try:
            async with self.world.session.post(
                f"{self.gateway.url}/graphql", json=payload, timeout=ClientTimeout(total=10)
            ) as response:
                if response.status >= 500:
                    return None
                body = await response.json()
        except (ClientError, ConnectionError, TimeoutError):
            return None
        if body.get("errors"):
            refused: list[Any] = body["errors"]
            return refused
        (answer,) = body["data"].values()
        errors: list[Any] = answer["errors"]
        return None if {one["code"] for one in errors} & RETRIED else errors


@dataclass(slots=True)
class Mover(Writer):
    """Attaches its intent, and then moves it from one invoice to the other and back."""

    other_id: str = ""

    async def write(self, count: int) -> None:
        await self.write_one("ATTACHED", f"{self.name}-0")
        ends = (self.invoice_id, self.other_id)
        for at in range(1, count):
            becomes = {"DETACHED": ends[0], "ATTACHED": ends[1]}
            more = {"from": ends[0], "to": ends[1]}
            await self.ask(MOVE, f"{self.name}-{at}", becomes, **more)
            ends = ends[::-1]


@dataclass(slots=True)
class Stranger:
    """Another program at Stripe: the gateway learns of it by webhook alone."""

    world: World
    invoice_id: str
    intent_id: str
    changes: int = 0

    def change(self) -> None:
        """Attach the intent or take it off, by turns."""
        twin = self.world.twin
        step = twin.attach if self.changes % 2 == 0 else twin.detach
        step(self.invoice_id, self.intent_id)
        self.changes += 1
