"""What is read for an event: put where all find it, and waited for by who misses it meanwhile.

The event's drop comes first and the read after it, so what it brings is no older than the event,
and is kept like any other read: unless it may have been dropped since. Others who miss the same
objects wait instead of asking once more, each for themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gateway.backends.assembly import Ask
from gateway.backends.caching.entries import Kept, Keys
from gateway.backends.caching.policy import Keepable, brought
from gateway.backends.caching.store import CacheDownError
from gateway.backends.caching.tokens import Before, Tokens
from gateway.backends.first_rows import page_of, rows_of
from gateway.backends.harvest import Harvest
from schema.ports import Listing

log = logging.getLogger(__name__)

Keep = Callable[[Sequence[Keepable], Before], Awaitable[None]]


@dataclass(slots=True)
class Renewal:
    """One read for an event, begun after its drop. Without `_before` nothing is kept."""

    _tokens: Tokens
    _keys: Keys
    _keep: Keep
    _before: Before | None

    async def drop(self, names: Sequence[str]) -> None:
        """Drop what the read has shown to be changed as well; what it has brought of that is kept
        where nobody shares the cache. Raises `OSError` unless it is certain."""
        await self._tokens.renew(names, since=self._before)

    async def keep(self, harvest: Harvest) -> None:
        """Keep what it has brought. A cache that is away keeps nothing, and that is no failure."""
        if self._before is None:
            return
        try:
            await self._keep(list(brought(self._keys, harvest)), self._before)
        except CacheDownError as trouble:
            log.info("nothing of an event's read was cached: %s", trouble)


class Renewals:
    """Those that are under way, and what they are going to bring."""

    def __init__(self, tokens: Tokens, keys: Keys, keep: Keep) -> None:
        self._tokens = tokens
        self._keys = keys
        self._keep = keep
        self._coming: dict[tuple[str, str], set[asyncio.Future[None]]] = defaultdict(set)

    @asynccontextmanager
    async def renewing(
        self, dropped: Sequence[str], coming: Iterable[tuple[str, str]]
    ) -> AsyncIterator[Renewal]:
        """Drop these names, and keep what is read from then on; whoever misses one of the objects
        that are `coming` waits for this to end. Raises `OSError` unless the drop is certain."""
        with self._until_over(coming):
            before = await self._tokens.renewed(dropped)
            yield Renewal(self._tokens, self._keys, self._keep, before)

    @contextmanager
    def _until_over(self, objects: Iterable[tuple[str, str]]) -> Iterator[None]:
        """They are coming for as long as this is open, however it ends."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        named = set(objects)
        for one in named:
            self._coming[one].add(over)
        try:
            yield
        finally:
            for one in named:
                self._coming[one].discard(over)
                if not self._coming[one]:
                    del self._coming[one]
            over.set_result(None)

    async def waited_for(self, missing: Iterable[Ask]) -> bool:
        """Whether any of what is missing was coming; by now it has come, or failed to."""
        under_way: set[asyncio.Future[None]] = set()
        for ask in missing if self._coming else ():
            if ask.need is None or rows_of(ask) is not None:
                under_way |= self._coming.get((ask.kind or "", ask.id or ""), set())
        if not under_way:
            return False
        await asyncio.wait(under_way)
        return True


def cut_from(rows: Kept, ask: Ask) -> Kept | None:
    """The part of first rows that this list is; None where they are not enough for it."""
    assert isinstance(ask.need, Listing)
    page = page_of(rows.thing, ask.need)
    return None if page is None else Kept(rows.tokens, page, rows.ends_at)
