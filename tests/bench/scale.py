"""Does a list's cost depend on the page, or on what is held? `make bench` prints the table.

A thousand, a hundred thousand and a million invoices, each with a payment and its PaymentIntent,
in one process. Rounds are interleaved over the sizes, and only ratios to the smallest count:
the machine is shared and noisy. Never run as a timed test.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.backends.memory.backend import MemoryBackend
from gateway.backends.memory.twin import Twin
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from schema.ports import Viewer
from schema.root import make_schema
from tests.support.many_invoices import generate
from tests.support.time_and_ids import CountingIds, ManualClock

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 60
VIEWER = Viewer("bench")
SEED = 7
FIELDS = "id status total { minorUnits } payments { nodes { id paymentIntent { id status } } }"
OPERATIONS = {
    "page of 50": f"{{ invoices(first: 50) {{ nodes {{ {FIELDS} }} }} }}",
    "filtered page of 50": (
        "{ invoices(first: 50, filter: {status: OPEN, collectionMethod: SEND_INVOICE}) "
        f"{{ nodes {{ {FIELDS} }} }} }}"
    ),
    "lookup": f"query ($id: ID!) {{ invoice(id: $id) {{ {FIELDS} }} }}",
    "reverse lookup": (
        "query ($intent: ID!) { paymentIntent(id: $intent) { id invoicePayments { nodes { "
        "invoice { id status } } } } }"
    ),
    "detach and attach": (
        "mutation ($id: ID!, $intent: ID!, $off: String!, $on: String!) { "
        "detachPayment(input: {invoiceId: $id, paymentIntentId: $intent, idempotencyKey: $off}) "
        "{ invoice { status } errors { code } } "
        "attachPayment(input: {invoiceId: $id, payment: {paymentIntentId: $intent}, "
        "idempotencyKey: $on}) { invoice { status } errors { code } } }"
    ),
}


@dataclass(slots=True)
class Held:
    """One size: its runner, and ids of paid invoices spread over the whole."""

    invoices: int
    runner: GraphQLRunner
    paid: list[tuple[str, str]]
    bytes_per_record: float
    round: int = 0

    async def ask(self, name: str) -> None:
        self.round += 1
        invoice_id, intent_id = self.paid[self.round * 7919 % len(self.paid)]
        variables: dict[str, Any] = {
            "id": invoice_id,
            "intent": intent_id,
            "off": f"off-{self.round}",
            "on": f"on-{self.round}",
        }
        request = OperationRequest(OPERATIONS[name], variables)
        prepared = await self.runner.prepare(request, VIEWER)
        assert not isinstance(prepared, Answer), prepared.body
        answer = await self.runner.execute(prepared, request, VIEWER, "bench")
        assert "errors" not in answer.body, answer.body
        if name == "detach and attach":
            for payload in orjson.loads(orjson.dumps(answer.body["data"])).values():
                assert not payload["errors"], payload


def resident_bytes() -> int:
    """What the process holds now; Linux only, as the bench is."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def hold(invoices: int) -> Held:
    twin = Twin(now=ManualClock(1_798_761_600).now, new_id=CountingIds().new)
    gc.collect()
    before = resident_bytes()
    generate(twin, invoices, seed=SEED)
    used = resident_bytes() - before
    tables = (twin.customers, twin.invoices, twin.invoice_payments, twin.payment_intents)
    records = sum(len(table) for table in tables)
    paid = [
        (payment.invoice_id, payment.source_id)
        for payment in twin.invoice_payments
        if payment.status == "paid"
    ]
    feed = Feed(MemoryEventLog("bench"))
    backend = MemoryBackend(twin)
    runner = GraphQLRunner(
        make_schema(), backend, backend, feed, limits=Limits(), warm_answers=False
    )
    return Held(invoices, runner, paid, used / records)


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def measure(held: list[Held], names: Iterable[str]) -> dict[str, list[list[float]]]:
    """Seconds by operation and size, one entry for each round, sizes interleaved."""
    seconds: dict[str, list[list[float]]] = {name: [[] for _ in held] for name in names}
    for name in seconds:
        for turn in range(ROUNDS + 5):
            for at, one in enumerate(held):
                took = await timed(lambda one=one, name=name: one.ask(name))  # type: ignore[misc]
                if turn >= 5:
                    seconds[name][at].append(took)
    return seconds


def table(held: list[Held], seconds: dict[str, list[list[float]]]) -> str:
    heads = [f"{one.invoices:,} invoices" for one in held]
    lines = [f"{'':22}" + "".join(f"{head:>24}" for head in heads)]
    for name, by_size in seconds.items():
        medians = [statistics.median(rounds) for rounds in by_size]
        cells = [f"{median * 1e6:9.0f} us  {median / medians[0]:5.2f}x" for median in medians]
        lines.append(f"{name:22}" + "".join(f"{cell:>24}" for cell in cells))
    cells = [f"{one.bytes_per_record:.0f} B" for one in held]
    lines.append(f"{'memory per record':22}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", default=list(OPERATIONS), choices=list(OPERATIONS))
    parser.add_argument("--json", type=Path, help="file for the seconds of the first operation")
    given = parser.parse_args()
    sizes = given.sizes
    held = []
    for size in sizes:
        sys.stderr.write(f"generating {size:,} invoices ...\n")
        held.append(hold(size))
    # Long-lived records are no garbage; without this each full collection looks at all of them.
    gc.collect()
    gc.freeze()
    seconds = asyncio.run(measure(held, given.only))
    sys.stdout.write(table(held, seconds) + "\n")
    if given.json is not None:
        by_size = zip(held, seconds[given.only[0]], strict=True)
        given.json.write_text(json.dumps({f"{one.invoices:,}": rounds for one, rounds in by_size}))


if __name__ == "__main__":
    main()
