"""Lets costly steps through one at a time, so that cheap ones never wait for many of them.

One thread runs everything, and a large answer takes it for tens of milliseconds: a hundred at
once would keep everybody else waiting for seconds. Between two costly steps the event loop goes
round once and does whatever else is ready. Callers take turns, so that one with a hundred
operations delays another's only by one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque


class FairQueue:
    """One per process. A turn is for the code up to the next real wait and needs no return."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._is_turning = False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(len(line) for line in self._lines.values())

    async def turn(self, caller: str) -> None:
        """Wait until it is the caller's turn. A wait that is cancelled leaves no gap."""
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        self._lines.setdefault(caller, deque()).append(admitted)
        if not self._is_turning:
            self._is_turning = True
            loop.call_soon(self._admit_next)
        await admitted

    def _admit_next(self) -> None:
        """Wake one, and come back after it: its task is scheduled before this is again."""
        while self._lines:
            caller, line = self._lines.popitem(last=False)
            admitted = line.popleft()
            if line:
                self._lines[caller] = line  # Behind everyone else who waits.
            if not admitted.done():
                admitted.set_result(None)
                asyncio.get_running_loop().call_soon(self._admit_next)
                return
        self._is_turning = False
