"""Tasks in the background of the serving: supervised, and begun anew whatever they meet.

A task deals with what it expects. What it does not expect is a mistake of ours: it is told with
its place in the code, counted, and the task begins anew after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_MAX = 60.0
"""Between a failure and the next try; it doubles while a task fails at once."""

Work = Callable[[], Awaitable[None]]


class BackgroundTasks:
    """Those of one process. `failures` counts by name; `sleep` and `monotonic` own time."""

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

    def start(self, name: str, work: Work) -> None:
        """Do it until `stop`, or until it ends by itself."""
        self.failures[name] = 0
        task = asyncio.create_task(self._supervised(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()

    async def _supervised(self, name: str, work: Work) -> None:
        pause = PAUSE_SECONDS_MIN
        while True:
            begun = self._monotonic()
            try:
                await work()
                return
            except Exception:
                self.failures[name] += 1
                log.exception("the background task %s failed, and begins anew in %g s", name, pause)
            if self._monotonic() - begun > PAUSE_SECONDS_MAX:
                pause = PAUSE_SECONDS_MIN
            await self._sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)


async def every(seconds: float, work: Work, trouble: str) -> None:
    """Do it again and again. What a store or the network says no to is a warning, in the words of
    `trouble`, and is tried again at the next time."""
    while True:
        try:
            await work()
        except OSError as error:
            log.warning(trouble, error)
        await asyncio.sleep(seconds)
