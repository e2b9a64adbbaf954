"""Ends connections whose peer has stopped reading, or is gone without a word.

What a peer does not take piles up in our memory, so a wait for it needs an end. A slow peer that
takes a little now and then is not disturbed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_STEPS = 5
"""Looks during one timeout; the abort comes at most one step late."""


class WriteTimeout:
    """Watches one transport while something is being written to it."""

    def __init__(self, transport: asyncio.Transport, timeout_seconds: float) -> None:
        self._transport = transport
        self._step_seconds = timeout_seconds / _STEPS
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Abort the connection if, while inside, nothing leaves its buffer for the timeout."""
        self._look_again(steps_left=_STEPS, unsent_bytes=None)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look_again(self, *, steps_left: int, unsent_bytes: int | None) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._step_seconds, self._look, steps_left, unsent_bytes)

    def _look(self, steps_left: int, before: int | None) -> None:
        now = self._transport.get_write_buffer_size()
        if before is not None and now < before:
            steps_left = _STEPS + 1
        if steps_left <= 1:
            self._transport.abort()
            return
        self._look_again(steps_left=steps_left - 1, unsent_bytes=now)


def drop_dead_peers(transport: asyncio.Transport, seconds: float) -> None:
    """Have the system end the connection when nothing is acknowledged, as after a pulled cable.

    An event stream hears nothing back from its client, so only TCP can tell; its own patience is
    a quarter of an hour. Where the system has no such option (it is Linux's) that stays.
    """
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if connection is not None and option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, int(1000 * seconds))
