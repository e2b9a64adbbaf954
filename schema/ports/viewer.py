"""Who asks, and what they may see and do. Plain."""

from __future__ import annotations

from dataclasses import dataclass

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
