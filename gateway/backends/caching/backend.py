"""The caching backend: reads from the cache what still counts, and asks inside for the rest.

A read that is whole in the cache costs nothing upstream. What is missing is asked for once by all
who want the same at the same time. A cache that is slow or down is a miss for reads, never an
error; for drops it is one, so that nothing is announced that replicas might still show otherwise.
Rights are not decided here: the assembly checks them on every read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gateway.backends.assembly import Ask, assemble_or_ask
from gateway.backends.caching import codec, names
from gateway.backends.caching.keeping import Keepable, is_keepable, keepable
from gateway.backends.caching.keys import Keys
from gateway.backends.caching.shelf import Shelf
from gateway.backends.caching.store import READ_SECONDS_MAX, CacheDownError, CacheStore
from gateway.backends.caching.tokens import Before, Tokens
from gateway.backends.caching.tree import walk
from schema.ports import (
    ROOT,
    Attached,
    AttachPayment,
    BackendDescription,
    ById,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    ErrorCode,
    Failed,
    InvoiceBackend,
    Loaded,
    Needs,
    Viewer,
    meter,
    root_needs,
)

log = logging.getLogger(__name__)

PIECES_MAX = 4
"""Up to here missing objects are asked for one by one; beyond, their roots are, which Stripe can
answer with fewer calls."""
STORED_AT_ONCE_MAX = 100
"""Values in one command, so that a large answer does not hold up other readers' commands."""

Outcome = TypeVar("Outcome", Attached, Detached, CreditNoteCreated)


@dataclass(slots=True)
class _Flight:
    """One read inside, and how many wait for it."""

    task: asyncio.Task[Loaded[Any]]
    readers: int = 0


class CachingBackend:
    """See `schema.ports.InvoiceBackend`. `new_token` never repeats itself, in any process."""

    def __init__(
        self, inner: InvoiceBackend, store: CacheStore, new_token: Callable[[], str]
    ) -> None:
        self._inner = inner
        self._store = store
        self._keys = Keys.of(inner.describe())
        self._tokens = Tokens(store, new_token, self._keys.tokens)
        self._flights: dict[Hashable, _Flight] = {}

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        work = self._inner.attach_payment(viewer, command)
        return await self._written(work, command.invoice_id, command.payment_intent_id)

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        work = self._inner.detach_payment(viewer, command)
        return await self._written(work, command.invoice_id, command.payment_intent_id)

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        work = self._inner.create_credit_note(viewer, command)
        return await self._written(work, command.draft.invoice_id, None)

    async def close(self) -> None:
        under_way = [flight.task for flight in self._flights.values()]
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._inner.close()
        await self._store.close()

    async def drop(
        self, invoice_id: str | None, customer_id: str | None, payment_intent_id: str | None
    ) -> None:
        """Forget all that an event about these may have changed, on all replicas.

        `customer_id` is the invoice's. Idempotent. Raises `OSError` unless it is certain.
        """
        await self._tokens.renew(names.dropped_by(invoice_id, customer_id, payment_intent_id))

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        shelf = Shelf()
        try:
            await self._tokens.make_good()
            root, missing = await self._from_cache(viewer, needs, shelf)
            if not missing:
                return root
            before = await self._tokens.before()
        except CacheDownError:
            return await self._inner.load(viewer, needs)
        return await self._completed(viewer, needs, shelf, missing, before)

    async def _from_cache(
        self, viewer: Viewer, needs: Needs, shelf: Shelf
    ) -> tuple[Loaded[Any], dict[Ask, Needs]]:
        """Put on the shelf what counts in the cache; the tree so far, and what is missing."""
        asked: set[Ask] = set()
        tokens: dict[str, str] = {}
        while True:
            root, missing = assemble_or_ask(viewer, needs, shelf)
            unasked = [ask for ask in missing if ask not in asked and is_keepable(ask)]
            if not unasked:
                return root, missing
            asked.update(unasked)
            await self._look(viewer, unasked, tokens, shelf)

    async def _look(
        self, viewer: Viewer, asks: list[Ask], tokens: dict[str, str], shelf: Shelf
    ) -> None:
        """`tokens` are those that this read has seen: any moment since it began will do."""
        keyed = [(key, ask) for ask in asks for key in self._places(viewer, ask)]
        texts = await self._store.get_many([key for key, _ in keyed])
        found = [
            (ask, kept)
            for (_, ask), text in zip(keyed, texts, strict=True)
            if text is not None and (kept := codec.read(text)) is not None
        ]
        unseen = {name for _, kept in found for name in kept.tokens} - tokens.keys()
        tokens.update(await self._tokens.now(sorted(unseen)))
        for ask, kept in found:
            if all(tokens.get(name) == token for name, token in kept.tokens.items()):
                meter().cached += 1
                shelf.put(ask, kept.thing)

    def _places(self, viewer: Viewer, ask: Ask) -> list[str]:
        """Where an answer may be; for an object, also where it says that there is none."""
        held = self._keys.held(viewer, ask)
        if ask.need is not None:
            return [held]
        return [held, self._keys.gone(viewer, ask.kind or "", ask.id or "")]

    async def _completed(
        self,
        viewer: Viewer,
        needs: Needs,
        shelf: Shelf,
        missing: dict[Ask, Needs],
        before: Before,
    ) -> Loaded[Any]:
        """The tree with what is missing asked for inside: by itself if it is little, else with
        the whole root around it."""
        if _can_be_pieces(viewer, missing):
            pieces = [(ById(ask.kind or "", ask.id or ""), below) for ask, below in missing.items()]
            shelf.pour(await self._fetched(viewer, root_needs(pieces), before))
        whole, lacking = _parted(viewer, needs, shelf)
        if lacking.of(ROOT):
            whole.children.update((await self._fetched(viewer, lacking, before)).children)
        return whole

    async def _fetched(self, viewer: Viewer, needs: Needs, before: Before) -> Loaded[Any]:
        """What inside answers, once for all who ask the same between two drops.

        Nobody joins a read that began before a drop which they began after.
        """
        key = (viewer, repr(needs), before.any_drop)
        flight = self._flights.get(key)
        is_joined = flight is not None
        if flight is None:
            task = asyncio.ensure_future(self._fetch_and_keep(viewer, needs, before))
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
        if is_joined and _went_over_budget(tree):
            return await self._inner.load(viewer, needs)  # The budget was another operation's.
        return tree

    def _landed(self, key: Hashable, flight: _Flight, task: asyncio.Task[Loaded[Any]]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not task.cancelled() and task.exception() is not None:
            log.debug("a read failed inside")  # Its readers may all be gone by now.

    async def _fetch_and_keep(self, viewer: Viewer, needs: Needs, before: Before) -> Loaded[Any]:
        tree = await self._inner.load(viewer, needs)
        try:
            await self._keep(list(keepable(self._keys, viewer, tree)), before)
        except CacheDownError as trouble:
            log.info("nothing was cached: %s", trouble)
        return tree

    async def _keep(self, things: list[Keepable], before: Before) -> None:
        """Store what came, but nothing that may have been dropped since the read began."""
        depended_on = sorted({name for one in things for name in one.names})
        tokens = await self._tokens.unchanged(depended_on, before)
        lasting: dict[float, dict[str, str]] = defaultdict(dict)
        for one in things:
            if all(name in tokens for name in one.names):
                text = codec.written(codec.Kept({n: tokens[n] for n in one.names}, one.thing))
                if text is not None:
                    lasting[one.seconds][one.key] = text
        for seconds, texts in lasting.items():
            await self._store_all(texts, seconds)

    async def _store_all(self, texts: dict[str, str], seconds: float) -> None:
        keys = list(texts)
        for start in range(0, len(keys), STORED_AT_ONCE_MAX):
            some = keys[start : start + STORED_AT_ONCE_MAX]
            await self._store.set_many({key: texts[key] for key in some}, seconds)

    async def _written(
        self, work: Awaitable[Outcome], invoice_id: str, payment_intent_id: str | None
    ) -> Outcome:
        """Drop after a write, whatever came of it: a refusal, too, says that things have moved.

        A failed drop is made good before the next read, and the write's success stands.
        """
        customer_id = None
        try:
            outcome = await work
            customer_id = outcome.customer_id
            return outcome
        finally:
            dropped = names.dropped_by(invoice_id, customer_id, payment_intent_id)
            await self._drop_or_owe(dropped)

    async def _drop_or_owe(self, dropped: Iterable[str]) -> None:
        try:
            await self._tokens.renew(dropped, seconds_max=READ_SECONDS_MAX)
        except CacheDownError as trouble:
            log.warning("a drop after a write is owed: %s", trouble)


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
