"""Peers that have stopped reading, and those that are only slow."""

from __future__ import annotations

import asyncio

import pytest

from gateway.web.connections import WriteTimeout

TIMEOUT_SECONDS = 0.02
LOOKS_ENOUGH = 20


class Buffer(asyncio.Transport):
    """The unsent bytes of a connection, as they look each time they are looked at."""

    def __init__(self, *, taken_every: int) -> None:
        super().__init__()
        self._taken_every = taken_every
        self._unsent_bytes = 1000
        self._looks = 0
        self.watched_long_enough = asyncio.Event()
        self.aborted = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        self._looks += 1
        if self._looks % self._taken_every == 0:
            self._unsent_bytes -= 1
        if self._looks == LOOKS_ENOUGH:
            self.watched_long_enough.set()
        return self._unsent_bytes

    def abort(self) -> None:
        self.aborted.set()


@pytest.mark.parametrize("taken_every", [1, 4], ids=["steadily", "now and then"])
async def test_a_slow_peer_is_not_disturbed(taken_every: int) -> None:
    """A thin line takes a long answer in small pieces, however long that lasts."""
    buffer = Buffer(taken_every=taken_every)
    watch = WriteTimeout(buffer, timeout_seconds=TIMEOUT_SECONDS)

    with watch.running():
        await asyncio.wait_for(buffer.watched_long_enough.wait(), timeout=5)

    assert not buffer.aborted.is_set()


async def test_a_peer_that_takes_nothing_is_aborted() -> None:
    """After the timeout nothing is expected of it any more."""
    buffer = Buffer(taken_every=LOOKS_ENOUGH)
    watch = WriteTimeout(buffer, timeout_seconds=TIMEOUT_SECONDS)

    with watch.running():
        await asyncio.wait_for(buffer.aborted.wait(), timeout=5)

    assert not buffer.watched_long_enough.is_set()


async def test_a_peer_is_watched_only_while_it_is_waited_for() -> None:
    """A quiet connection with nothing to send is no stalled one."""
    buffer = Buffer(taken_every=LOOKS_ENOUGH)
    watch = WriteTimeout(buffer, timeout_seconds=TIMEOUT_SECONDS)

    with watch.running():
        pass
    aborted = asyncio.wait_for(buffer.aborted.wait(), timeout=2 * TIMEOUT_SECONDS)

    with pytest.raises(TimeoutError):
        await aborted
