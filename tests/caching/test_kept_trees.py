"""Whole trees that a process keeps over its cache: what they save, and when they end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.backends.caching.entries import Kept
from gateway.backends.caching.policy import ANY
from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.store import BoundedMemoryCache, CacheStore
from gateway.backends.caching.tokens import OwnTokens
from schema.ports import ROOT, Meter, Needs, Viewer
from tests.caching.cached import OPERATOR
from tests.support.running import WatchedBackend
from tests.support.stage import Stage
from tests.support.wanting import PAYMENT_INTENT, PAYMENTS, invoice, wanting


async def nobody() -> None:
    """Nobody comes in between."""


class StepwiseCache(BoundedMemoryCache):
    """One key after the other; somebody may come in between. It counts the keys it is asked for."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.clock.monotonic)
        self.between: Callable[[], Awaitable[None]] = nobody
        self.gets: list[int] = []

    async def multi_get(self, keys: list[str]) -> list[str | None]:
        self.gets.append(len(keys))
        return await super().multi_get(keys)

    async def multi_set(self, pairs: list[tuple[str, str]], ttl: float | None = None) -> None:
        for pair in pairs:
            await super().multi_set([pair], ttl)
            await self.between()


@dataclass(slots=True)
class World:
    """One stage, one cache, and as many replicas as are asked for."""

    stage: Stage = field(default_factory=Stage.empty)
    cache: StepwiseCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = StepwiseCache(self.stage)

    def replica(self, *, is_shared: bool) -> CachingReads:
        return CachingReads(
            WatchedBackend(self.stage),
            CacheStore(self.cache),
            lambda: self.stage.ids.new("tok"),
            self.stage.clock.monotonic,
            is_shared=is_shared,
        )


def lasting(invoice_id: str) -> Needs:
    """Needs as a plan has them."""
    root = invoice(invoice_id)
    needs = wanting(root, ("Invoice", PAYMENTS), ("InvoicePayment", PAYMENT_INTENT))
    for deeper in needs.of(ROOT).values():
        deeper.is_lasting = True
    return needs


async def number(replica: CachingReads, needs: Needs, viewer: Viewer = OPERATOR) -> str | None:
    """The number of the one invoice that is needed."""
    root = await replica.load(viewer, needs, Meter("operator"))
    (found,) = root.children.values()
    shown: str | None = found.record.number
    return shown


async def test_one_process_asks_its_cache_nothing_for_a_tree_that_it_keeps() -> None:
    world = World()
    needs = lasting(world.stage.paid_by(700)[0])
    replica = world.replica(is_shared=False)
    for _ in range(2):
        await number(replica, needs)
    world.cache.gets.clear()

    meter = Meter("operator")
    await replica.load(OPERATOR, needs, meter)

    assert world.cache.gets == []
    assert replica.at_once(OPERATOR, needs, Meter("operator")) is not None
    assert (meter.calls, meter.cached) == (0, 4)


async def test_replicas_prove_a_tree_by_one_key() -> None:
    """Unless there was a drop: then by the tokens of all that it was made of, once."""
    world = World()
    needs = lasting(world.stage.paid_by(700)[0])
    one, other = world.replica(is_shared=True), world.replica(is_shared=True)
    for _ in range(3):
        await number(one, needs)
    world.cache.gets.clear()

    await number(one, needs)
    assert world.cache.gets == [1]

    await other.drop("in_another", "cus_another", None)
    world.cache.gets.clear()
    await number(one, needs)
    await number(one, needs)

    assert world.cache.gets[0] == 1
    assert world.cache.gets[1] > 1
    assert world.cache.gets[2:] == [1]
    assert one.at_once(OPERATOR, needs, Meter("operator")) is None


async def test_a_drop_that_is_half_done_leaves_no_tree_for_ever() -> None:
    """Whoever looks between two of its steps may find the old state, and must look again after."""
    world = World()
    invoice_id, _ = world.stage.paid_by(700)
    needs = lasting(invoice_id)
    one, other = world.replica(is_shared=True), world.replica(is_shared=True)
    for _ in range(3):
        await number(one, needs)
    looked = 0

    async def look() -> None:
        nonlocal looked
        looked += 1
        world.cache.between = nobody
        await number(one, needs)
        world.cache.between = look

    world.stage.twin.invoices.put(replace(world.stage.twin.invoice(invoice_id), number="NEW"))
    world.cache.between = look
    await other.drop(invoice_id, None, None)
    world.cache.between = nobody

    assert looked > 2
    assert await number(one, needs) == "NEW"


async def test_a_tree_lasts_no_longer_than_what_it_was_made_of() -> None:
    """An intent that is not settled counts for ten seconds, and the tree was made after five."""
    world = World()
    invoice_id = world.stage.open_invoice(700)
    world.stage.twin.attach(invoice_id, world.stage.intent(700))
    needs = lasting(invoice_id)
    replica = world.replica(is_shared=False)
    await number(replica, needs)
    world.stage.clock.advance(5)
    await number(replica, needs)
    assert replica.at_once(OPERATOR, needs, Meter("operator")) is not None

    world.stage.clock.advance(5)

    assert replica.at_once(OPERATOR, needs, Meter("operator")) is None


async def test_a_tree_is_not_shown_to_who_may_see_less() -> None:
    world = World()
    needs = lasting(world.stage.paid_by(700)[0])
    replica = world.replica(is_shared=False)
    for _ in range(2):
        await number(replica, needs)

    stranger = replace(OPERATOR, customers=frozenset({"cus_other"}))
    root = await replica.load(stranger, needs, Meter("operator"))

    assert [type(child).__name__ for child in root.children.values()] == ["Failed"]


async def test_of_two_values_that_depend_on_one_name_the_older_decides() -> None:
    tokens = OwnTokens()
    older = Kept({"Invoice:in_1": 0}, "older", 60.0)
    await tokens.renew(["Invoice:in_1", ANY])
    newer = Kept({"Invoice:in_1": 1}, "newer", 60.0)

    def holds(*kept: Kept) -> Any:
        return tokens.basis(kept, lambda: 0.0).holds()

    assert holds(newer)
    assert not holds(older, newer)
    assert not holds(newer, older)


@pytest.mark.parametrize("is_shared", [False, True])
async def test_needs_that_do_not_last_keep_nothing(*, is_shared: bool) -> None:
    """Others could come to stand at their place in memory."""
    world = World()
    invoice_id, _ = world.stage.paid_by(700)
    replica = world.replica(is_shared=is_shared)
    for _ in range(3):
        await number(replica, wanting(invoice(invoice_id)))
    world.cache.gets.clear()

    await number(replica, wanting(invoice(invoice_id)))

    assert world.cache.gets != []
    assert world.cache.gets != [1]
