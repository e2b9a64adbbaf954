"""Subscribers that never read: they cost a bounded amount of memory, are ended, and forgotten."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.crash.processes import GatewayProcess, data
from tests.crash.unread import unread
from tests.crash.waiting import until_true
from tests.crash.writers import ATTACH, DETACH
from tests.support.served import serving

SUBSCRIBERS = int(os.environ.get("GATEWAY_UNREAD_SUBSCRIBERS", "100"))
"""Each has buffers of its own, so that a hundred show what each costs; `make test-memory` takes
a thousand."""
PAIRS = 8
"""Detach and attach are seven events together, each of about 100 kB: more than the systems of
both sides take for a reader that does not read (4 MB, as Linux comes)."""
DESCRIPTION_BYTES = 100_000
EVENT_BYTES_MAX = DESCRIPTION_BYTES + 10_000
HIGH_WATER_BYTES = 64 * 1024
CONNECTION_BYTES_MAX = 64 * 1024
PER_SUBSCRIBER_BYTES_MAX = CONNECTION_BYTES_MAX + HIGH_WATER_BYTES + 3 * EVENT_BYTES_MAX
"""What waits to be sent before the gateway waits for the reader, and the one event in hand: its
JSON, its frame, and the part of it that waits to be sent."""
STALL_SECONDS = 2
"""Half of them are event streams, which have no pings: nothing else than this ends those."""
LATE, NEVER = 2, 4
WRITTEN = {"invoice": "in_1", "intent": "pi_2"}


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """An invoice paid by two, with a long text, so that few events fill what a system takes."""
    intents = [
        {"id": one, "customer": "cus_1", "currency": "usd", "amount": 500, "status": "succeeded"}
        for one in ("pi_1", "pi_2")
    ]
    invoice = {"id": "in_1", "customer": "cus_1", "currency": "usd", "total": 1000}
    content: dict[str, Any] = {
        "customers": [{"id": "cus_1"}],
        "payment_intents": intents,
        "invoices": [invoice | {"description": "x" * DESCRIPTION_BYTES}],
        "invoice_payments": [
            {"id": f"inpay_{at}", "invoice": "in_1", "payment": {"payment_intent": one["id"]}}
            for at, one in enumerate(intents)
        ],
    }
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps(content))
    return path


def memory_bytes(pid: int, name: str) -> int:
    """`VmRSS` is what the process holds now, `VmHWM` the most that it ever held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name} of {pid}")


def sockets(pid: int) -> int:
    """How many the process has open, the listening one among them."""
    return sum("socket:" in _target(one) for one in Path(f"/proc/{pid}/fd").iterdir())


def _target(link: Path) -> str:
    """Where it leads; nowhere, if it was closed while the folder was read."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="another process is looked at in /proc")
async def test_memory_stays_flat_and_every_connection_is_ended(
    fixtures: Path, tmp_path: Path
) -> None:
    """Events that nobody takes pile up nowhere, and a connection that takes nothing is aborted."""
    gateway = GatewayProcess(tmp_path)
    gateway.configure(
        backend="memory",
        fixtures=str(fixtures),
        sockets_per_viewer_max=str(SUBSCRIBERS),
        streams_per_viewer_max=str(SUBSCRIBERS),
    )
    await gateway.start()
    try:
        async with ClientSession() as session:
            await data(session, gateway.url, "{ gateway { version } }")
            before = sockets(gateway.pid)
            async with unread(URL(gateway.url), SUBSCRIBERS):
                opened = sockets(gateway.pid)
                held = memory_bytes(gateway.pid, "VmRSS")

                await write_pairs(session, gateway.url)
                await until_true(lambda: sockets(gateway.pid) <= before, "the end of them all")
                grown = memory_bytes(gateway.pid, "VmHWM") - held
    finally:
        await gateway.close()

    assert opened == before + SUBSCRIBERS
    assert grown <= SUBSCRIBERS * PER_SUBSCRIBER_BYTES_MAX, f"{grown / SUBSCRIBERS:.0f} B for each"


async def test_late_readers_are_told_where_to_resume(fixtures: Path) -> None:
    """Who reads on in time gets a gap with where to resume and `complete`, and is forgotten."""
    async with (
        serving(fixtures=fixtures, stream_queue_max=4, stall_timeout_seconds=600) as served,
        unread(served.url, LATE) as subscribers,
    ):
        count = served.gateway.feed.subscriber_count
        await write_pairs(served.session, str(served.url))

        told = [await one.read_until(one.complete) for one in subscribers]
        left = served.gateway.feed.subscriber_count

    assert (count, left) == (LATE, 0)
    assert all(b"SLOW_CONSUMER" in one and b"resumesAt" in one for one in told)


async def test_who_never_reads_is_aborted_and_forgotten(fixtures: Path) -> None:
    async with (
        serving(fixtures=fixtures, stall_timeout_seconds=0.5) as served,
        unread(served.url, NEVER),
    ):
        assert served.gateway.feed.subscriber_count == NEVER
        await write_pairs(served.session, str(served.url))
        await until_true(lambda: served.gateway.feed.subscriber_count == 0, "nobody left")


async def write_pairs(session: ClientSession, url: str) -> None:
    for at in range(PAIRS):
        for name, write in (("detach", DETACH), ("attach", ATTACH)):
            answer = await data(session, url, write, **WRITTEN, key=f"{name}-{at}")
            assert answer[f"{name}Payment"]["errors"] == []
