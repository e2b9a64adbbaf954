"""A stage behind a cache whose inside is watched, and caches that fail or tell what they hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from schema.ports import (
    ROOT,
    Command,
    Computed,
    Link,
    Listing,
    Loaded,
    Meter,
    Need,
    Needs,
    Outcome,
    Viewer,
)
from tests.support.backends import journal_of
from tests.support.running import WatchedBackend
from tests.support.stage import Stage
from tests.support.wanting import CUSTOMER, PAYMENT_INTENT, PAYMENTS, invoice, wanting

OPERATOR = Viewer("operator")
OUT_OF_BAND = Computed("amount_paid_out_of_band")
PREVIEW = Computed("detach_preview")


class UnsteadyCache(BoundedMemoryCache):
    """Goes down, sticks and comes back as it is told; remembers all it was ever given."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.clock.monotonic)
        self.is_down = False
        self.is_stuck = False
        self.is_asked = asyncio.Event()
        self.given: dict[str, str] = {}

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        await self._answer()
        return await super().multi_get(keys)

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        await self._answer()
        self.given |= dict(pairs)
        await super().multi_set(pairs, ttl)

    async def _answer(self) -> None:
        self.is_asked.set()
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.is_down:
            raise ConnectionError("the cache is down")


@dataclass(slots=True)
class Cached:
    """One replica in front of a stage."""

    stage: Stage = field(default_factory=Stage.empty)
    inner: WatchedBackend = field(init=False)
    cache: UnsteadyCache = field(init=False)
    backend: CachingReads = field(init=False)

    def __post_init__(self) -> None:
        self.inner = WatchedBackend(self.stage)
        self.cache = UnsteadyCache(self.stage)
        self.backend = self.replica(self.inner)

    def replica(self, inner: Any) -> CachingReads:
        """Another replica on the same cache."""
        return CachingReads(
            inner,
            CacheStore(self.cache),
            lambda: self.stage.ids.new("tok"),
            self.stage.clock.now,
        )

    async def load(
        self, needs: Needs, viewer: Viewer = OPERATOR, meter: Meter | None = None
    ) -> Loaded[Any]:
        return await self.backend.load(viewer, needs, meter or Meter(viewer.tenant))

    async def write(self, command: Command) -> Outcome:
        """A write of this replica's, as its journal sends it."""
        now = self.stage.clock.now
        writes = journal_of(self.inner, now, self.backend.drop_after)
        return await writes.write(OPERATOR, command, Meter(OPERATOR.tenant))

    async def one(self, *path: tuple[str, Need], viewer: Viewer = OPERATOR) -> Any:
        """What came for the first need of a path: `Loaded`, a page, None or `Failed`."""
        return (await self.load(wanting(*path), viewer)).children[path[0][1]]

    async def asked_by(self, needs: Needs, viewer: Viewer = OPERATOR) -> list[list[Need]]:
        """The roots of each load that this read causes inside."""
        self.inner.loads.clear()
        await self.load(needs, viewer)
        return [list(one.of(ROOT)) for one in self.inner.loads]


def shape(outcome: Any) -> Any:
    """A loaded tree as plain values, to be compared."""
    if isinstance(outcome, Loaded):
        below = {need: shape(child) for need, child in outcome.children.items()}
        return outcome.record, below
    if hasattr(outcome, "items"):
        items = [shape(item) for item in outcome.items]
        return items, outcome.has_next, outcome.has_previous, outcome.digest
    return str(outcome) if isinstance(outcome, Exception) else outcome


def everything_of(invoice_id: str) -> Needs:
    """An invoice with all that hangs on it."""
    needs, root = Needs(), invoice(invoice_id)
    for path in (
        (("Invoice", CUSTOMER),),
        (("Invoice", OUT_OF_BAND),),
        (("Invoice", Listing("credit_notes")),),
        (("Invoice", Listing("lines")),),
        (("Invoice", PAYMENTS), ("InvoicePayment", PAYMENT_INTENT)),
        (("Invoice", PAYMENTS), ("InvoicePayment", PREVIEW)),
        (("Invoice", PAYMENTS), ("InvoicePayment", Link("source"))),
    ):
        needs.merge(wanting(root, *path))
    return needs
