"""What may be open at once, for how long, and how it ends: operations, sockets and streams.

Beyond a limit a request is told at once to come again, which costs less than to let it wait with
all the others until its client has given up. The counts are of this process only.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gateway.web.http_errors import HttpRefusal

STOPPING = "The gateway is stopping; connect again."
EXPIRED = "The authorization has expired."
WITHDRAWN = "The authorization was withdrawn."

_LOOKS = 5
"""During one timeout of a write; the abort comes at most one of them late."""

_Outcome = TypeVar("_Outcome")

Closer = Callable[[], Awaitable[None]]
"""Ends one socket or stream; idempotent and bounded in time."""


class ConcurrencyLimit:
    """A number of slots for each key; it holds no key that has none taken."""

    def __init__(
        self, per_key_max: int, message: str, *, status: int = 429, retry_after_seconds: int = 10
    ) -> None:
        self._per_key_max = per_key_max
        self._refusal = (status, message, {"Retry-After": str(retry_after_seconds)})
        self._taken: Counter[str] = Counter()

    def is_full(self, key: str = "") -> bool:
        """Whether there is no slot left."""
        return self._taken.get(key, 0) >= self._per_key_max

    def slot(self, key: str = "") -> Slot:
        """A slot of `key`, held while inside. Raises `HttpRefusal` when there is none left."""
        return Slot(self, key)

    def take(self, key: str) -> None:
        """Raises `HttpRefusal` when there is none left."""
        if self._taken[key] >= self._per_key_max:
            raise HttpRefusal(*self._refusal)
        self._taken[key] += 1

    def free(self, key: str) -> None:
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class Slot:
    """One slot of a limit. Small, as every open socket holds one."""

    __slots__ = ("_is_held", "_key", "_limit")

    def __init__(self, limit: ConcurrencyLimit, key: str) -> None:
        self._limit = limit
        self._key = key
        self._is_held = False

    def __enter__(self) -> Slot:
        self._limit.take(self._key)
        self._is_held = True
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def free(self) -> None:
        """Hold it no longer. Idempotent."""
        if self._is_held:
            self._is_held = False
            self._limit.free(self._key)

    def passed_on(self) -> Slot:
        """The same in other hands, which have to free it; these hold it no longer."""
        other = Slot(self._limit, self._key)
        other._is_held, self._is_held = self._is_held, False
        return other

    def move(self, limit: ConcurrencyLimit, key: str) -> None:
        """Hold another instead. Raises `HttpRefusal`, and holds none, when there is none left."""
        self.free()
        self._limit, self._key = limit, key
        self.__enter__()


class Shutdown:
    """The mutations under way and the connections that stay open; one per process.

    Mutations run apart from the requests that asked for them, as a client that goes away must not
    stop a payment half way.
    """

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

    def refuse_new(self) -> None:
        """Once it has begun no socket and no stream is opened. Raises `HttpRefusal`."""
        if self.has_begun:
            raise HttpRefusal(503, STOPPING, {"Retry-After": "1"})

    def closing_with(self, closer: Closer) -> _Closing:
        """While inside, `closer` is called when the shutdown begins."""
        return _Closing(self._closers, closer)

    def begin(self) -> None:
        """From now on not ready, and no new sockets or streams; idempotent."""
        self.has_begun = True

    async def finish(self, *, timeout_seconds: float) -> None:
        """Close every socket and stream, then wait for the mutations under way."""
        self.begin()
        await asyncio.gather(*(close() for close in tuple(self._closers)))
        if self._mutations:
            await asyncio.wait(tuple(self._mutations), timeout=timeout_seconds)


class _Closing:
    """Small, as every open socket holds one."""

    __slots__ = ("_closer", "_closers")

    def __init__(self, closers: set[Closer], closer: Closer) -> None:
        self._closers = closers
        self._closer = closer

    def __enter__(self) -> None:
        self._closers.add(self._closer)

    def __exit__(self, *_: object) -> None:
        self._closers.discard(self._closer)


class WriteTimeout:
    """Watches one transport while something is being written to it: what its peer does not take
    piles up in our memory. One that takes a little now and then is not disturbed."""

    def __init__(self, transport: asyncio.Transport, timeout_seconds: float) -> None:
        self._transport = transport
        self._step_seconds = timeout_seconds / _LOOKS
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Abort the connection if, while inside, nothing leaves its buffer for the timeout."""
        self._look_again(_LOOKS, unsent_bytes=None)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look_again(self, looks_left: int, unsent_bytes: int | None) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._step_seconds, self._look, looks_left, unsent_bytes)

    def _look(self, looks_left: int, before: int | None) -> None:
        now = self._transport.get_write_buffer_size()
        if before is not None and now < before:
            looks_left = _LOOKS + 1
        if looks_left <= 1:
            self._transport.abort()
        else:
            self._look_again(looks_left - 1, now)


def drop_dead_peers(transport: asyncio.Transport, seconds: float) -> None:
    """Have the system end the connection when nothing is acknowledged, as after a pulled cable.

    An event stream hears nothing back from its client, so only TCP can tell; its own patience is
    a quarter of an hour. Where the system has no such option (it is Linux's) that stays.
    """
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if connection is not None and option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, int(1000 * seconds))
