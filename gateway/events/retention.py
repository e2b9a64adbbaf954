"""How long a durable log keeps its entries, and the names by which their facts are known."""

from __future__ import annotations

from dataclasses import dataclass

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Retention:
    """By count and by age, whichever comes first; the newest entry always stays, so that the log
    knows how far it has come."""

    entries_max: int = 1_000_000
    """About 600 MB of a disk."""
    age_seconds_max: int = 30 * DAY_SECONDS
    """As far back as Stripe's own list of events reaches."""

    @property
    def names_seconds(self) -> int:
        """A fact is known for 30 days more than its entry: catch-up may bring it as late."""
        return self.age_seconds_max + 30 * DAY_SECONDS


AT_ONCE_MAX = 1_000
"""Entries, and names, that one step forgets at most, so that no append waits for a long one."""
