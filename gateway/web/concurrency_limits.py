"""Counts what each viewer holds open, so that one cannot take everything.

The counts are of this process only; they hold no viewer that has nothing open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """A number of places for each key."""

    def __init__(self, *, per_key_max: int) -> None:
        self._per_key_max = per_key_max
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, key: str) -> Iterator[bool]:
        """Hold a place of `key` while inside; false when there was none left."""
        free = self._taken[key] < self._per_key_max
        self._taken[key] += free
        try:
            yield free
        finally:
            self._give_back(key, free)

    def _give_back(self, key: str, held: bool) -> None:
        self._taken[key] -= held
        if not self._taken[key]:
            del self._taken[key]
