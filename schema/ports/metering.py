"""How many upstream calls one operation has made, and how many it may make.

The runner opens a meter for each operation; whoever calls upstream counts on it. A context
variable carries it, so that no signature has to.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from schema.ports.refusals import ErrorCode, Failed
from schema.records import PaymentIntent

UPSTREAM_CALLS_MAX = 60
"""Enough for any ordinary page; a runaway selection stops here instead of at Stripe's limit."""

SETTLED = frozenset({"succeeded", "canceled"})
"""PaymentIntents whose status and amounts are final, whatever becomes of their invoices."""


@dataclass(slots=True)
class Meter:
    """Counts one operation's upstream calls. `cached` counts objects and lists served without."""

    calls_max: int = UPSTREAM_CALLS_MAX
    calls: int = 0
    cached: int = 0
    request_id: str = ""
    stripe_request_ids: list[str] = field(default_factory=list)
    """Stripe's own ids of the write requests it was sent, in order, for the audit trail."""
    settled: dict[str, PaymentIntent] = field(default_factory=dict)
    """Intents that a write met and that will never change again: the answer need not ask anew."""

    def keep_settled(self, intent: PaymentIntent | None) -> None:
        """Keep the intent for the answer, if it is one that stays as it is."""
        if intent is not None and intent.status in SETTLED:
            self.settled[intent.id] = intent

    def count_read(self) -> None:
        """One more read. Raises `Failed` UPSTREAM_BUDGET_EXCEEDED beyond the cap."""
        if self.calls >= self.calls_max:
            raise Failed(
                ErrorCode.UPSTREAM_BUDGET_EXCEEDED,
                f"this operation has used its {self.calls_max} upstream calls: ask for less at "
                "a time",
            )
        self.calls += 1

    def count_write(self) -> None:
        """One more write; a write that has begun is never stopped by a budget."""
        self.calls += 1

    def count_answer(self, stripe_request_id: str | None) -> None:
        """Stripe has answered a write under this id."""
        if stripe_request_id is not None:
            self.stripe_request_ids.append(stripe_request_id)


METER: ContextVar[Meter] = ContextVar("METER")


def meter() -> Meter:
    """The meter of the operation that is running; a fresh one outside of any."""
    return METER.get(None) or Meter()
