"""The house in figures: how much there is of it, and what an operation costs. `make figures`.

It reads the source and runs one gateway over a sandbox in this process. Figures to compare, with
no limits; what must hold is a test.
"""

from __future__ import annotations

import ast
import asyncio
import re
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import grimp

from gateway.execution.operation import Answer, OperationRequest
from schema.ports import Viewer
from tests.stripe_mode.world import World, stripe_world

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "schema")
SANDBOX = str(ROOT / "gateway" / "sandbox")
SHORT_LINES = 50
PAYMENTS = 25
VIEWER = Viewer("operator")

Row = tuple[str, object]
T = TypeVar("T")


def main() -> None:
    rows = [*of_the_source(), *asyncio.run(of_operations())]
    width = max(len(name) for name, _ in rows)
    sys.stdout.writelines(f"| {name:{width}} | {value:>8} |\n" for name, value in rows)


@cache
def modules() -> dict[Path, str]:
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path: path.read_text() for path in found}


def of_the_source() -> Iterator[Row]:
    lines = {path: text.count("\n") for path, text in modules().items()}
    named = Counter(path.stem for path in lines if path.stem != "__init__")
    shared = {name: count for name, count in named.items() if count > 1}
    short = [path for path, count in lines.items() if count < SHORT_LINES and path.stem[0] != "_"]
    yield "lines of source", sum(lines.values())
    yield "modules", len(lines)
    yield f"modules under {SHORT_LINES} lines, without __init__", len(short)
    yield "names that modules share", len(shared)
    yield "modules that share a name", sum(shared.values())
    yield "settings", (ROOT / "docs" / "settings.md").read_text().count("\n| `")
    yield "type ignores", sum(text.count("# type: ignore") for text in modules().values())
    yield "median length of a function", statistics.median(lengths_of_functions())
    for name, circles in (("imports", circles_of(True)), ("imports and types", circles_of(False))):
        yield f"circles of {name}", len(circles)
        yield f"modules in circles of {name}", sum(map(len, circles))


def lengths_of_functions() -> list[int]:
    """Lines from `def` to the end, docstring and all."""
    return [
        (node.end_lineno or 0) - node.lineno + 1
        for text in modules().values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def circles_of(without_types: bool) -> list[set[str]]:
    """Modules that import each other in the end; imports within functions count, too."""
    graph = grimp.build_graph(
        *PACKAGES, exclude_type_checking_imports=without_types, cache_dir=None
    )
    left, circles = set(graph.modules), []
    while left:
        module = left.pop()
        mutual = graph.find_downstream_modules(module) & graph.find_upstream_modules(module)
        left -= mutual
        if mutual - {module}:
            circles.append(mutual | {module})
    return circles


def ours(frame: FrameType) -> bool:
    """Whether a function is the gateway's, and not called for the sandbox, which is Stripe here."""
    path = frame.f_code.co_filename
    if not path.startswith(tuple(f"{ROOT / package}/" for package in PACKAGES)):
        return False
    above: FrameType | None = frame
    while above is not None:
        if above.f_code.co_filename.startswith(SANDBOX):
            return False
        above = above.f_back
    return True


async def counted(work: Awaitable[T]) -> tuple[T, Counter[str]]:
    """The outcome, and how often our functions of each file were called or gone on with."""
    calls: Counter[str] = Counter()

    def seen(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and ours(frame):
            calls[str(Path(frame.f_code.co_filename).relative_to(ROOT))] += 1

    sys.setprofile(seen)
    try:
        return await work, calls
    finally:
        sys.setprofile(None)


INVOICE = "query ($id: ID!) { invoice(id: $id) { id status amountDue { minorUnits } } }"
PAID = "invoice { id status payments { nodes { id status paymentIntent { id status } } } }"
OTHERS = "invoicePayments { nodes { id invoice { id status } } }"
DETACH = f"""mutation ($id: ID!, $intent: ID!, $key: String!) {{
  detachPayment(input: {{invoiceId: $id, paymentIntentId: $intent, idempotencyKey: $key}}) {{
    errors {{ message }} {PAID} %s }} }}"""
ATTACH = f"""mutation ($id: ID!, $intent: ID!, $key: String!) {{
  attachPayment(input: {{
    invoiceId: $id, payment: {{paymentIntentId: $intent}}, idempotencyKey: $key
  }}) {{ errors {{ message }} {PAID} %s }} }}"""
WRITES = {
    "detach": (DETACH, f"paymentIntent {{ id {OTHERS} }}"),
    "attach": (ATTACH, f"invoicePayment {{ paymentIntent {{ id {OTHERS} }} }}"),
}
MANY = f"""query ($id: ID!) {{ invoice(id: $id) {{
  id status payments(first: {PAYMENTS}) {{ nodes {{ id status %s }} }} %s }} }}"""


COLD = {
    "": ("", ""),
    ", intents": ("paymentIntent { id status }", ""),
    ", amountPaidOutOfBand": ("", "amountPaidOutOfBand { minorUnits }"),
    ", both": ("paymentIntent { id status }", "amountPaidOutOfBand { minorUnits }"),
}


async def of_operations() -> list[Row]:
    return [
        row for measured in (of_writes, of_a_long_list, of_our_calls) async for row in measured()
    ]


async def of_writes() -> AsyncIterator[Row]:
    async with stripe_world() as world:
        for name, (document, others) in WRITES.items():
            for what, more in (("", ""), (", the intent's other invoices", others)):
                calls = await calls_to_stripe(world, document % more, **staged(world, name))
                yield f"calls to Stripe: {name}, payments, intents{what}", calls


async def of_a_long_list() -> AsyncIterator[Row]:
    for what, more in COLD.items():
        async with stripe_world() as world:
            invoice_id, _ = world.stage.paid_by(*[10] * PAYMENTS)
            calls = await calls_to_stripe(world, MANY % more, id=invoice_id)
            yield f"calls to Stripe: cold invoice, {PAYMENTS} payments{what}", calls


async def of_our_calls() -> AsyncIterator[Row]:
    """Of a gateway that was just started, and has run nothing before."""
    async with stripe_world() as world:
        await idle(world)
        invoice_id = world.stage.open_invoice()
        for name in ("cold", "warm"):
            _, calls = await counted(ask(world, INVOICE, id=invoice_id))
            yield f"calls of our functions: {name} invoice", calls.total()
            yield f"files of ours that a {name} invoice crosses", len(calls)
        _, calls = await counted(ask(world, DETACH % "", **staged(world, "detach")))
        yield "calls of our functions: detach, payments, intents", calls.total()
        yield "files of ours that a detach crosses", len(calls)


def staged(world: World, name: str) -> dict[str, str]:
    """An invoice with an intent that is to be attached to it, or detached from it."""
    if name == "detach":
        invoice_id, (intent_id,) = world.stage.paid_by(1000)
    else:
        invoice_id, intent_id = world.stage.open_invoice(), world.stage.succeeded()
    return {"id": invoice_id, "intent": intent_id, "key": f"key-{intent_id}"}


async def calls_to_stripe(world: World, document: str, **variables: str) -> int:
    return int((await ask(world, document, **variables))["extensions"]["upstream"]["calls"])


async def ask(world: World, document: str, **variables: Any) -> dict[str, Any]:
    """The answer of the runner, without the web before it."""
    runner, request = world.served.gateway.runner, OperationRequest(document, variables)
    prepared = await runner.prepare(request, VIEWER)
    assert not isinstance(prepared, Answer), prepared.body
    body = (await runner.execute(prepared, request, VIEWER, "figures")).body
    assert "errors" not in body, body["errors"]
    assert '"message"' not in re.sub("'", '"', str(body["data"])), body["data"]
    return body


async def idle(world: World) -> None:
    """What a gateway asks at its start is through."""
    before = -1
    while before != len(world.sandbox.requests):
        before = len(world.sandbox.requests)
        for _ in range(1000):
            await asyncio.sleep(0)


if __name__ == "__main__":
    main()
