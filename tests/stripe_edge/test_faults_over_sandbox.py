"""Every write under every fault, over the sandbox: repeated with its key it is done exactly once.

The journal stands in front, as it does in service, since it decides which key a repeat carries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from schema.ports import Refused, Viewer
from tests.stripe_edge.trials import MOVES, TRIALS, Trial
from tests.support.backends import journal_of
from tests.support.stage import Stage
from tests.support.upstream import stripe_through_sandbox

REPEATS_MAX = 6
"""More than any fault of these lasts."""


FAULTS = {
    "rate_limited": Fault(FaultKind.RATE_LIMITED),
    "lock_timeout": Fault(FaultKind.LOCK_TIMEOUT),
    "failure": Fault(FaultKind.SERVER_ERROR),
    "failure_after_applying": Fault(FaultKind.SERVER_ERROR, applied=True),
    "reset_before": Fault(FaultKind.RESET_BEFORE),
    "reset_after": Fault(FaultKind.RESET_AFTER),
    "cut_body": Fault(FaultKind.CUT_BODY),
    "invalid_json": Fault(FaultKind.INVALID_JSON),
    "hang": Fault(FaultKind.HANG),
    "hang_after_applying": Fault(FaultKind.HANG, applied=True),
}


@pytest.mark.parametrize("trial", TRIALS, ids=[one.__name__ for one in TRIALS])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("times", [1, 3, 7], ids=["once", "one_call_long", "two_calls_long"])
async def test_write_is_done_exactly_once(
    trial: Callable[[Stage], Trial], fault: Fault, times: int
) -> None:
    """A caller who repeats a retryable refusal with the same key neither loses nor doubles it."""
    await done_once(trial, fault, times, path="*")


@pytest.mark.parametrize("trial", MOVES, ids=[one.__name__ for one in MOVES])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("times", [1, 3, 7], ids=["once", "one_call_long", "two_calls_long"])
async def test_payment_is_moved_exactly_once(
    trial: Callable[[Stage], Trial], fault: Fault, times: int
) -> None:
    """Whichever of its steps goes wrong."""
    await done_once(trial, fault, times, path=trial(Stage.empty()).path)


async def done_once(
    trial: Callable[[Stage], Trial], fault: Fault, times: int, *, path: str
) -> None:
    stage = Stage.empty()
    given = trial(stage)
    async with stripe_through_sandbox(stage.twin, attempt_seconds=0.05) as (inner, sandbox):
        sandbox.faults.add(fault, method="POST", path=path, times=times)
        writes = journal_of(inner, stage.clock.now)

        done = await repeated(lambda: given.write(writes, Viewer("operator")))
        again = await given.write(writes, Viewer("operator"))

    assert given.once(done) == given.wanted
    assert again.replayed is True
    assert given.once(again) == given.wanted


async def repeated(write: Callable[[], Awaitable[Any]]) -> Any:
    """What a good client does: the same call with the same key, while it is told to."""
    for _ in range(REPEATS_MAX):
        try:
            return await write()
        except Refused as refused:
            if not refused.retryable:
                raise
    raise AssertionError("the write never came to an end")
