"""The matrix: every way in which a caller can name an object that is another tenant's."""

from __future__ import annotations

from tests.tenancy.rows_cursors import CURSORS
from tests.tenancy.rows_reads import LISTS, OBJECTS, STREAMS
from tests.tenancy.rows_writes import WRITES

__all__ = ["ELSEWHERE_TESTED", "ROWS", "STREAMS"]

ROWS = [*OBJECTS, *LISTS, *CURSORS, *WRITES]
ELSEWHERE_TESTED = {
    "Query.invoicePaymentEvents.after": "test_events: a cursor is a position, not a right",
    "Subscription.invoicePaymentEvents.after": "test_events, over both transports",
}
"""Arguments that name a place and no object."""
