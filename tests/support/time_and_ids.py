"""Time and ids that the tests own: seconds that stand until they are moved, ids that count."""

from __future__ import annotations

from collections import Counter

START = 1_767_225_600
"""2026-01-01T00:00:00Z."""


class ManualClock:
    """Stands still until a test moves it."""

    def __init__(self, now: int = START) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return float(self._now)

    def advance(self, seconds: int) -> None:
        self._now += seconds


class CountingIds:
    """in_0001, in_0002, pi_0001 and so on: readable, and the same in every run."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def new(self, prefix: str) -> str:
        self._given[prefix] += 1
        return f"{prefix}_{self._given[prefix]:04}"
