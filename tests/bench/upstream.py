"""What an operation costs upstream, and what the gateway adds. `make bench` prints the table.

Calls are counted at the sandbox. The time that the gateway adds is that of the operation less
that of the same calls made directly, one after the other; both are medians of interleaved
rounds. Warm, the cache answers. Never run as a timed test: only ratios count here.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.sandbox.stripe_api import Sandbox
from gateway.settings import Limits
from schema.ports import Viewer
from schema.root import make_schema
from tests.fetch_plan.test_calls import paid_invoice
from tests.support.stage import Stage
from tests.support.upstream import API_KEY, stripe_through_sandbox

ROUNDS = 15
VIEWER = Viewer("bench")
DEEP = "payments { nodes { id paymentIntent { id status } } }"
OPERATIONS = {
    "invoice, payments, intents, customer": (
        f"query ($id: ID!) {{ invoice(id: $id) {{ id customer {{ id }} {DEEP} }} }}"
    ),
    "50 invoices with payments": (
        "{ invoices(first: 50) { nodes { id payments { nodes { id } } } } }"
    ),
    "50 invoices, payments, intents": f"{{ invoices(first: 50) {{ nodes {{ id {DEEP} }} }} }}",
    "intent, its payments, their invoices": (
        "query ($intent: ID!) { paymentIntent(id: $intent) { id invoicePayments { nodes { "
        "id invoice { id status } } } } }"
    ),
}


@dataclass(slots=True)
class Bench:
    """A runner over a cache that can be emptied, and the sandbox behind it."""

    sandbox: Sandbox
    runner_of: Callable[[], GraphQLRunner]
    variables: dict[str, Any]
    runner: GraphQLRunner = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.runner = self.runner_of()

    async def ask(self, query: str) -> float:
        """Seconds that the operation takes."""
        request = OperationRequest(query, self.variables)
        prepared = await self.runner.prepare(request, VIEWER)
        assert not isinstance(prepared, Answer), prepared.body
        start = time.perf_counter()
        answer = await self.runner.execute(prepared, request, VIEWER, "bench")
        took = time.perf_counter() - start
        assert "errors" not in answer.body, answer.body["errors"]
        return took

    async def calls_of(self, query: str) -> list[str]:
        """The paths with queries that the operation asks the sandbox for."""
        self.sandbox.requests.clear()
        await self.ask(query)
        return [flat(one.path, one.params) for one in self.sandbox.requests]

    async def direct(self, session: ClientSession, calls: list[str]) -> float:
        """Seconds that the same calls take without the gateway."""
        start = time.perf_counter()
        for call in calls:
            async with session.get(self.sandbox.url + call) as response:
                body = await response.read()
                assert response.status == 200, body
        return time.perf_counter() - start


def flat(path: str, params: dict[str, Any]) -> str:
    """A call as it goes over the wire, brackets and all."""
    pairs = list(_pairs(params))
    return path + ("?" + "&".join(f"{name}={value}" for name, value in pairs) if pairs else "")


def _pairs(params: Any, prefix: str = "") -> Any:
    items = params.items() if isinstance(params, dict) else enumerate(params)
    for name, value in items:
        key = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, dict | list):
            yield from _pairs(value, key)
        else:
            yield key, value


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    stage = Stage.empty()
    for _ in range(50):
        stage.clock.advance(10)
        invoice_id = paid_invoice(stage, 3)
    payment = stage.twin.invoice_payments.matching("invoice_id", invoice_id)[0]
    tokens = itertools.count()
    async with stripe_through_sandbox(stage.twin) as (stripe, sandbox):

        def runner() -> GraphQLRunner:
            store = CacheStore(BoundedMemoryCache(time.monotonic))
            caching = CachingReads(stripe, store, lambda: f"tok_{next(tokens)}", time.monotonic)
            feed = Feed(MemoryEventLog("bench"))
            return GraphQLRunner(
                make_schema(), caching, stripe, feed, limits=Limits(), warm_answers=False
            )

        yield Bench(sandbox, runner, {"id": invoice_id, "intent": payment.source_id})


async def measure() -> str:
    lines = [f"{'':40}{'cold':>26}{'warm':>22}", f"{'':40}{'calls    ms   added ms':>26}"]
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with bench() as one, ClientSession(headers=headers) as session:
        for name, query in OPERATIONS.items():
            one.forget()
            calls = await one.calls_of(query)
            cold, added, warm = [], [], []
            for _ in range(ROUNDS):
                one.forget()
                seconds = await one.ask(query)
                direct = await one.direct(session, calls)
                cold.append(seconds)
                added.append(seconds - direct)
                warm.append(await one.ask(query))
            warm_calls = len(await one.calls_of(query))
            cells = [statistics.median(rounds) * 1e3 for rounds in (cold, added, warm)]
            lines.append(
                f"{name:40}{len(calls):8}{cells[0]:8.1f}{cells[1]:10.1f}"
                f"{warm_calls:8} calls{cells[2]:7.2f} ms"
            )
    return "\n".join(lines)


def main() -> None:
    sys.stdout.write(asyncio.run(measure()) + "\n")


if __name__ == "__main__":
    main()
