"""The fair_queue: one costly step for each round of the event loop, and callers in turn; and what
may be done in a round out of turn."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from gateway.execution.admission import FairQueue, Round


async def test_one_step_a_round_and_others_in_between() -> None:
    """What is ready meanwhile runs after each step, not after all of them."""
    fair_queue, steps = FairQueue(), []

    async def costly(name: str) -> None:
        await fair_queue.turn("acme")
        steps.append(name)

    async def cheap() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            steps.append("cheap")

    await asyncio.gather(*(costly(f"costly {n}") for n in range(3)), cheap())

    between = [steps.index(f"costly {n}") for n in range(3)]
    assert all("cheap" in steps[a:b] for a, b in pairwise(between)), steps


async def test_callers_take_turns() -> None:
    fair_queue, served = FairQueue(), []

    async def costly(caller: str, number: int) -> None:
        await fair_queue.turn(caller)
        served.append(f"{caller}{number}")

    await asyncio.gather(*(costly("flood", n) for n in range(4)), costly("quiet", 0))

    assert served == ["flood0", "quiet0", "flood1", "flood2", "flood3"]


async def test_who_gives_up_is_passed_over_and_forgotten() -> None:
    fair_queue, served = FairQueue(), []

    async def costly(name: str) -> None:
        await fair_queue.turn("acme")
        served.append(name)

    tasks = [asyncio.create_task(costly(name)) for name in ("first", "gone", "last")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert served == ["first", "last"]
    assert fair_queue.waiting == 0


async def test_it_turns_again_after_it_stood_still() -> None:
    fair_queue = FairQueue()

    for _ in range(3):
        async with asyncio.timeout(20):
            await fair_queue.turn("acme")
            await asyncio.sleep(0)

    assert fair_queue.waiting == 0


async def test_a_round_has_room_for_so_much_and_the_next_one_again() -> None:
    """What came in one round is bounded, however many ask; what is not taken costs no room."""
    this_round = Round(cost_max=1000)

    for _ in range(2):
        assert this_round.has_room(1000)
        assert not this_round.has_room(1001)
        this_round.take(600)
        assert this_round.has_room(400)
        this_round.take(300)
        assert not this_round.has_room(101)
        await asyncio.sleep(0)
