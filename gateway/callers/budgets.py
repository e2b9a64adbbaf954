"""What each caller may spend in a minute, counted in the cost of operations.

What was spent comes back steadily, not at the full minute (GCRA). Where replicas share a Redis it
is counted there: see `redis_budget`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

CALLERS_MAX = 10_000
"""Callers whose spending one process keeps; who has been quiet for a minute has spent nothing."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How a budget stands after an operation has asked for its cost.
    `retry_after_seconds` is None when it was granted, and when it never can be."""

    granted: bool
    limit: int
    remaining: int
    resets_in_seconds: int
    retry_after_seconds: int | None = None


class Budget(Protocol):
    """Everybody's budgets."""

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        """Take `cost` from what the caller has left, or nothing if that is less. Never raises."""
        ...


class OwnBudget:
    """For one process. `monotonic` counts seconds.

    The library's own store is asynchronous, and takes longer than a whole answer that is kept; its
    arithmetic is this (a test compares).
    """

    def __init__(self, monotonic: Callable[[], float], *, callers_max: int = CALLERS_MAX) -> None:
        self._monotonic = monotonic
        self._callers_max = callers_max
        self._full_at: OrderedDict[tuple[str, int], float] = OrderedDict()
        """When a caller will have everything back; who is not here has it."""

    async def spend(self, caller: str, cost: int, per_minute: int) -> Spent:
        return self.spend_now(caller, cost, per_minute)

    def spend_now(self, caller: str, cost: int, per_minute: int) -> Spent:
        """See `Budget.spend`."""
        key, now, seconds_each = (caller, per_minute), self._monotonic(), 60 / per_minute
        full_at = max(now, self._full_at.get(key, now))
        left = per_minute + math.floor((now - full_at) / seconds_each)
        if cost > left:
            wait = full_at - now - (per_minute - cost) * seconds_each
            return Spent(
                granted=False,
                limit=per_minute,
                remaining=max(0, left),
                resets_in_seconds=math.ceil(full_at - now),
                retry_after_seconds=math.ceil(wait) if cost <= per_minute else None,
            )
        full_at += cost * seconds_each
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._callers_max:
            self._full_at.popitem(last=False)
        return Spent(True, per_minute, left - cost, math.ceil(full_at - now))
