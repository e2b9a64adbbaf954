"""One allowance for all replicas: what one takes the other has not, and Redis may be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from gateway.backends.stripe.rate_limit import LocalTokens
from gateway.backends.stripe.redis_rate_limit import AWAY_SECONDS, RedisTokens
from gateway.storage.redis_store import RedisStore
from tests.storage.redis_server import KINDS, RedisServer, free_port, prefix_of, shared_server
from tests.stripe_edge.conftest import Waits

SLOW = 0.01
"""Per second: a bucket of one, whose next token is far beyond the end of any test."""

READ, LIST = "get /v1/invoices/{id}", "get /v1/invoices"


class Replicas:
    """Makes one `RedisTokens` after the other, each with connections of its own."""

    def __init__(self, stack: AsyncExitStack, prefix: str, waits: Waits, url: str) -> None:
        self._stack = stack
        self._url = url
        self._prefix = prefix
        self._waits = waits

    def one(self, *, url: str | None = None, **rates: Any) -> RedisTokens:
        store = RedisStore.connect(url or self._url, prefix=self._prefix)
        self._stack.push_async_callback(store.close)
        rates = {"account_per_second": 1000, "endpoint_per_second": 1000, **rates}
        fallback = LocalTokens(monotonic=self._waits.monotonic, **rates)
        monotonic = self._waits.monotonic
        return RedisTokens(store, account="acct_1", fallback=fallback, monotonic=monotonic, **rates)


@pytest.fixture(params=KINDS)
async def replicas(
    tmp_path: Path, waits: Waits, request: pytest.FixtureRequest
) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        yield Replicas(stack, prefix_of(tmp_path), waits, shared_server(request.param).url)


async def test_allowance_of_the_account_is_shared(replicas: Replicas) -> None:
    """Twenty replicas are one caller to Stripe, whichever endpoint each of them calls."""
    first = replicas.one(account_per_second=SLOW)
    second = replicas.one(account_per_second=SLOW)

    waits = [await first.take(READ), await second.take(LIST)]

    assert waits == [0, pytest.approx(100, abs=5)]


async def test_allowance_of_an_endpoint_is_its_own(replicas: Replicas) -> None:
    """A busy list stops nobody from reading something else."""
    first = replicas.one(endpoint_per_second=SLOW)
    second = replicas.one(endpoint_per_second=SLOW)

    waits = [await first.take(LIST), await second.take(LIST), await second.take(READ)]

    assert waits == [0, pytest.approx(100, abs=5), 0]


async def test_refused_call_takes_nothing(replicas: Replicas) -> None:
    """Both tokens are taken, or none: the account does not pay for a full endpoint."""
    tokens = replicas.one(account_per_second=3, endpoint_per_second=SLOW)
    await tokens.take(LIST)

    refused = [await tokens.take(LIST) for _ in range(20)]

    assert min(refused) > 0
    assert await tokens.take(READ) == 0


async def test_what_is_to_be_left_free_is_not_taken(replicas: Replicas) -> None:
    """Clients of all replicas leave the same share to the gateway's own calls, on any of them."""
    slow = {"account_per_second": 5.0, "endpoint_per_second": 5.0}
    tokens = replicas.one(**slow)

    clients = [await tokens.take(READ, 0.4) for _ in range(4)]
    own = await replicas.one(**slow).take(READ)

    assert [one > 0 for one in clients] == [False, False, False, True]
    assert own == 0


async def test_tokens_come_back_with_time(replicas: Replicas) -> None:
    """Redis's own clock fills the buckets, so that replicas need not agree on theirs."""
    tokens = replicas.one(account_per_second=20)
    assert [await tokens.take(READ) for _ in range(20)] == [0] * 20

    async with asyncio.timeout(20):
        while await tokens.take(READ) > 0:
            pass


async def test_redis_that_is_away_stops_no_call(replicas: Replicas, waits: Waits) -> None:
    """Reads go on; each replica keeps to its own allowance, and asks Redis again in a while."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    tokens = replicas.one(url=url, account_per_second=SLOW)

    first = [await tokens.take(READ), await tokens.take(READ)]
    waits.now += AWAY_SECONDS
    later = await tokens.take(READ)

    assert first == [0, pytest.approx(100)]
    assert later == pytest.approx(99)


async def test_redis_that_is_frozen_holds_up_no_call(replicas: Replicas, tmp_path: Path) -> None:
    """It holds its connections and answers nothing; every call to Stripe would wait for it. What
    it says late is nobody's answer later."""
    server = RedisServer(tmp_path)
    await asyncio.to_thread(server.start)
    try:
        tokens = replicas.one(url=server.url, account_per_second=SLOW)
        shared = await tokens.take(READ)

        server.freeze()
        began = perf_counter()
        alone = await tokens.take(READ)
        seconds = perf_counter() - began
        server.thaw()
        again = await replicas.one(url=server.url, account_per_second=SLOW).take(READ)
    finally:
        await asyncio.to_thread(server.stop)

    assert (shared, alone) == (0, 0)
    assert seconds < 1.0
    assert again == pytest.approx(100, abs=5)
