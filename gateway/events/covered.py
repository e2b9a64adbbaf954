"""How far catch-up has come, and where that is kept.

A time of Stripe's, and what was passed over before it. It decides nothing about an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.events.intake import Hint


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An event that could not be taken in, and how often that was tried."""

    hint: Hint
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Covered:
    """All events up to `until`, in Stripe's epoch seconds, were taken in, but for those that were
    passed over, which are tried again in the order in which they stand here.

    `ended_at` is when a run came to the end of Stripe's list the last time, by our clock, which
    may have been wrong: it tells a quiet account from a gateway that did not run, and never from
    where to read.
    """

    until: int
    passed_over: tuple[PassedOver, ...] = ()
    ended_at: int | None = None


class Progress(Protocol):
    """Where catch-up keeps how far it has come.

    A time and not an event's id: the overlap begins before the event that was seen last, and
    Stripe forgets events. `load` answers None before the first `save`; what was saved last counts.
    Both raise `OSError` when the store is not to be had.
    """

    async def load(self) -> Covered | None: ...

    async def save(self, covered: Covered) -> None: ...


class MemoryProgress:
    """Forgets with the process, as the log in memory does."""

    def __init__(self) -> None:
        self._covered: Covered | None = None

    async def load(self) -> Covered | None:
        return self._covered

    async def save(self, covered: Covered) -> None:
        self._covered = covered
