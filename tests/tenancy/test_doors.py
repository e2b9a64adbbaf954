"""What one tenant uses up is not missing for another."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from tests.callers.desk import WHO
from tests.tenancy.streams import TRANSPORTS
from tests.tenancy.world import memory, within_seconds

STREAM = "subscription { invoicePaymentEvents { __typename } }"


async def test_budgets_are_apart(tmp_path: Path) -> None:
    async with memory(tmp_path, cost_per_minute=3) as world:
        spent = [await world.ask("acme", WHO) for _ in range(4)]

        other = await world.ask("globex", WHO)

    assert spent[-1]["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert other["extensions"]["cost"]["remaining"] == 2


@pytest.mark.parametrize(
    ("transport", "ceiling"),
    [("sse", "streams_per_viewer_max"), ("websocket", "sockets_per_viewer_max")],
)
async def test_streams_and_sockets_are_counted_apart(
    transport: str, ceiling: str, tmp_path: Path
) -> None:
    """Acme has taken its only place, and Globex has one still."""
    opened = TRANSPORTS[transport]
    async with memory(tmp_path, **{ceiling: 1}) as world, AsyncExitStack() as stack:
        for caller in ("acme", "globex"):
            stream = await stack.enter_async_context(aclosing(opened(world, caller, STREAM, {})))

            first = await within_seconds(anext(stream))

            assert first["data"]["invoicePaymentEvents"]["__typename"] == "StreamCheckpoint"
