"""The checker: a good history passes, and each promise is missed where it is broken by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.checker import broken
from tests.simulation.history import History
from tests.simulation.plan import ATTACH_INTENT, CREDIT_NOTE, OUT_OF_BAND, Plan, Write
from tests.simulation.world import play

PLAN = Plan(
    seed=1,
    gateways=1,
    is_shared=False,
    heartbeat_seconds=15.0,
    writes=(
        Write(0, ATTACH_INTENT, 0, 1000, 1.0, 0),
        Write(1, CREDIT_NOTE, 0, 1037, 2.0, 0),
        Write(2, OUT_OF_BAND, 0, 1074, 3.0, 0),
    ),
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return play(PLAN, folder=tmp_path)


def test_a_good_history_breaks_nothing(history: History) -> None:
    """A checker that cries wolf is soon not listened to."""
    assert broken(PLAN, history) == []


def _done_twice(history: History) -> None:
    note = next(one for one in history.effects if one.mark == "mark-key-1")
    history.effects.append(replace(note, object_id="cn_again"))


def _reported_twice(history: History) -> None:
    report = next(one for one in history.effects if one.kind == "reported")
    history.effects.append(replace(report, object_id="pr_again"))


def _told_and_not_done(history: History) -> None:
    history.effects[:] = [one for one in history.effects if one.mark != "mark-key-1"]


def _told_of_another(history: History) -> None:
    history.calls[0].told_id = "inpay_other"


def _refused_and_done(history: History) -> None:
    history.calls[0].code = "PAYMENT_ALREADY_ATTACHED"


def _unknown_at_the_end(history: History) -> None:
    history.calls[0].code, history.calls[0].retryable = "UPSTREAM_OUTCOME_UNKNOWN", True


def _never_answered(history: History) -> None:
    history.calls[0].ended = None


def _too_slow(history: History) -> None:
    history.calls[0].ended = history.calls[0].begun + 1000.0


def _missed(history: History) -> None:
    del history.subscribers[0].seen[2]


def _repeated(history: History) -> None:
    history.subscribers[0].seen.insert(2, history.subscribers[0].seen[1])


def _exchanged(history: History) -> None:
    seen = history.subscribers[0].seen
    seen[1], seen[2] = seen[2], seen[1]


def _a_gap(history: History) -> None:
    history.subscribers[0].gaps.append("RETENTION")


def _not_in_the_log(history: History) -> None:
    history.log[:] = [one for one in history.log if one.type != "PAID"]


def _twice_in_the_log(history: History) -> None:
    ours = next(one for one in history.log if one.type == "ATTACHED")
    history.log.append(replace(ours, cursor="another"))


def _read_too_early(history: History) -> None:
    seen = history.subscribers[0].seen
    seen[-1] = replace(seen[-1], state=("open", -1, -1))


def _money_is_missing(history: History) -> None:
    last = history.snapshots["in_0"][-1]
    status, paid, remaining = last.state
    history.snapshots["in_0"].append(replace(last, state=(status, paid - 1, remaining)))


BREAKS: list[tuple[Callable[[History], None], str]] = [
    (_done_twice, "done at most once"),
    (_reported_twice, "done at most once"),
    (_told_and_not_done, "success told is there"),
    (_told_of_another, "success told is there"),
    (_refused_and_done, "refusal told changed nothing"),
    (_unknown_at_the_end, "unknown ends"),
    (_never_answered, "nothing waits for ever"),
    (_too_slow, "nothing waits for ever"),
    (_missed, "one order for all"),
    (_repeated, "one order for all"),
    (_exchanged, "one order for all"),
    (_a_gap, "one order for all"),
    (_not_in_the_log, "told once of stripes events"),
    (_twice_in_the_log, "told once of our writes"),
    (_read_too_early, "nothing older than its event"),
    (_money_is_missing, "money adds up"),
]


@pytest.mark.parametrize(
    ("breaks", "promise"), BREAKS, ids=[one.__name__.strip("_") for one, _ in BREAKS]
)
def test_what_is_broken_is_found(
    breaks: Callable[[History], None], promise: str, history: History
) -> None:
    """Each promise is broken in one place, in a history that was good."""
    breaks(history)

    assert promise in {one.split(":")[0] for one in broken(PLAN, history)}
