"""Cached reads: from the cache what still counts, and asks inside for the rest.

A read that is whole in the cache costs nothing upstream. What is missing is asked for once by all
who want the same at the same time. A cache that is slow or down is a miss for reads, never an
error; for drops it is one, so that nothing is announced that replicas might still show otherwise.
Rights are not decided here: the assembly checks them on every read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.backends.assembly import PENDING, Ask, Assembly, assemble_or_ask
from gateway.backends.caching import entries
from gateway.backends.caching.entries import Kept, Keys, Token
from gateway.backends.caching.policy import (
    Keepable,
    dropped_by,
    is_keepable,
    keepable,
    likely_names,
)
from gateway.backends.caching.renewal import Renewals, cut_from
from gateway.backends.caching.source import Shelf, walk
from gateway.backends.caching.store import READ_SECONDS_MAX, CacheDownError, CacheStore
from gateway.backends.caching.tokens import Before, OwnTokens, SharedTokens, Tokens
from gateway.backends.kept_trees import KeptTrees
from schema.ports import (
    ROOT,
    BackendDescription,
    ById,
    Command,
    ErrorCode,
    Failed,
    Loaded,
    Meter,
    Needs,
    Outcome,
    Reads,
    Root,
    Telling,
    Viewer,
    root_needs,
    still_holds,
)

log = logging.getLogger(__name__)

PIECES_MAX = 4
"""Up to here missing objects are asked for one by one; beyond, their roots are, which Stripe can
answer with fewer calls."""
WAITS_MAX = 3
"""Events in a row that a read waits for, before it asks by itself."""
STORED_AT_ONCE_MAX = 100
"""Values in one command, so that a large answer does not hold up other readers' commands."""


@dataclass(slots=True)
class _Flight:
    """One read inside, and how many wait for it."""

    task: asyncio.Task[Loaded[Any]]
    readers: int = 0


class CachingReads:
    """See `schema.ports.Reads`. `new_token` never repeats itself, in any process. `is_shared` where
    other processes drop what is in this cache, too; `now` counts seconds, and is the same for all
    of them."""

    def __init__(
        self,
        inner: Reads,
        store: CacheStore,
        new_token: Callable[[], str],
        now: Callable[[], float],
        *,
        is_shared: bool = True,
    ) -> None:
        self._inner = inner
        self._store = store
        self._keys = Keys.of(inner.describe())
        self._tokens: Tokens = OwnTokens()
        if is_shared:
            self._tokens = SharedTokens(store, new_token, self._keys.tokens)
        self._now = now
        self._trees = KeptTrees()
        self._flights: dict[Hashable, _Flight] = {}
        self._renewals = Renewals(self._tokens, self._keys, self._keep)
        self.renewing = self._renewals.renewing

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    async def close(self) -> None:
        """Let reads that are under way finish, and let go of the cache."""
        under_way = [flight.task for flight in self._flights.values()]
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._store.close()

    async def drop(
        self, invoice_id: str | None, customer_id: str | None, payment_intent_id: str | None
    ) -> None:
        """Forget all that an event about these may have changed, on all replicas.

        `customer_id` is the invoice's. Idempotent. Raises `OSError` unless it is certain.
        """
        await self._tokens.renew(dropped_by(invoice_id, customer_id, payment_intent_id))

    async def drop_after(self, command: Command, outcome: Outcome | None) -> None:
        """Drop what a write may have changed. A failed drop is made good before the next read, and
        the write's success stands."""
        customer_id = None if outcome is None else outcome.customer_id
        intent_id = getattr(command, "payment_intent_id", None)
        dropped = dropped_by(command.invoice_id, customer_id, intent_id)
        try:
            await self._tokens.renew(dropped, seconds_max=READ_SECONDS_MAX)
        except CacheDownError as trouble:
            log.warning("a drop after a write is owed: %s", trouble)

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any] | None:
        kept = self._trees.get(viewer, needs)
        if kept is None or kept.basis is None or not kept.basis.holds():
            return None
        meter.cached += kept.basis.cached
        return kept

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        """What is known from a write may be older than another's drop since, so nothing that is
        made of it is kept."""
        telling = known if isinstance(known, Telling) else None
        if known is not None and telling is None:
            return await self._inner.load(viewer, needs, meter, known)
        kept = self._trees.get(viewer, needs)
        if kept is not None and kept.basis is not None:
            if await still_holds(kept.basis):
                meter.cached += kept.basis.cached
                return kept
            self._trees.forget(viewer, needs)
        shelf = Shelf()
        try:
            root, missing = await self._from_cache(viewer, needs, meter, shelf)
            if not missing:
                basis = self._tokens.basis(shelf.counted, self._now)
                self._trees.keep(viewer, needs, root, basis, shelf.objects)
                return Root(None, root.children, basis)
            for number in range(WAITS_MAX):
                has_come = await self._renewals.waited_for(missing)
                if not has_come and (telling is None or number > 0):
                    break
                shelf = Shelf()
                root, missing = await self._from_cache(viewer, needs, meter, shelf, telling)
                if not missing:
                    return Loaded(None, root.children)
            before = await self._tokens.before()
        except CacheDownError:
            return await self._inner.load(viewer, needs, meter)
        if all(outcome is PENDING for outcome in root.children.values()):
            tree = await self._fetched(viewer, needs, meter, before)
            return Loaded(None, dict(tree.children))  # each reader may add to its own
        return await self._completed(viewer, needs, meter, shelf, missing, before)

    async def _from_cache(
        self,
        viewer: Viewer,
        needs: Needs,
        meter: Meter,
        shelf: Shelf,
        telling: Telling | None = None,
    ) -> tuple[Loaded[Any], dict[Ask, Needs]]:
        """Put on the shelf what counts in the cache; the tree so far, and what is missing."""
        asked: set[Ask] = set()
        seen: dict[str, Token] = {}
        assembly = Assembly(viewer, shelf)
        root = assembly.root(needs)
        while True:
            unasked = [ask for ask in assembly.missing if ask not in asked and is_keepable(ask)]
            asked.update(unasked)
            if not unasked or not await self._look(viewer, unasked, meter, seen, shelf, telling):
                shelf.objects = assembly.objects
                return root, assembly.missing
            assembly.retry()

    async def _look(
        self,
        viewer: Viewer,
        asks: list[Ask],
        meter: Meter,
        seen: dict[str, Token],
        shelf: Shelf,
        telling: Telling | None,
    ) -> bool:
        """Whether anything of it counts in the cache: an answer, or that there is no object."""
        places = [place for ask in asks for place in self._keys.places(viewer, ask, telling)]
        likely = dict.fromkeys(name for ask in asks for name in likely_names(ask, telling))
        names = [name for name in likely if name not in seen]
        tokens = await self._tokens.keys(names)
        texts = await self._store.get_many([*(key for key, _, _ in places), *tokens])
        taken = zip(names, texts[len(places) :], strict=False)
        seen.update({name: token for name, token in taken if token is not None})
        found: list[tuple[Ask, Kept]] = []
        for (_, ask, are_rows), text in zip(places, texts, strict=False):
            kept = None if text is None else entries.read(text)
            if kept is not None and are_rows:
                kept = cut_from(kept, ask)
            if kept is not None:
                found.append((ask, kept))
        counting = await self._tokens.counting([kept for _, kept in found], seen)
        for (ask, kept), counts in zip(found, counting, strict=True):
            if counts:
                meter.cached += 1
                shelf.take(ask, kept)
        return any(counting)

    async def _completed(
        self,
        viewer: Viewer,
        needs: Needs,
        meter: Meter,
        shelf: Shelf,
        missing: dict[Ask, Needs],
        before: Before,
    ) -> Loaded[Any]:
        """The tree with what is missing asked for inside: by itself if it is little, else with
        the whole root around it."""
        if _can_be_pieces(viewer, missing):
            pieces = [(ById(ask.kind or "", ask.id or ""), below) for ask, below in missing.items()]
            shelf.pour(await self._fetched(viewer, root_needs(pieces), meter, before))
        whole, lacking = _parted(viewer, needs, shelf)
        if lacking.of(ROOT):
            whole.children.update((await self._fetched(viewer, lacking, meter, before)).children)
        return whole

    async def _fetched(
        self, viewer: Viewer, needs: Needs, meter: Meter, before: Before
    ) -> Loaded[Any]:
        """What inside answers, once for all who ask the same between two drops.

        Nobody joins a read that began before a drop which they began after.
        """
        key = (viewer, repr(needs), before.any_drop)
        flight = self._flights.get(key)
        is_joined = flight is not None
        if flight is None:
            task = asyncio.ensure_future(self._fetch_and_keep(viewer, needs, meter, before))
            flight = self._flights[key] = _Flight(task)
            task.add_done_callback(partial(self._landed, key, flight))
        flight.readers += 1
        try:
            tree = await asyncio.shield(flight.task)
        finally:
            flight.readers -= 1
            if flight.readers == 0 and not flight.task.done():
                # All who asked have gone away. Nobody may join what is about to end.
                self._flights.pop(key, None)
                flight.task.cancel()
        if is_joined and _went_over_budget(tree):  # The budget was another operation's.
            return await self._inner.load(viewer, needs, meter)
        return tree

    def _landed(self, key: Hashable, flight: _Flight, task: asyncio.Task[Loaded[Any]]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not task.cancelled() and task.exception() is not None:
            log.debug("a read failed inside")  # Its readers may all be gone by now.

    async def _fetch_and_keep(
        self, viewer: Viewer, needs: Needs, meter: Meter, before: Before
    ) -> Loaded[Any]:
        tree = await self._inner.load(viewer, needs, meter)
        try:
            await self._keep(list(keepable(self._keys, viewer, tree)), before)
        except CacheDownError as trouble:
            log.info("nothing was cached: %s", trouble)
        return tree

    async def _keep(self, things: Sequence[Keepable], before: Before) -> None:
        """Store what came, but nothing that may have been dropped since the read began."""
        tokens = await self._tokens.unchanged(
            sorted({name for one in things for name in one.names}), before
        )
        lasting: dict[float, dict[str, str]] = defaultdict(dict)
        for one in things:
            own = {name: tokens[name] for name in one.names if name in tokens}
            kept = Kept(own, one.thing, self._now() + one.seconds)
            text = entries.written(kept) if len(own) == len(one.names) else None
            if text is not None:
                lasting[one.seconds][one.key] = text
        for seconds, texts in lasting.items():
            keys = list(texts)
            for start in range(0, len(keys), STORED_AT_ONCE_MAX):
                some = keys[start : start + STORED_AT_ONCE_MAX]
                await self._store.set_many({key: texts[key] for key in some}, seconds)


def _can_be_pieces(viewer: Viewer, missing: dict[Ask, Needs]) -> bool:
    """Lists come with their parents. For a viewer who is restricted everything does: an object
    behind one of theirs may be shown to them, but not by its own id."""
    if viewer.customers is not None or len(missing) > PIECES_MAX:
        return False
    return all(ask.need is None for ask in missing)


def _parted(viewer: Viewer, needs: Needs, shelf: Shelf) -> tuple[Loaded[Any], Needs]:
    """The roots that are whole, and the needs of those that are not."""
    whole: Loaded[Any] = Loaded(None)
    lacking: list[Any] = []
    for need, deeper in needs.of(ROOT).items():
        root, missing = assemble_or_ask(viewer, root_needs([(need, deeper)]), shelf)
        if missing:
            lacking.append((need, deeper))
        else:
            whole.children.update(root.children)
    return whole, root_needs(lacking)


def _went_over_budget(tree: Loaded[Any]) -> bool:
    outcomes = (held.outcome for held in walk(tree))
    return any(
        isinstance(one, Failed) and one.code is ErrorCode.UPSTREAM_BUDGET_EXCEEDED
        for one in outcomes
    )
