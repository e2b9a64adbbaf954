"""What has to end, or be waited for, before the process may stop.

Mutations run here, apart from the requests that asked for them: a client that goes away must not
stop a payment half way. It decides nothing about operations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Outcome = TypeVar("_Outcome")

Closer = Callable[[], Awaitable[None]]
"""Ends one socket or stream; idempotent and bounded in time."""


class Shutdown:
    """The mutations under way and the connections that stay open; one per process."""

    def __init__(self, *, mutations_max: int) -> None:
        self._mutations_max = mutations_max
        self._mutations: set[asyncio.Task[Any]] = set()
        self._closers: set[Closer] = set()
        self.has_begun = False

    @property
    def full(self) -> bool:
        """Whether no further mutation may begin."""
        return len(self._mutations) >= self._mutations_max

    async def run_to_the_end(self, mutation: Coroutine[Any, Any, _Outcome]) -> _Outcome:
        """The outcome of `mutation`, which goes on to its end even if the caller is cancelled."""
        task = asyncio.ensure_future(mutation)
        self._mutations.add(task)
        task.add_done_callback(self._mutations.discard)
        return await asyncio.shield(task)

    @contextmanager
    def closing_with(self, closer: Closer) -> Iterator[None]:
        """While inside, `closer` is called when the shutdown begins."""
        self._closers.add(closer)
        try:
            yield
        finally:
            self._closers.discard(closer)

    def begin(self) -> None:
        """From now on not ready, and no new sockets or streams; idempotent."""
        self.has_begun = True

    async def finish(self, *, timeout_seconds: float) -> None:
        """Close every socket and stream, then wait for the mutations under way."""
        self.begin()
        await asyncio.gather(*(close() for close in tuple(self._closers)))
        if self._mutations:
            await asyncio.wait(tuple(self._mutations), timeout=timeout_seconds)
