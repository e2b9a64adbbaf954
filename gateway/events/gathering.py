"""What arrives about the same invoice is taken in together: all that comes before the read begins
which is made for it, and what comes later with the next.

Batches of one invoice follow one another, so that their entries stand in the order of arrival;
those of different invoices do not wait for each other. So do copies of one fact, whatever they are
gathered by. Knows neither events nor reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

Arrival = TypeVar("Arrival")


@dataclass(eq=False, slots=True)
class Batch(Generic[Arrival]):
    """What has arrived about one invoice (`about` is its id) and is taken in at once. Whoever takes
    it in closes it before the read begins that it is for."""

    about: str
    arrivals: list[Arrival] = field(default_factory=list)
    is_open: bool = True

    def close(self) -> None:
        """Whoever comes from now on is in the next one."""
        self.is_open = False


Outcomes = Mapping[str, int]
"""How many entries each event became, by its id."""


class Gathering(Generic[Arrival]):
    """The batches that are under way. `take_in` raises for all that are in a batch, and for nobody
    else."""

    def __init__(self, take_in: Callable[[Batch[Arrival]], Awaitable[Outcomes]]) -> None:
        self._take_in = take_in
        self._newest: dict[str, tuple[Batch[Arrival], asyncio.Task[Outcomes]]] = {}

    async def joined(self, about: str, arrival: Arrival) -> Outcomes:
        """Arrive, and wait until the batch is through. Raises what taking it in has raised. Who
        goes away meanwhile stays in the batch."""
        batch, task = self._newest.get(about, (None, None))
        if batch is None or task is None or not batch.is_open or task.done():
            batch = Batch(about)
            task = asyncio.create_task(self._in_turn(batch, task))
            self._newest[about] = (batch, task)
            task.add_done_callback(partial(self._over, batch))
        batch.arrivals.append(arrival)
        return await asyncio.shield(task)

    async def _in_turn(
        self, batch: Batch[Arrival], before: asyncio.Task[Outcomes] | None
    ) -> Outcomes:
        if before is not None:
            await asyncio.wait([before])
        return await self._take_in(batch)

    def _over(self, batch: Batch[Arrival], task: asyncio.Task[Outcomes]) -> None:
        batch.close()
        newest, _ = self._newest.get(batch.about, (None, None))
        if newest is batch:
            del self._newest[batch.about]


class Copies:
    """What is under way, by the names of its fact."""

    def __init__(self) -> None:
        self._newest: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def follow(self, names: Sequence[str]) -> AsyncIterator[None]:
        """Begin once all that came before under any of these names are through, however they end:
        whoever is second finds what the first has done."""
        before = {self._newest[name] for name in names if name in self._newest}
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._newest.update(dict.fromkeys(names, over))
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            for name in names:
                if self._newest.get(name) is over:
                    del self._newest[name]
            over.set_result(None)
