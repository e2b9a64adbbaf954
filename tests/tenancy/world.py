"""Two tenants and an operator before one gateway: over the twin, or over Stripe with its cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.events.hints import event_type
from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from gateway.sandbox.twin_events import hint_of
from schema.ports import EventOrigin
from tests.callers.desk import Desk, bearer
from tests.support.served import Served, serving
from tests.support.time_and_ids import ManualClock
from tests.tenancy.account import ACME, GLOBEX, INITECH, Account, copy_tables, make_account

CUSTOMERS_OF: dict[str, list[str] | None] = {
    "acme": [ACME],
    "globex": [GLOBEX],
    "holding": [ACME, INITECH],
    "colleague": [INITECH],
    "operator": None,
}
"""Callers, and whose objects each may see. The colleague is of Acme's tenant."""
TENANTS = {"colleague": "acme"}
HANG_SECONDS_MAX = 20.0
STRIPE: dict[str, Any] = {
    "backend": "stripe",
    "STRIPE_API_KEY": "sk_test_sandbox",
    "log": "memory",
    "stripe_calls_per_second": 1e6,
    "stripe_endpoint_calls_per_second": 1e6,
}


@dataclass(slots=True)
class World:
    """A served gateway, the account behind it, and the callers at its door."""

    served: Served
    account: Account
    desk: Desk
    sandbox: Sandbox | None = None
    told: int = 0
    """How many of the account's events the gateway has been told."""

    async def ask(self, caller: str, query: str, **variables: Any) -> dict[str, Any]:
        """The body of the answer to one operation."""
        text = await self.text(caller, query, **variables)
        body: dict[str, Any] = text[1]
        return body

    async def text(self, caller: str, query: str, **variables: Any) -> tuple[str, dict[str, Any]]:
        """The answer as it came over the wire, and its body."""
        headers = {"Accept": "application/graphql-response+json", **bearer(f"token-{caller}")}
        payload = {"query": query, "variables": variables}
        async with self.served.session.post(
            self.served.url / "graphql", json=payload, headers=headers
        ) as response:
            return await response.text(), await response.json()

    async def tell(self) -> None:
        """Let in what has happened at Stripe; the twin in the process tells it by itself."""
        gateway = self.served.gateway
        if gateway.deliveries is not None:
            await gateway.deliveries.idle.wait()
            return
        happened = list(self.account.twin.events)
        for event in happened[self.told :]:
            if event_type(event.type) is not None:
                hint = hint_of(event, gateway.reads.describe().account)
                await gateway.intake.receive(hint, EventOrigin.WEBHOOK)
        self.told = len(happened)

    async def stir(self) -> None:
        """Something happens to an invoice of each customer, and is told."""
        for owned in self.account.owned.values():
            invoice = self.account.twin.invoice(owned.open)
            self.account.twin.update_metadata(invoice.id, (*invoice.metadata, ("stirred", "yes")))
        await self.tell()

    def hidden_from(self, caller: str) -> set[str]:
        """Ids that the caller must not see."""
        customers = CUSTOMERS_OF[caller]
        assert customers is not None
        return self.account.hidden_from(frozenset(customers))


def admitted(folder: Path) -> Desk:
    """A clients file with every caller."""
    desk = Desk(folder / "clients.toml")
    for name, customers in CUSTOMERS_OF.items():
        fields: dict[str, Any] = {} if customers is None else {"customers": customers}
        desk.admit(name, tenant=TENANTS.get(name, name), **fields)
    return desk


@asynccontextmanager
async def memory(folder: Path, **settings: Any) -> AsyncIterator[World]:
    desk, model = admitted(folder), make_account(ManualClock())
    async with serving(clients_file=desk.path, data_dir=folder, **settings) as served:
        copy_tables(model.twin, served.twin)
        yield World(served, Account(served.twin, model.owned), desk)


@asynccontextmanager
async def stripe(folder: Path, **settings: Any) -> AsyncIterator[World]:
    clock, desk = ManualClock(), admitted(folder)
    account = make_account(clock)
    given = STRIPE | {"clients_file": desk.path, "data_dir": folder} | settings
    async with (
        running_sandbox(account.twin) as sandbox,
        serving(stripe_api_base=sandbox.url, **given) as served,
    ):
        clock.advance(served.clock.now() - clock.now())
        yield World(served, account, desk, sandbox)


BACKENDS = {"memory": memory, "stripe": stripe}


async def within_seconds(awaited: Any) -> Any:
    """The result, or a failure where it does not come."""
    async with asyncio.timeout(HANG_SECONDS_MAX):
        return await awaited
