"""Catch-up with all of Stripe's lists of events, again and again.

The trouble of one list keeps nobody from the other. A list that is not to be had, as an account or
a key may lack it, is told of once, asked for again by every run, and no failure.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.events.catch_up import RETRY_SECONDS, ListCatchUp, ListRefused, OnProgress, Summary
from schema.ports import Failed

SNAPSHOT, THIN = "snapshot", "thin"
"""What the lists are called: by what Stripe calls the events in them."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListRun:
    """What became of one list in one run: a summary, or why there is none."""

    summary: Summary | None = None
    trouble: str | None = None
    is_refused: bool = False


@dataclass(kw_only=True, eq=False)
class CatchUp:
    """One per process; `lists` by their names, in the order in which they are read."""

    lists: Mapping[str, ListCatchUp]
    sleep: Callable[[float], Awaitable[None]]
    _refused: set[str] = field(default_factory=set, init=False)
    _complete: dict[str, int | None] = field(default_factory=dict, init=False)

    @property
    def passed_over(self) -> int:
        """How many events wait to be tried again, as far as is known."""
        return sum(one.passed_over for one in self.lists.values())

    @property
    def given_up(self) -> int:
        """How many events were given up since the start of the process."""
        return sum(one.given_up for one in self.lists.values())

    @property
    def complete_by_list(self) -> Mapping[str, float]:
        """Up to when each list was last known to be complete, those left out that never were: as it
        was after the last run of this process."""
        return {name: at for name, at in self._complete.items() if at is not None}

    async def run(
        self, since: int | None = None, on_progress: OnProgress | None = None
    ) -> dict[str, ListRun]:
        """Read each list from `since`, or from where it got to, and say what became of it. All of
        them begin at once, as the first may take a while, or the process end in it."""
        if since is None:
            with suppress(OSError):  # which the reading of the list will meet, and tell
                for one in self.lists.values():
                    await one.begin()
        return {name: await self._ran(name, since, on_progress) for name in self.lists}

    async def last_complete(self) -> int | None:
        """Up to when everything in the lists that are to be had was known to be taken in, by
        whichever process; None as long as that was never so. Raises `OSError`."""
        found = [
            await one.complete_until()
            for name, one in self.lists.items()
            if name not in self._refused
        ]
        complete = [at for at in found if at is not None]
        return min(complete) if complete and len(complete) == len(found) else None

    async def every(self, seconds: float) -> None:
        """Run now and then every so many seconds, for ever; sooner after a run that failed."""
        while True:
            ran = await self.run()
            is_through = all(one.summary is not None or one.is_refused for one in ran.values())
            await self.sleep(seconds if is_through else min(seconds, RETRY_SECONDS))

    async def _ran(self, name: str, since: int | None, on_progress: OnProgress | None) -> ListRun:
        try:
            summary = await self.lists[name].run(since, on_progress)
            self._complete[name] = await self.lists[name].complete_until()
        except ListRefused as refused:
            if name not in self._refused:
                self._refused.add(name)
                told = (
                    "Stripe's list of %s events is not to be had, so only webhooks bring them: %s"
                )
                log.warning(told, name, refused.message)
            return ListRun(trouble=refused.message, is_refused=True)
        except (OSError, Failed) as error:
            why = error.message if isinstance(error, Failed) else type(error).__name__
            log.warning("catch-up with %s events stopped: %s", name, why)
            return ListRun(trouble=why)
        self._refused.discard(name)
        if summary.taken or summary.failed:
            told = "catch-up took %d %s events, failed at %d"
            log.info(told, summary.taken, name, summary.failed)
        return ListRun(summary)
