"""Stripe's side: a sandbox whose objects and answers hold what nobody may tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession

from gateway.backends.memory.twin import Twin
from gateway.clock import RandomIds, SystemClock
from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox, running_sandbox
from schema import records
from tests.canary.canaries import CANARIES

CUSTOMER = "cus_1"
MANY = 100
ANSWERS = (400, 401, 402, 403, 404, 409, 429, 500)


class Stage:
    """The account behind the gateway."""

    def __init__(self, sandbox: Sandbox, session: ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    def open_invoice(self, amount: int) -> str:
        twin = self.sandbox.twin
        invoice = records.Invoice(
            id=twin.new_id("in"),
            created=twin.now(),
            currency="usd",
            customer_id=CUSTOMER,
            status="draft",
            subtotal=amount,
            total=amount,
            amount_due=amount,
            amount_remaining=amount,
            description=CANARIES.description,
            customer_name=CANARIES.customer_name,
            customer_email=CANARIES.customer_email,
            metadata=(("note", CANARIES.metadata),),
        )
        return twin.finalize(twin.create_invoice(invoice, ()).id, number="N-1").id

    def succeeded(self, amount: int) -> str:
        twin = self.sandbox.twin
        intent = records.PaymentIntent(
            id=twin.new_id("pi"),
            created=twin.now(),
            currency="usd",
            status="requires_payment_method",
            amount=amount,
            customer_id=CUSTOMER,
            description=CANARIES.description,
            metadata=(("note", CANARIES.metadata),),
        )
        twin.create_intent(intent)
        twin.progress(intent.id, "succeeded")
        return intent.id

    def fail_next(self, status: int, path: str = "*") -> None:
        """Calls are answered as by Stripe when it quotes what it was sent, until it is mended: what
        the gateway does beside may call as well."""
        quoted = " ".join(
            (
                f"No such key: {CANARIES.stripe_key},",
                f"pi_1_secret_{CANARIES.quoted_by_stripe}, {CANARIES.customer_email}.",
            )
        )
        error = {"type": "invalid_request_error", "code": "odd", "message": quoted}
        body = {"error": {**error, "payment_intent": {"client_secret": quoted}}}
        self.sandbox.faults.add(
            Fault(FaultKind.ANSWER, status=status, body=body), path=path, times=MANY
        )

    def break_next(self, kind: FaultKind) -> None:
        self.sandbox.faults.add(kind, times=MANY)

    def slow_down_next(self, seconds: float, path: str) -> None:
        self.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=seconds), path=path)

    def sees(self, path_end: str) -> bool:
        """Whether it was asked for such a path."""
        return any(one.path.endswith(path_end) for one in self.sandbox.requests)

    def mend(self) -> None:
        self.sandbox.faults.clear()


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """By the clock of the wall, as signatures carry the time."""
    twin = Twin(now=SystemClock().now, new_id=RandomIds().new)
    twin.customers.put(
        records.Customer(
            CUSTOMER,
            twin.now(),
            name=CANARIES.customer_name,
            email=CANARIES.customer_email,
            metadata=(("note", CANARIES.metadata),),
        )
    )
    async with running_sandbox(twin) as sandbox, ClientSession() as session:
        yield Stage(sandbox, session)
