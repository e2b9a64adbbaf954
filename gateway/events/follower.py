"""Follows the log that replicas share, and publishes here what any of them has appended.

It ends when the log was replaced, or by a mistake of ours. Streams of this replica hear nothing
more then, so that it must not be called ready; only a restart begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from gateway.events.feed import Feed
from gateway.events.log import Logged, decode_position
from gateway.events.log_redis import LogReplaced

log = logging.getLogger(__name__)


@runtime_checkable
class FollowedLog(Protocol):
    """A log that others append to as well, and that says what they have appended.

    `tail_trouble` is what keeps the tail from going on now.
    """

    tail_trouble: OSError | None

    def tail(self, after: int) -> AsyncGenerator[Logged, None]:
        """What the log holds after a position, as it comes; it never ends."""
        ...


class Follower:
    """One per process, started once the feed has begun."""

    def __init__(self, shared: FollowedLog, feed: Feed) -> None:
        self._log = shared
        self._feed = feed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow from where the feed began, until `stop`."""
        self._task = asyncio.create_task(self._follow())
        self._task.add_done_callback(_tell_how_it_ended)

    def stop(self) -> None:
        """Idempotent."""
        if self._task is not None:
            self._task.cancel()

    def check(self) -> None:
        """Raises `OSError` while what replicas append does not come."""
        if self._task is None or self._task.done():
            raise OSError("the shared event log is no longer followed: restart the gateway")
        if self._log.tail_trouble is not None:
            raise self._log.tail_trouble

    async def _follow(self) -> None:
        async for entry in self._log.tail(decode_position(self._feed.position())[1]):
            self._feed.publish(entry)


def _tell_how_it_ended(task: asyncio.Task[None]) -> None:
    trouble = None if task.cancelled() else task.exception()
    if trouble is not None:
        # That of a replaced log is expected and says all; another's place in the code is needed.
        story = None if isinstance(trouble, LogReplaced) else trouble
        log.error("the shared event log is no longer followed: %s", trouble, exc_info=story)
