"""What one read has brought, whoever asked: for the intake what it has to know of an event, and for
the cache all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.assembly import Ask, FetchedPage
from gateway.backends.first_rows import ListKey
from schema.ports import Deleted
from schema.records import InvoicePayment


@dataclass(frozen=True, slots=True)
class Harvest:
    """Records, first rows of lists, values that were worked out, what is deleted, and payments that
    have left the invoice that is named with them."""

    records: tuple[Any, ...] = ()
    rows: Mapping[ListKey, FetchedPage] = field(default_factory=dict)
    answers: Mapping[Ask, Any] = field(default_factory=dict)
    deleted: tuple[Deleted, ...] = ()
    detached: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRead:
    """See `gateway.events.intake.Brought`, which must not be imported."""

    customers: Mapping[str, str | None] = field(default_factory=dict)
    payments: Mapping[str, InvoicePayment] = field(default_factory=dict)
    harvest: Harvest = Harvest()
