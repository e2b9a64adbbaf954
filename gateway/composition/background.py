"""What is done again and again beside the serving: kept going, whatever it meets.

A chore deals with what it expects. What it does not expect is a mistake of ours: it is told with
its place in the code, counted, and the chore begins anew after a pause. It knows no chore.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 60.0
"""Between a failure and the next try; it doubles while a chore fails at once."""

Chore = Callable[[], Awaitable[None]]


class Chores:
    """The chores of one process. `failures` counts by name; `sleep` and `monotonic` own time."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float],
    ) -> None:
        self.failures: Counter[str] = Counter()
        self._sleep = sleep
        self._monotonic = monotonic
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, chore: Chore) -> None:
        """Do it until `stop`, or until it ends by itself."""
        self.failures[name] = 0
        task = asyncio.create_task(self._kept_going(name, chore), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()

    async def _kept_going(self, name: str, chore: Chore) -> None:
        pause = PAUSE_SECONDS_MIN
        while True:
            begun = self._monotonic()
            try:
                await chore()
                return
            except Exception:
                self.failures[name] += 1
                log.exception("the chore %s failed, and begins anew in %g s", name, pause)
            if self._monotonic() - begun > PAUSE_SECONDS_MAX:
                pause = PAUSE_SECONDS_MIN
            await self._sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
