"""Lets callers run what they can pay for: the cost of each operation, before it runs.

The price is the static cost that limits go by as well. It is told with every answer of a caller
that has a budget, so that a client can slow down before it is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from gateway.callers.budgets import CALLERS_MAX, Budget, Spent
from gateway.execution.operation import (
    Answer,
    OperationKind,
    OperationRequest,
    Prepared,
    Runner,
)
from schema.ports import ErrorCode, Viewer

COST_MIN = 1
"""What a refused document costs, and one that asks for nothing: somebody had to read it."""


@dataclass(frozen=True, slots=True)
class _Paid:
    """A prepared operation and what its caller is told about the price."""

    operation: Prepared
    told: dict[str, int]

    @property
    def kind(self) -> OperationKind:
        return self.operation.kind

    @property
    def cost(self) -> int:
        return self.operation.cost


class CostBudgetRunner:
    """See `gateway.execution.operation.Runner`. `default_per_minute` is for callers that have no
    budget of their own; None: they have none."""

    def __init__(
        self, inner: Runner, budget: Budget, *, default_per_minute: int | None = None
    ) -> None:
        self._inner = inner
        self._budget = budget
        self._default_per_minute = default_per_minute
        self._broke: set[str] = set()

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        per_minute = viewer.cost_per_minute or self._default_per_minute
        if per_minute is None:
            return await self._inner.prepare(request, viewer)
        caller = f"{viewer.tenant}|{viewer.caller}"
        if caller in self._broke:
            # Who had nothing left pays for the reading first: a flood is not even parsed.
            spent = await self._spend(caller, COST_MIN, per_minute)
            if not spent.granted:
                return _refused(spent, COST_MIN)
        prepared = await self._inner.prepare(request, viewer)
        cost = COST_MIN if isinstance(prepared, Answer) else max(COST_MIN, prepared.cost)
        spent = await self._spend(caller, cost, per_minute)
        if not spent.granted:
            return _refused(spent, cost)
        told = _told(spent, cost)
        return _with_cost(prepared, told) if isinstance(prepared, Answer) else _Paid(prepared, told)

    async def _spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        spent = await self._budget.spend(caller, cost, per_minute)
        if spent.remaining == 0:
            if len(self._broke) >= CALLERS_MAX:
                self._broke.clear()
            self._broke.add(caller)
        else:
            self._broke.discard(caller)
        return spent

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        if not isinstance(prepared, _Paid):
            return await self._inner.execute(prepared, request, viewer, request_id)
        answer = await self._inner.execute(prepared.operation, request, viewer, request_id)
        return _with_cost(answer, prepared.told)

    async def subscribe(
        self,
        prepared: Prepared,
        request: OperationRequest,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> AsyncIterator[Answer]:
        """The stream is paid for once; its first item tells the price."""
        told = prepared.told if isinstance(prepared, _Paid) else None
        operation = prepared.operation if isinstance(prepared, _Paid) else prepared
        stream = self._inner.subscribe(operation, request, viewer, request_id, resume_after)
        async with aclosing(cast(Any, stream)) as answers:
            async for answer in answers:
                yield answer if told is None else _with_cost(answer, told)
                told = None


def _told(spent: Spent, cost: int) -> dict[str, int]:
    return {
        "requested": cost,
        "limit": spent.limit,
        "remaining": spent.remaining,
        "resetsInSeconds": spent.resets_in_seconds,
    }


def _with_cost(answer: Answer, told: dict[str, int]) -> Answer:
    """A copy, as answers may be shared."""
    extensions = {**answer.body.get("extensions", {}), "cost": told}
    return replace(answer, body={**answer.body, "extensions": extensions})


def _refused(spent: Spent, cost: int) -> Answer:
    wait = spent.retry_after_seconds
    if wait is None:
        advice = "it never fits into the budget: ask for less at a time"
    else:
        advice = f"come again in {wait} seconds"
    message = (
        f"the operation costs {cost} and {spent.remaining} of {spent.limit} a minute are left; "
        f"{advice}"
    )
    extensions: dict[str, Any] = {"code": ErrorCode.RATE_LIMITED.value}
    if wait is not None:
        extensions["retryAfterSeconds"] = wait
    body = {"errors": [{"message": message, "extensions": extensions}]}
    return _with_cost(Answer(body, executed=False), _told(spent, cost))
