"""Payments that are moved between invoices, in the whole gateway: killed at each of their steps, by
chance under faults, and with bugs planted in what keeps their steps together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.backends.journal.attempt import Try
from gateway.backends.journal.reallocation import Reallocating
from gateway.backends.supplier import NOTHING
from schema.ports import Refused
from tests.simulation.checker import broken
from tests.simulation.history import History
from tests.simulation.plan import REALLOCATE, Fault, Happening, Plan, Write
from tests.simulation.planning import plan_of
from tests.simulation.runs import breaks, played
from tests.simulation.shrinking import promises_of
from tests.simulation.world import play

HISTORIES = 60
"""Of those by chance; `python -m tests.simulation --moves` has as many as are wanted."""
STEPS = {"journal": 30, "http": 12, "log": 3}
"""Calls of one movement, and a few more: its last ones meet nothing."""
CLOSED: dict[str, tuple[int, ...]] = {"done": (), "put back": (1,), "free": (1, 0)}
"""The invoices that others pay in the moment in which the payment leaves the first."""


def moving(ends: str, *faults: Fault, gateways: int = 1) -> Plan:
    """One payment that is moved from the first invoice to the second."""
    return Plan(
        seed=1,
        gateways=gateways,
        is_shared=gateways > 1,
        heartbeat_seconds=15.0,
        invoices=2,
        writes=(Write(0, REALLOCATE, 0, 1000, 1.0, 0, tries=((2.0, gateways - 1),)),),
        faults=faults,
        happenings=tuple(Happening("closes", 0.0, number) for number in CLOSED[ends]),
    )


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("ends", CLOSED)
def test_a_calm_movement_ends_well(ends: str, tmp_path: Path) -> None:
    history = play(moving(ends), folder=tmp_path)

    assert broken(moving(ends), history) == []
    (call,) = history.calls
    assert (call.code, call.placed) == ("OK", ends.upper().replace(" ", "_"))


@pytest.mark.parametrize("ends", CLOSED)
@pytest.mark.parametrize("kind", ["crash before", "crash after"])
@pytest.mark.parametrize("where", STEPS)
def test_killed_at_each_of_its_steps(where: str, kind: str, ends: str) -> None:
    """The process is gone with what it knew; it starts again, and the caller repeats."""
    for after in range(STEPS[where]):
        plan = moving(ends, Fault(where, "", kind, after=after, at=1.0))
        assert breaks(plan) == [], plan


@pytest.mark.parametrize("ends", CLOSED)
@pytest.mark.parametrize("kind", ["reset after", "500 applied", "429"])
def test_killed_at_each_of_its_steps_with_stripe_in_doubt(kind: str, ends: str) -> None:
    """Whoever goes on does not know what the dead one has done, and another replica is asked."""
    for after in range(0, STEPS["journal"], 2):
        plan = moving(
            ends,
            Fault("journal", "", "crash before", after=after, at=1.0, gateway=0),
            Fault("http", "POST", kind, after=after % 3),
            gateways=2,
        )
        assert breaks(plan) == [], plan


@pytest.mark.parametrize("kind", ["500", "500 applied"])
def test_a_stored_failure_on_the_way_back_is_no_riddle(kind: str) -> None:
    """The payment is not on its invoice and was taken off it: by the first step, and not by
    somebody since, so that a new attempt can put it back."""
    plan = moving("put back", Fault("http", "POST attach_payment", kind, after=1, times=2))

    history = played(plan)

    assert broken(plan, history) == []
    assert history.calls[-1].placed == "PUT_BACK"


def test_movements_by_chance() -> None:
    """Kills, faults, clocks and others' payments, in every step."""
    broke = {seed: how for seed in range(HISTORIES) if (how := breaks(plan_of(seed, moves=True)))}

    assert broke == {}


def forgets_that_it_is_on_its_way_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reallocating, "_is_put_back", lambda self, known: False)


def gives_up_on_any_refusal(patch: pytest.MonkeyPatch) -> None:
    async def for_good(self: Reallocating, refused: Refused) -> Refused:
        return refused

    patch.setattr(Reallocating, "_for_good", for_good)


def attaches_before_it_is_told(patch: pytest.MonkeyPatch) -> None:
    async def tell(self: Reallocating, step: str) -> None:
        """Somebody else will see to it."""

    patch.setattr(Reallocating, "_tell", tell)


def begins_without_a_word_of_the_whole(patch: pytest.MonkeyPatch) -> None:
    async def noted(self: Try, found: object = NOTHING) -> None:
        if self.record.operation != "reallocate":
            await whole(self, found)  # type: ignore[arg-type]

    whole = Try.noted
    patch.setattr(Try, "noted", noted)


BUGS = [
    forgets_that_it_is_on_its_way_back,
    gives_up_on_any_refusal,
    attaches_before_it_is_told,
    begins_without_a_word_of_the_whole,
]


def plans() -> Iterator[Plan]:
    """Where each of these shows: a store that fails at some step, or a process that dies there; and
    what comes by chance."""
    for after in range(STEPS["journal"]):
        for ends in CLOSED:
            yield moving(ends, Fault("journal", "", "crash before", after=after, at=1.0))
            yield moving(ends, Fault("log", "append", "fail before", after=after, times=2, at=1.0))
            yield moving(ends, Fault("http", "POST", "403", after=after, at=1.0))
    yield from (plan_of(seed, moves=True) for seed in range(200))


@pytest.mark.parametrize("plant", BUGS, ids=[one.__name__ for one in BUGS])
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a promise that it breaks."""
    plant(monkeypatch)

    found = next((how for plan in plans() if (how := breaks(plan))), [])

    print(found)  # noqa: T201
    assert promises_of(found)


@pytest.fixture
def moved(tmp_path: Path) -> History:
    return play(moving("done"), folder=tmp_path)


def _came_nowhere(history: History) -> None:
    history.effects[:] = [one for one in history.effects if one.kind != "attached"]


def _came_twice(history: History) -> None:
    came = next(one for one in history.effects if one.kind == "attached")
    history.effects.append(replace(came, object_id="inpay_again"))


def _told_another_end(history: History) -> None:
    history.calls[0].placed = "PUT_BACK"


def _told_another_payment(history: History) -> None:
    history.calls[0].moved_to_id = "inpay_other"


def _told_in_another_order(history: History) -> None:
    history.log.reverse()


def _told_without_its_key(history: History) -> None:
    history.log[:] = [replace(one, key=None) for one in history.log]


MISSED = {
    _came_nowhere: "a legal end",
    _came_twice: "a legal end",
    _told_another_end: "its end is told",
    _told_another_payment: "its end is told",
    _told_in_another_order: "one movement in the log",
    _told_without_its_key: "one movement in the log",
}


@pytest.mark.parametrize(
    ("breaking", "promise"), MISSED.items(), ids=[one.__name__ for one in MISSED]
)
def test_the_checker_misses_nothing(
    moved: History, breaking: Callable[[History], None], promise: str
) -> None:
    breaking(moved)

    assert promise in promises_of(broken(moving("done"), moved))
