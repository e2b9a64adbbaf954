"""What an operation waits and pays for before it runs: its caller's budget, and its turn.

The price is the static cost that limits go by as well. It is told with every answer of a caller
that has a budget, so that a client can slow down before it is refused.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Any

from gateway.callers.budgets import CALLERS_MAX, Budget, OwnBudget, Spent
from gateway.execution.operation import Answer
from schema.ports import ErrorCode, Viewer

COST_MIN = 1
"""What a refused document costs, and one that asks for nothing: somebody had to read it."""


ROUND_COST_MAX = 4000
"""A plan shows objects of this cost in less than three milliseconds."""


class CostQuotas:
    """What each caller has to pay. `default_per_minute` is for callers that have no budget of
    their own; None: they have none."""

    def __init__(self, budget: Budget, *, default_per_minute: int | None = None) -> None:
        self._budget = budget
        self._default_per_minute = default_per_minute
        self._broke: set[tuple[str, str]] = set()

    async def refusal_before_reading(self, viewer: Viewer) -> Answer | None:
        """Who had nothing left pays for the reading first: a flood is not even parsed."""
        if (viewer.tenant, viewer.caller) not in self._broke:
            return None
        price = await self.charge(viewer, COST_MIN)
        return price if isinstance(price, Answer) else None

    async def charge(self, viewer: Viewer, cost: int) -> dict[str, int] | Answer | None:
        """What an answer tells of the price; the answer that refuses it; None: no budget."""
        per_minute = viewer.cost_per_minute or self._default_per_minute
        if per_minute is None:
            return None
        spent = await self._budget.spend(_account(viewer), cost, per_minute)
        return self._told(viewer, cost, spent)

    def is_at_once(self, viewer: Viewer) -> bool:
        """Whether the viewer can be charged without a wait, and is not known to have nothing."""
        if viewer.cost_per_minute is None and self._default_per_minute is None:
            return True
        caller = (viewer.tenant, viewer.caller)
        return isinstance(self._budget, OwnBudget) and caller not in self._broke

    def charge_at_once(self, viewer: Viewer, cost: int) -> dict[str, int] | Answer | None:
        """The same for who can be charged at once."""
        per_minute = viewer.cost_per_minute or self._default_per_minute
        if per_minute is None:
            return None
        assert isinstance(self._budget, OwnBudget)
        return self._told(viewer, cost, self._budget.spend_now(_account(viewer), cost, per_minute))

    def _told(self, viewer: Viewer, cost: int, spent: Spent) -> dict[str, int] | Answer:
        caller = (viewer.tenant, viewer.caller)
        if spent.remaining > 0:
            self._broke.discard(caller)
        else:
            if len(self._broke) >= CALLERS_MAX:
                self._broke.clear()
            self._broke.add(caller)
        price = {
            "requested": cost,
            "limit": spent.limit,
            "remaining": spent.remaining,
            "resetsInSeconds": spent.resets_in_seconds,
        }
        return price if spent.granted else _refused(spent, price)


def _account(viewer: Viewer) -> str:
    return f"{viewer.tenant}|{viewer.caller}"


def _refused(spent: Spent, price: dict[str, int]) -> Answer:
    wait = spent.retry_after_seconds
    extensions: dict[str, Any] = {"code": ErrorCode.RATE_LIMITED.value}
    if wait is None:
        advice = "it never fits into the budget: ask for less at a time"
    else:
        advice = f"come again in {wait} seconds"
        extensions["retryAfterSeconds"] = wait
    message = (
        f"the operation costs {price['requested']} and {spent.remaining} of {spent.limit} a minute "
        f"are left; {advice}"
    )
    error = {"message": message, "extensions": extensions}
    return Answer({"errors": [error], "extensions": {"cost": price}}, executed=False)


class FairQueue:
    """Lets costly steps through one at a time, so that cheap ones never wait for many of them.

    One thread runs everything, and a large answer takes it for tens of milliseconds: a hundred at
    once would keep everybody else waiting for seconds. Between two costly steps the event loop
    goes round once and does whatever else is ready. Callers take turns, so that one with a hundred
    operations delays another's only by one.

    One per process. A turn is for the code up to the next real wait and needs no return.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._is_turning = False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(len(line) for line in self._lines.values())

    async def turn(self, caller: str) -> None:
        """Wait until it is the caller's turn. A wait that is cancelled leaves no gap."""
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        self._lines.setdefault(caller, deque()).append(admitted)
        if not self._is_turning:
            self._is_turning = True
            loop.call_soon(self._admit_next)
        await admitted

    def _admit_next(self) -> None:
        """Wake one, and come back after it: its task is scheduled before this is again."""
        while self._lines:
            caller, line = self._lines.popitem(last=False)
            admitted = line.popleft()
            if line:
                self._lines[caller] = line  # Behind everyone else who waits.
            if not admitted.done():
                admitted.set_result(None)
                asyncio.get_running_loop().call_soon(self._admit_next)
                return
        self._is_turning = False


class Round:
    """What costly operations take of one round of the event loop without having waited for their
    turn: those whose objects are there already, and which a plan shows in less time than it takes
    to make a task. It is bounded, so that what else is ready in that round waits for about three
    milliseconds at most.
    """

    def __init__(self, *, cost_max: int = ROUND_COST_MAX) -> None:
        self._cost_max = cost_max
        self._taken = 0

    def has_room(self, cost: int) -> bool:
        return self._taken + cost <= self._cost_max

    def take(self, cost: int) -> None:
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._begin_again)
        self._taken += cost

    def _begin_again(self) -> None:
        self._taken = 0
