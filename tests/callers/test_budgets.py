"""Budgets by cost: what an operation is charged, what its caller is told, and who pays for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import throttled.utils
from hypothesis import given, settings
from hypothesis import strategies as st
from throttled.asyncio import MemoryStore

from gateway.callers.budgets import OwnBudget
from gateway.callers.redis_budget import RedisBudget, StoreBudget
from tests.callers.desk import Desk, ask, bearer, codes, guarded
from tests.callers.test_sockets_and_streams import acknowledged, introduced, socket
from tests.storage.redis_server import KINDS, RedisServer

INVOICE = '{ invoice(id: "in_demo_paid_by_two") { id customer { id } } }'
WAIT_SECONDS = 20


class Hand:
    """The hand of the limiter's clock, which the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    """throttled-py has no parameter for its clock."""
    hand = Hand()
    monkeypatch.setattr(throttled.utils, "now_mono_f", hand)
    return hand


@pytest.fixture(params=KINDS)
def redis(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """The limiter's own requirement ends below Redis 8: it has to work with what people run."""
    directory = tmp_path / "redis"
    directory.mkdir()
    server = RedisServer(directory, kind=request.param)
    server.start()
    yield server
    server.stop()


async def test_an_answer_tells_what_it_cost_and_what_is_left(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=60)

    async with guarded(desk) as served:
        _, first, _ = await ask(served, token, INVOICE)
        _, second, _ = await ask(served, token, INVOICE)

    assert first["extensions"]["cost"] == {
        "requested": 2,
        "limit": 60,
        "remaining": 58,
        "resetsInSeconds": 2,
    }
    assert second["extensions"]["cost"]["remaining"] == 56


async def test_who_has_no_budget_is_not_counted(desk: Desk) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served:
        _, body, _ = await ask(served, token, INVOICE)

    assert "cost" not in body.get("extensions", {})


async def test_the_setting_is_for_those_without_a_budget_of_their_own(desk: Desk) -> None:
    own, general = desk.admit("own", cost_per_minute=60), desk.admit("general")

    async with guarded(desk, cost_per_minute=600) as served:
        limits = [
            (await ask(served, token, INVOICE))[1]["extensions"]["cost"]["limit"]
            for token in (own, general)
        ]

    assert limits == [60, 600]


async def test_beyond_the_budget_is_429_with_the_time_to_wait(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=3)

    async with guarded(desk) as served:
        await ask(served, token, INVOICE)
        status, body, headers = await ask(served, token, INVOICE)

    assert (status, codes(body)) == (429, ["RATE_LIMITED"])
    assert headers["Retry-After"] == str(body["errors"][0]["extensions"]["retryAfterSeconds"])
    assert 0 < int(headers["Retry-After"]) <= 60
    assert body["extensions"]["cost"]["requested"] == 2
    assert body["extensions"]["cost"]["remaining"] == 1
    assert "data" not in body


async def test_a_refused_write_was_not_done(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=2)
    other = desk.admit("other")
    attach = """mutation { attachPayment(input: {invoiceId: "in_demo_open", idempotencyKey: "k",
      payment: {paymentIntentId: "pi_demo_free"}}) { invoice { id } errors { code } } }"""
    attached = '{ paymentIntent(id: "pi_demo_free") { invoicePayments { nodes { id } } } }'

    async with guarded(desk) as served:
        await ask(served, token, INVOICE)
        status, _, _ = await ask(served, token, attach)
        _, body, _ = await ask(served, other, attached)

    assert status == 429
    assert body["data"]["paymentIntent"]["invoicePayments"]["nodes"] == []


async def test_what_can_never_be_paid_says_so_and_names_no_time(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=1)

    async with guarded(desk) as served:
        status, body, headers = await ask(served, token, INVOICE)

    assert status == 429
    assert "never fits" in body["errors"][0]["message"]
    assert "Retry-After" not in headers


async def test_a_bad_document_costs_one_too(desk: Desk) -> None:
    """Or a flood of them would be free."""
    token = desk.admit("acme", cost_per_minute=2)

    async with guarded(desk) as served:
        answers = [await ask(served, token, "{ nonsense }") for _ in range(3)]

    assert [status for status, _, _ in answers] == [400, 400, 429]
    assert answers[0][1]["extensions"]["cost"]["remaining"] == 1


async def test_a_budget_is_one_caller_s_own(desk: Desk) -> None:
    spender, saver = (desk.admit(name, cost_per_minute=2) for name in ("spender", "saver"))

    async with guarded(desk) as served:
        for _ in range(3):
            spent, _, _ = await ask(served, spender, INVOICE)
        saved, _, _ = await ask(served, saver, INVOICE)

    assert (spent, saved) == (429, 200)


async def test_operations_over_a_socket_cost_the_same(desk: Desk) -> None:
    """Ten thousand queries down one socket are no way around the budget."""
    token = desk.admit("acme", cost_per_minute=4)

    async with guarded(desk) as served, socket(served, **bearer(token)) as opened:
        await introduced(opened, None)
        assert await acknowledged(opened)
        for name in ("1", "2", "3"):
            payload = {"query": INVOICE}
            await opened.send_json({"id": name, "type": "subscribe", "payload": payload})
        messages = [await opened.receive_json(timeout=WAIT_SECONDS) for _ in range(5)]

    by_id: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        by_id.setdefault(message["id"], []).append(message)
    assert [message["type"] for message in by_id["1"]] == ["next", "complete"]
    assert [message["type"] for message in by_id["2"]] == ["next", "complete"]
    assert [message["type"] for message in by_id["3"]] == ["error"]
    assert by_id["3"][0]["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_subscription_is_paid_once_and_tells_it_with_its_first_item(desk: Desk) -> None:
    token = desk.admit("acme", cost_per_minute=100)
    stream = "subscription { invoicePaymentEvents { __typename } }"
    headers = {"Accept": "text/event-stream", **bearer(token)}

    async with (
        guarded(desk, stream_heartbeat_seconds=0.01) as served,
        served.session.post(
            served.url / "graphql", json={"query": stream}, headers=headers
        ) as response,
    ):
        async with asyncio.timeout(WAIT_SECONDS):
            events = [(await response.content.readuntil(b"\n\n")).decode() for _ in range(3)]

    assert events[0] == ":\n\n"
    assert '"cost"' in events[1]
    assert '"cost"' not in events[2]


async def test_what_was_spent_comes_back_steadily(hand: Hand) -> None:
    budget = OwnBudget(hand)
    await budget.spend("acme", 60, 60)

    hand.now += 10
    granted = await budget.spend("acme", 10, 60)
    refused = await budget.spend("acme", 1, 60)

    assert (granted.granted, granted.remaining) == (True, 0)
    assert (refused.granted, refused.retry_after_seconds) == (False, 1)


async def test_small_budgets_come_back_too(hand: Hand) -> None:
    """Less than one a second, asked for every second."""
    budget = OwnBudget(hand)
    await budget.spend("acme", 6, 6)

    granted = 0
    for _ in range(60):
        hand.now += 1.0001
        granted += (await budget.spend("acme", 1, 6)).granted

    assert granted == 6


@settings(print_blob=True, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from((0.0, 0.1, 1.0, 7.3, 59.0, 61.0)),
            st.integers(0, 70),
            st.sampled_from((1, 7, 60)),
        ),
        max_size=12,
    )
)
async def test_a_process_counts_as_the_library_does(
    steps: list[tuple[float, int, int]],
) -> None:
    """Where a float's last place decides between two whole numbers, either will do."""
    hand = Hand()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttled.utils, "now_mono_f", hand)
        own, theirs = OwnBudget(hand), StoreBudget(MemoryStore())
        for seconds, cost, per_minute in steps:
            hand.now += seconds
            ours = await own.spend("acme", cost, per_minute)
            expected = await theirs.spend("acme", cost, per_minute)

            assert ours.granted == expected.granted
            assert abs(ours.remaining - expected.remaining) <= 1
            assert abs(ours.resets_in_seconds - expected.resets_in_seconds) <= 1
            assert (ours.retry_after_seconds is None) == (expected.retry_after_seconds is None)


async def test_replicas_share_one_budget_in_redis(redis: RedisServer) -> None:
    now = asyncio.get_running_loop().time
    one, two = RedisBudget(redis.url, now), RedisBudget(redis.url, now)

    first = await one.spend("acme", 40, 60)
    second = await two.spend("acme", 40, 60)
    await one.close()
    await two.close()

    assert (first.granted, second.granted) == (True, False)
    assert 0 < (second.retry_after_seconds or 0) <= 20


async def test_while_redis_is_away_each_replica_counts_alone(redis: RedisServer) -> None:
    """Neither everybody nor nobody is let through, and nobody waits."""
    budget = RedisBudget(redis.url, asyncio.get_running_loop().time)
    await budget.spend("acme", 40, 60)

    redis.freeze()
    alone = await budget.spend("acme", 40, 60)
    beyond = await budget.spend("acme", 40, 60)
    redis.thaw()
    await budget.close()

    assert (alone.granted, beyond.granted) == (True, False)
