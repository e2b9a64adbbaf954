"""What one caller's flood costs another: a plain query alone, and beside a hundred costly ones.

The gateway is a process of its own with the memory backend; both callers are programs with tokens.
Run it with `python -m tests.bench.flood [COSTLY]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, TCPConnector

from gateway.backends.memory.twin import Twin
from gateway.callers.clients import digest_of, entry_of
from gateway.clock import RandomIds, SystemClock
from gateway.sandbox.fixtures import write_fixtures
from tests.support.many_invoices import generate

INVOICES = 1000
SEED = 7
FLOODER, OTHER = "flooder", "other"
COSTLY = """{ invoices(first: 80) { nodes { id number status total { formatted }
  amountPaid { formatted } customer { id name } payments(first: 20) { nodes { id
  amountPaid { formatted } paymentIntent { id status amount { formatted } } } } } } }"""
PLAIN = "{ invoices(first: 1) { nodes { id status } } }"


@asynccontextmanager
async def gateway(directory: Path) -> AsyncIterator[str]:
    """The URL of a process with two callers and a thousand invoices."""
    twin = Twin(now=SystemClock().now, new_id=RandomIds().new)
    generate(twin, INVOICES, SEED)
    (directory / "fixtures.json").write_text(json.dumps(write_fixtures(twin)))
    entries = (entry_of(name, digest_of(name), ["invoices:read"], []) for name in (FLOODER, OTHER))
    (directory / "clients.toml").write_text("\n".join(entries))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", "serve", "--port", "0"),
        *("--fixtures", str(directory / "fixtures.json")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "GATEWAY_CLIENTS_FILE": str(directory / "clients.toml")},
    )
    assert process.stdout is not None
    greeting = ""
    while "Stop" not in greeting:
        greeting += (await process.stdout.readline()).decode()
    url = re.search(r"http://\S+", greeting)
    assert url is not None
    try:
        yield url[0]
    finally:
        process.terminate()
        await process.wait()


async def seconds(session: ClientSession, url: str, caller: str, query: str) -> float:
    """How long one operation took, which must have succeeded."""
    started = time.perf_counter()
    headers = {"Authorization": f"Bearer {caller}"}
    async with session.post(url, json={"query": query}, headers=headers) as response:
        body = await response.json()
    assert "data" in body, body
    return time.perf_counter() - started


async def measure(costly: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with (
            gateway(Path(directory)) as url,
            ClientSession(connector=TCPConnector(limit=0)) as session,
        ):
            await seconds(session, url, FLOODER, COSTLY)
            alone = [await seconds(session, url, OTHER, PLAIN) for _ in range(50)]
            one = await seconds(session, url, FLOODER, COSTLY)
            flood = [
                asyncio.create_task(seconds(session, url, FLOODER, COSTLY)) for _ in range(costly)
            ]
            beside = []
            while not all(task.done() for task in flood):
                beside.append(await seconds(session, url, OTHER, PLAIN))
            longest = max([await task for task in flood])
    sys.stdout.write(f"one costly query     {one * 1000:8.1f} ms\n")
    sys.stdout.write(f"plain, alone         {statistics.median(alone) * 1000:8.1f} ms (median)\n")
    sys.stdout.write(
        f"plain, beside {costly:6d} {statistics.median(beside) * 1000:8.1f} ms (median)\n"
    )
    sys.stdout.write(
        f"                     {max(beside) * 1000:8.1f} ms (longest of {len(beside)})\n"
    )
    sys.stdout.write(f"the flood's own last {longest * 1000:8.1f} ms\n")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
