"""Who asks, what they may see and do, and what an operation of theirs has used. Plain."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from schema.ports.failures import ErrorCode, Failed

SCOPES = (
    "invoices:read",
    "payments:write",
    "credit_notes:write",
    "events:read",
    "schema:introspect",
)
"""Every right a caller can hold."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. `tenant` is a stable id, never a display name or a token.

    `customers` limits the viewer to objects of these customers; None means all of them.
    `caller` names the configured client or the token's subject for logs and the audit trail; it
    decides nothing about objects. `cost_per_minute` is what the caller's operations may cost
    together; None means that nobody counts.
    """

    tenant: str
    scopes: frozenset[str] = frozenset(SCOPES)
    customers: frozenset[str] | None = None
    caller: str = ""
    trusted_documents_only: bool = False
    cost_per_minute: int | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def may_introspect(self) -> bool:
        return "schema:introspect" in self.scopes

    def sees(self, customer_id: str | None) -> bool:
        """Whether objects of this customer are the viewer's; nobody's objects are for all-seers."""
        return self.customers is None or customer_id in self.customers


UPSTREAM_CALLS_MAX = 60
"""Enough for any ordinary page; a runaway selection stops here instead of at Stripe's limit."""


@dataclass(slots=True)
class Meter:
    """Counts one operation's upstream calls. Whoever runs an operation makes one and hands it to
    every call of the ports.

    `caller` is whose share of the rate budget is used. `cached` counts objects and lists that were
    served without a call.
    """

    caller: str
    calls_max: int = UPSTREAM_CALLS_MAX
    calls: int = 0
    cached: int = 0
    request_id: str = ""
    stripe_request_ids: list[str] = field(default_factory=list)
    """Stripe's own ids of the write requests it was sent, in order, for the audit trail."""

    @classmethod
    def without_cap(cls, caller: str) -> Meter:
        """For what the gateway does by itself, as long as it runs."""
        return cls(caller, calls_max=sys.maxsize)

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
