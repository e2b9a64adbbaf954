"""What no webhook brought: Stripe's list of events is read again through the same door.

At the start, on a timer, and by hand. It reads from the time up to which everything is known to
have been taken in, and a while before that, because Stripe's list is not in the order in which
things happened to the second; the log knows what is a repeat. It decides nothing about an event.
Source: https://docs.stripe.com/webhooks/process-undelivered-events and
https://docs.stripe.com/api/events (30 days), 2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.events.intake import Hint
from gateway.events.webhook import read_event
from schema.ports import EventOrigin, Failed

DAY_SECONDS = 24 * 3600
REACH_SECONDS = 30 * DAY_SECONDS
"""How far back Stripe lists events."""
OVERLAP_SECONDS = 600
"""Read again each time. Covers events that are listed late, and a clock that is off by more than
webhooks would put up with (300 s)."""
RETRY_SECONDS = 15.0
"""After an outage the next try does not wait for the timer."""
FAILURES_IN_A_ROW_MAX = 5
"""One event that cannot be taken in is passed over and tried again; so many at once are an
outage."""
SAVE_EVERY = 100
"""Events between two notes of how far it has come: a page of Stripe's list."""

ReadEvents = Callable[[int], AsyncGenerator[Mapping[str, Any], None]]
"""Every event from a second on, oldest first, to the end. Raises `Failed`."""
Receive = Callable[[Hint, EventOrigin], Awaitable[int]]
"""`Intake.receive`."""

log = logging.getLogger(__name__)


class Progress(Protocol):
    """Where catch-up keeps the time up to which everything has been taken in.

    A time and not an event's id: the overlap begins before the event that was seen last, and
    Stripe forgets events. `load` answers None before the first `save`; what was saved last counts.
    Both raise `OSError` when the store is not to be had.
    """

    async def load(self) -> int | None: ...

    async def save(self, covered_until: int) -> None: ...


class MemoryProgress:
    """Forgets with the process, as the log in memory does."""

    def __init__(self) -> None:
        self._covered_until: int | None = None

    async def load(self) -> int | None:
        return self._covered_until

    async def save(self, covered_until: int) -> None:
        self._covered_until = covered_until


@dataclass(slots=True)
class Summary:
    """One run, so far or in the end; times are epoch seconds.

    `seen` is the sum of `taken` (new), `known` (taken in before, about an invoice that is no more,
    or no entry of the log), `ignored` (none of ours) and `failed` (passed over; the next run tries
    them again). `at` is the time of the event that came last. `out_of_reach`: what lies between
    `wanted_from` and `from_` is older than what Stripe lists, and cannot be had any more.
    """

    wanted_from: int
    from_: int
    to: int
    out_of_reach: bool
    at: int
    seen: int = 0
    taken: int = 0
    known: int = 0
    ignored: int = 0
    failed: int = 0


OnProgress = Callable[[Summary], None]
"""Is handed the same summary after every event."""


def _nobody(summary: Summary) -> None:
    """Nobody watches."""


class CatchUp:
    """One per process. Runs follow one another, whoever asks for them."""

    def __init__(
        self,
        *,
        read_events: ReadEvents,
        receive: Receive,
        progress: Progress,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        account: str,
        livemode: bool,
    ) -> None:
        self._read_events = read_events
        self._receive = receive
        self._progress = progress
        self._now = now
        self._sleep = sleep
        self._account = account
        self._livemode = livemode
        self._one_at_a_time = asyncio.Lock()

    async def run(self, since: int | None = None, on_progress: OnProgress | None = None) -> Summary:
        """Read from `since`, or from where the last run got to, up to now.

        The first run of all has missed nothing, as nobody has read from this gateway before.
        Raises `Failed` when Stripe cannot be asked and `OSError` when the log is not to be had;
        the next run begins where this one got to.
        """
        async with self._one_at_a_time:
            now, covered_until = self._now(), await self._progress.load()
            summary = _planned(since, covered_until, now)
            if summary.out_of_reach:
                log.warning("events before %d are older than what Stripe lists", summary.from_)
            run = _Run(summary, covered_until, on_progress or _nobody)
            async with aclosing(self._read_events(summary.from_)) as events:
                async for raw in events:
                    await self._take(raw, run)
                    if summary.seen % SAVE_EVERY == 0:
                        await self._save(run, summary.at)
            await self._save(run, now)
            return summary

    async def every(self, seconds: float) -> None:
        """Run now and then every so many seconds, for ever; sooner after a run that failed."""
        while True:
            is_through = await self._ran()
            await self._sleep(seconds if is_through else min(seconds, RETRY_SECONDS))

    async def _ran(self) -> bool:
        try:
            summary = await self.run()
        except (OSError, Failed) as error:
            why = error.message if isinstance(error, Failed) else type(error).__name__
            log.warning("catch-up stopped: %s", why)
            return False
        if summary.taken or summary.failed:
            log.info("catch-up took %d events, failed at %d", summary.taken, summary.failed)
        return True

    async def _take(self, raw: Mapping[str, Any], run: _Run) -> None:
        read = read_event(raw, account=self._account, livemode=self._livemode)
        if not isinstance(read, Hint):
            run.summary.ignored += 1
        else:
            await self._receive_one(read, run)
        run.seen(raw)

    async def _receive_one(self, hint: Hint, run: _Run) -> None:
        try:
            entries = await self._receive(hint, EventOrigin.RECONCILED)
        except Failed as failed:
            log.warning("event %s cannot be taken in: %s", hint.event_id, failed.message)
            run.failed(hint, failed)
            return
        run.failures_in_a_row = 0
        if entries:
            run.summary.taken += 1
        else:
            run.summary.known += 1

    async def _save(self, run: _Run, reached: int) -> None:
        """Note how far it has come: never backwards, and never over what was not read."""
        covered_until = run.covers(reached)
        if covered_until is not None:
            await self._progress.save(covered_until)


def _planned(since: int | None, covered_until: int | None, now: int) -> Summary:
    """From when to read. Out of reach is what was missed, not the overlap before it."""
    wanted_from = since if since is not None else now if covered_until is None else covered_until
    oldest = now - REACH_SECONDS
    overlap = OVERLAP_SECONDS if since is None else 0
    from_ = max(wanted_from - overlap, oldest)
    return Summary(wanted_from, from_, now, out_of_reach=wanted_from < oldest, at=from_)


@dataclass(slots=True)
class _Run:
    """One run under way. `covered_before`: what earlier ones had noted."""

    summary: Summary
    covered_before: int | None
    on_progress: OnProgress
    failed_at: int | None = None
    failures_in_a_row: int = 0

    def seen(self, raw: Mapping[str, Any]) -> None:
        created = raw.get("created")
        if type(created) is int:
            self.summary.at = max(self.summary.at, min(created, self.summary.to))
        self.summary.seen += 1
        self.on_progress(self.summary)

    def failed(self, hint: Hint, why: Failed) -> None:
        """Pass over it, or raise where it is one of too many."""
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= FAILURES_IN_A_ROW_MAX:
            raise why
        if self.failed_at is None:
            self.failed_at = hint.created
        self.summary.failed += 1

    def covers(self, reached: int) -> int | None:
        """The time to note, once this second is reached; None where there is nothing to note."""
        until = reached if self.failed_at is None else min(reached, self.failed_at)
        before = self.covered_before
        if before is None:
            return until
        return until if self.summary.wanted_from <= before < until else None
