"""Between the intake and the cache: what an event has touched, in the words of the cache.

Part of the composition root: neither of the two may import the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.backends.caching.policy import dropped_by
from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.renewal import Renewal
from gateway.backends.harvest import EventRead
from gateway.events.intake_ports import Touched


@dataclass(frozen=True, slots=True)
class EventCache:
    """See `gateway.events.intake_ports.ObjectCache`: ids of events in the words of the cache."""

    caching: CachingReads

    async def drop(self, touched: Touched) -> None:
        await self.caching.drop(touched.invoice_id, touched.customer_id, touched.payment_intent_id)

    @asynccontextmanager
    async def renewing(self, touched: Sequence[Touched]) -> AsyncIterator[EventRenewal]:
        names = dict.fromkeys(name for one in touched for name in _names(one))
        coming = {pair for one in touched for pair in _objects(one)}
        async with self.caching.renewing(list(names), coming) as renewal:
            yield EventRenewal(renewal)


@dataclass(frozen=True, slots=True)
class EventRenewal:
    """See `gateway.events.intake_ports.Renewal`."""

    renewal: Renewal

    async def drop(self, touched: Touched) -> None:
        await self.renewal.drop(_names(touched))

    async def keep(self, brought: EventRead) -> None:
        await self.renewal.keep(brought.harvest)


def _names(touched: Touched) -> list[str]:
    return dropped_by(touched.invoice_id, touched.customer_id, touched.payment_intent_id)


def _objects(touched: Touched) -> Iterator[tuple[str, str]]:
    """What an event's read is going to bring of what it has touched."""
    for kind, object_id in (
        ("Invoice", touched.invoice_id),
        ("InvoicePayment", touched.invoice_payment_id),
        ("PaymentIntent", touched.payment_intent_id),
    ):
        if object_id is not None:
            yield kind, object_id
