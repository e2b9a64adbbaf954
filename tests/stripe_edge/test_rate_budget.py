"""The rate budget: Stripe's limits are kept, nobody waits for ever, and no caller starves another.

Time is the test's own: it moves by exactly what the budget sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.backends.stripe.rate_limit import (
    ACCOUNT_PER_SECOND_TEST,
    LEFT_FREE,
    SYSTEM_CALLER,
    SYSTEM_TURNS,
    WAIT_SECONDS_MAX,
    LocalTokens,
    RateBudget,
)
from schema.ports import ErrorCode, Failed
from tests.stripe_edge.conftest import Waits

READ, LIST = "get /v1/invoices/{id}", "get /v1/invoices"


def budget_of(
    waits: Waits,
    *,
    account: float = 10,
    endpoint: float = 10,
    wait_seconds_max: float = 60,
    waiting_per_caller_max: int = 500,
) -> RateBudget:
    tokens = LocalTokens(
        account_per_second=account, endpoint_per_second=endpoint, monotonic=waits.monotonic
    )
    return RateBudget(
        tokens,
        sleep=waits.sleep,
        monotonic=waits.monotonic,
        wait_seconds_max=wait_seconds_max,
        waiting_per_caller_max=waiting_per_caller_max,
    )


async def admitted(budget: RateBudget, calls: Sequence[tuple[str, str]]) -> list[str]:
    """The callers in the order of their turns, all calls having been made at once."""
    order: list[str] = []

    async def one(caller: str, endpoint: str) -> None:
        await budget.admit(caller, endpoint)
        order.append(caller)

    await asyncio.gather(*(one(caller, endpoint) for caller, endpoint in calls))
    return order


async def test_calls_within_the_allowance_do_not_wait(waits: Waits) -> None:
    """The budget is in nobody's way until it is needed."""
    await admitted(budget_of(waits), [("a", READ)] * 8)

    assert waits.slept == []


async def test_clients_leave_a_share_to_the_gateways_own_calls(waits: Waits) -> None:
    """Webhooks that come while clients have taken all they can are read for at once, so many of
    them as are left free before a client has its turn again."""
    asleep, morning = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await morning.wait()
        await waits.sleep(seconds)

    tokens = LocalTokens(account_per_second=25, monotonic=waits.monotonic)
    budget = RateBudget(tokens, sleep=sleep, monotonic=waits.monotonic)
    clients = asyncio.gather(*(budget.admit("a", READ) for _ in range(40)))
    await asleep.wait()

    for _ in range(SYSTEM_TURNS):
        await budget.admit(SYSTEM_CALLER, READ)

    assert (waits.now, budget.waiting("a")) == (0.0, 40 - 25 * (1 - LEFT_FREE))
    morning.set()
    await clients


async def test_what_clients_leave_free_does_not_slow_them_down(waits: Waits) -> None:
    """They begin with less at once, and then get all that comes."""
    await admitted(budget_of(waits, account=25, endpoint=25), [("a", READ)] * 120)

    assert waits.now == pytest.approx((120 - 25 * (1 - LEFT_FREE)) / 25, abs=0.05)


async def test_a_webhook_may_wait_longer_than_a_client(waits: Waits) -> None:
    """Refused, it comes again and costs more; a client has gone away by then."""
    budget = budget_of(waits, account=1, wait_seconds_max=3)

    outcomes = await asyncio.gather(
        *(budget.admit(SYSTEM_CALLER, READ) for _ in range(10)), return_exceptions=True
    )

    assert outcomes == [None] * 10


@pytest.mark.parametrize(
    ("account", "endpoint", "calls", "seconds"),
    [
        pytest.param(10, 10, [READ] * 28, 2.0, id="account"),
        pytest.param(100, 10, [READ] * 28, 2.0, id="endpoint"),
        pytest.param(20, 10, [READ, LIST] * 18, 1.0, id="account_over_two_endpoints"),
        pytest.param(100, 10, [READ, LIST] * 18, 1.0, id="each_of_two_endpoints"),
    ],
)
async def test_calls_beyond_the_allowance_wait_for_it(
    account: float, endpoint: float, calls: list[str], seconds: float, waits: Waits
) -> None:
    """After the first second's worth, each further call waits for its share of a second."""
    budget = budget_of(waits, account=account, endpoint=endpoint)

    await admitted(budget, [("a", one) for one in calls])

    assert waits.now == pytest.approx(seconds, abs=0.05)


async def test_flood_of_one_caller_delays_no_other(waits: Waits) -> None:
    """Callers take turns: whoever comes with one call goes before the rest of the flood."""
    calls = [("flood", READ)] * 60 + [("b", READ), ("c", READ)]

    order = await admitted(budget_of(waits), calls)

    assert {"b", "c"} <= set(order[8:12])


async def test_two_floods_are_served_alike(waits: Waits) -> None:
    """Neither the first to come nor the louder one gets more than its half."""
    calls = [("a", READ)] * 60 + [("b", READ)] * 30

    order = await admitted(budget_of(waits), calls)

    contested = order[10:60]
    assert abs(contested.count("a") - contested.count("b")) <= 1


async def test_a_burst_of_webhooks_is_read_for_beside_clients_who_take_all(waits: Waits) -> None:
    """A test key allows 25 calls a second. Ten clients with six reads each, and then 30 events that
    need two reads each: they pass the clients who wait, and get four turns of five until the last
    is through."""
    rate = ACCOUNT_PER_SECOND_TEST
    budget = budget_of(waits, account=rate, endpoint=rate, wait_seconds_max=WAIT_SECONDS_MAX)
    clients = [(f"client {number}", READ) for number in range(10)] * 6
    webhooks = [(SYSTEM_CALLER, READ), (SYSTEM_CALLER, LIST)] * 30

    order = await admitted(budget, clients + webhooks)

    last_webhook = len(order) - 1 - order[::-1].index(SYSTEM_CALLER)
    first = int(rate * (1 - LEFT_FREE))
    assert order[:first].count(SYSTEM_CALLER) == 0
    assert order[first : first + SYSTEM_TURNS] == [SYSTEM_CALLER] * SYSTEM_TURNS
    assert last_webhook < rate + 60 * (SYSTEM_TURNS + 1) / SYSTEM_TURNS


async def test_clients_keep_their_share_beside_endless_webhooks(waits: Waits) -> None:
    """One turn in five is theirs, however much comes in."""
    calls = [(SYSTEM_CALLER, READ)] * 100 + [("a", READ)] * 15

    order = await admitted(budget_of(waits), calls)

    contested = order[10:60]
    assert contested.count("a") == pytest.approx(len(contested) / (SYSTEM_TURNS + 1), abs=1)


async def test_calls_of_one_caller_keep_their_order(waits: Waits) -> None:
    """First come, first served within a line."""
    budget, order = budget_of(waits, account=1), list[int]()

    async def one(at: int) -> None:
        await budget.admit("a", READ)
        order.append(at)

    await asyncio.gather(*(one(at) for at in range(10)))

    assert order == list(range(10))


async def test_full_endpoint_holds_up_no_other_endpoint(waits: Waits) -> None:
    """A caller who reads a long list can still read something else."""
    budget = budget_of(waits, account=100, endpoint=10)
    flood = asyncio.gather(*(budget.admit("a", LIST) for _ in range(50)))

    await budget.admit("a", READ)
    waited = waits.now
    await flood

    assert waited < 0.2


async def test_wait_is_bounded(waits: Waits) -> None:
    """Whoever has waited too long is told so, and when to come back; nothing was taken."""
    budget = budget_of(waits, account=1, wait_seconds_max=3)

    outcomes = await asyncio.gather(
        *(budget.admit("a", READ) for _ in range(10)), return_exceptions=True
    )

    failed = [one for one in outcomes if isinstance(one, Failed)]
    assert len(failed) == 7
    assert failed[0].code is ErrorCode.UPSTREAM_RATE_LIMITED
    assert failed[0].extensions["retryAfterSeconds"] == 1
    assert waits.now <= 3.1


async def test_queue_of_a_caller_is_bounded(waits: Waits) -> None:
    """A flood is refused at once, while others are still let in."""
    budget = budget_of(waits, account=1, waiting_per_caller_max=2)

    outcomes = await asyncio.gather(
        *(budget.admit("a", READ) for _ in range(5)),
        budget.admit("b", READ),
        return_exceptions=True,
    )

    assert [isinstance(one, Failed) for one in outcomes] == [False] * 3 + [True] * 2 + [False]


async def test_call_that_is_given_up_takes_no_turn(waits: Waits) -> None:
    """A client that went away costs nobody a call."""
    budget = budget_of(waits, account=1)
    await budget.admit("a", READ)
    gone = asyncio.ensure_future(budget.admit("a", READ))
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    await budget.admit("b", READ)

    assert waits.now == pytest.approx(1.0, abs=0.05)
    assert budget.waiting("a") == 0


async def test_line_is_sent_away_when_nobody_serves_it() -> None:
    """When the process winds down, waiting calls end instead of hanging."""
    waits, asleep = Waits(), asyncio.Event()

    async def never(seconds: float) -> None:
        asleep.set()
        raise asyncio.CancelledError

    tokens = LocalTokens(account_per_second=1, monotonic=waits.monotonic)
    budget = RateBudget(tokens, sleep=never, monotonic=waits.monotonic)
    await budget.admit("a", READ)

    with pytest.raises(Failed):
        await budget.admit("a", READ)

    assert asleep.is_set()


async def test_budget_serves_again_after_its_line_was_empty(waits: Waits) -> None:
    """Quiet and busy times follow each other for months."""
    budget = budget_of(waits, account=2)

    for _ in range(3):
        await admitted(budget, [("a", READ)] * 4)

    assert waits.now == pytest.approx(5.2, abs=0.1)


async def test_who_is_excused_goes_without_a_turn(waits: Waits) -> None:
    """What they were for is answered by another's call; whoever else waits there stays in line."""
    budget = budget_of(waits, account=1, endpoint=1)
    gone: list[str] = []

    async def one(name: str, *, is_excusable: bool) -> None:
        await budget.admit(SYSTEM_CALLER, READ, is_excusable=is_excusable)
        gone.append(name)

    async def excuse() -> None:
        budget.excuse(SYSTEM_CALLER, READ)
        budget.excuse("nobody", LIST)

    await asyncio.gather(
        one("first", is_excusable=False),
        one("stays", is_excusable=False),
        one("excused", is_excusable=True),
        one("excused too", is_excusable=True),
        excuse(),
    )

    assert gone == ["first", "excused", "excused too", "stays"]
    assert sum(waits.slept) < 1.5
