"""The simulation itself: its time, its decisions, its processes, and that a seed is one history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.boundary import PROCESS, Boundary, Process, check_alive, task_factory
from tests.simulation.history import History
from tests.simulation.plan import ATTACH_INTENT, Fault, Plan, Write
from tests.simulation.planning import plan_of
from tests.simulation.shrinking import shrunk
from tests.simulation.virtual_time import NothingLeft, VirtualLoop, run
from tests.simulation.world import play

CALM = Plan(
    seed=1,
    gateways=1,
    is_shared=False,
    heartbeat_seconds=15.0,
    writes=(Write(0, ATTACH_INTENT, 0, 1000, 1.0, 0),),
)


def test_a_day_passes_at_once() -> None:
    """Nothing waits by the wall clock, or a hundred thousand histories would never end."""
    loop = VirtualLoop()

    run(asyncio.sleep(86_400), loop)

    assert loop.time() == 86_400


def test_timers_of_one_instant_fall_due_in_one_turn() -> None:
    """What meets in one instant on a busy machine must be able to meet here."""
    due: list[float] = []

    async def both() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            loop.call_later(1.0, lambda: due.append(loop.time()))
        await asyncio.sleep(1.0)

    run(both(), VirtualLoop())

    assert due == [1.0, 1.0]


def test_what_can_never_come_is_told() -> None:
    """A gateway that waits for ever must fail its history and not hang the check."""

    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeft):
        run(waits(), VirtualLoop())


def test_the_dead_do_nothing_more() -> None:
    """After kill -9 no call of the old process reaches a store, not even from its clean-up."""
    done: list[str] = []

    async def work(boundary: Boundary) -> None:
        async def apply() -> None:
            done.append("applied")

        try:
            await asyncio.sleep(1)
        finally:
            await boundary.cross("journal", "swap", apply)

    async def killed() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        process = Process("A1", 0, lambda: 0, loop.create_future())
        token = PROCESS.set(process)
        task = asyncio.create_task(work(Boundary(1, 0, (), History())))
        PROCESS.reset(token)
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.wait({task})

    run(killed(), VirtualLoop())

    assert done == []


def test_the_living_may_go_on() -> None:
    """Stripe and the callers are no process of ours and never die."""
    check_alive()


KINDS: list[tuple[str, bool, bool]] = [
    ("fail before", False, True),
    ("fail after", True, True),
    ("slow", True, False),
    ("slow after", True, False),
]


@pytest.mark.parametrize(("kind", "is_applied", "is_error"), KINDS, ids=[one[0] for one in KINDS])
def test_a_fault_at_a_store(kind: str, is_applied: bool, is_error: bool) -> None:
    """What a fault is called is what it does."""
    done: list[str] = []

    async def apply() -> None:
        done.append("applied")

    async def once() -> bool:
        boundary = Boundary(1, 0, (Fault("journal", "", kind, seconds=1.0),), History())
        try:
            await boundary.cross("journal", "swap", apply)
        except OSError:
            return True
        return False

    assert (run(once(), VirtualLoop()), bool(done)) == (is_error, is_applied)


def test_a_calm_history_ends_well(tmp_path: Path) -> None:
    """Without faults one write is one effect, one answer, and three entries of the log."""
    history = play(CALM, folder=tmp_path)

    assert [one.code for one in history.calls if one.write == 0] == ["OK"]
    assert [one.kind for one in history.effects] == ["attached"]
    assert (history.drained, history.trouble, history.unfinished) == (True, [], [])


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_a_seed_is_one_history(seed: int, tmp_path: Path) -> None:
    """A failing seed must fail again, or nobody can look at it."""
    first = play(plan_of(seed), with_story=True, folder=tmp_path)
    again = play(plan_of(seed), with_story=True, folder=tmp_path)

    assert first.story == again.story


def test_shrinking_leaves_what_it_takes() -> None:
    """Of all that happens in a failing history only what matters is worth reading."""
    plan = plan_of(1)
    needed = Fault("http", "POST", "429")
    plan = Plan(**{**_parts(plan), "faults": (Fault("log", "", "slow"), needed)})

    smallest = shrunk(plan, _breaks_with(needed))

    assert smallest.faults == (needed,)
    assert len(smallest.writes) == 1
    assert smallest.happenings == ()


def _parts(plan: Plan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in Plan.__slots__}


def _breaks_with(fault: Fault) -> Callable[[Plan], list[str]]:
    def breaks(plan: Plan) -> list[str]:
        return ["it: breaks"] if fault in plan.faults else []

    return breaks
