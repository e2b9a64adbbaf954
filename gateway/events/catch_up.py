"""What no webhook brought: Stripe's lists of events are read again through the same door.

It reads from the time up to which everything is known to have been taken in, and a while before
that, because Stripe's list is not in the order in which things happened to the second; the log
knows what is a repeat. That time is Stripe's, told by its events: our clock may have been wrong. An
event that cannot be taken in is passed over, kept with that time, and tried again.
There are two lists, of snapshot events and of thin ones, each with a time of its own.
Source: https://docs.stripe.com/webhooks/process-undelivered-events,
https://docs.stripe.com/api/events and https://docs.stripe.com/api/v2/core/events (30 days),
2026-10-28.endive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.events.catch_up_progress import Covered, PassedOver, Progress
from gateway.events.event_ids import created_at, read_event
from gateway.events.hints import Hint
from schema.ports import EventOrigin, Failed

DAY_SECONDS = 24 * 3600
REACH_SECONDS = 30 * DAY_SECONDS
"""How far back Stripe lists events."""
OVERLAP_SECONDS = 600
"""Read again each time. Covers events that are listed late, and a clock that is off by more than
webhooks would put up with (300 s)."""
RETRY_SECONDS = 15.0
"""After an outage the next try does not wait for the timer."""
NEW_FAILURES_MAX = 5
"""So many new ones in one run may be an outage, and end it; the next run goes on behind them. What
comes in between proves nothing, as not every event needs an answer of Stripe's."""
PASSED_OVER_MAX = 500
"""Events that wait to be tried again. When there are more, the run ends in any case."""
FAILED_AGAIN_MAX = 20
"""Of them, those that fail once more in one run, at ten seconds each if Stripe hangs; the others
are tried in the runs after. All that come in do so at once."""
SAVE_EVERY = 100
"""Events between two notes of how far it has come: a page of Stripe's list."""
CLOCK_SECONDS_MAX = 300
"""Covered further ahead of our clock than this is a mistake of a clock, ours now or ours then."""

ReadEvents = Callable[[int], AsyncGenerator[Mapping[str, Any], None]]
"""Every event from a second on, oldest first, to the end. Raises `Failed`."""
Receive = Callable[[Hint, EventOrigin], Awaitable[int]]
"""`Intake.receive`."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Summary:
    """One run, so far or in the end; times are epoch seconds.

    `seen` is the sum of `taken` (new), `known` (taken in before, or no entry), `ignored` (none of
    ours) and `failed` (passed over; later runs try them again). `given_up` are those that Stripe
    no longer lists. `at` is the time of the newest event so far. `out_of_reach`: something between
    `wanted_from` and `from_` was missed and is older than what Stripe lists.
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
    given_up: int = 0


OnProgress = Callable[[Summary], None]
"""Is handed the same summary after every event."""


class ListRefused(Failed):
    """The account has no such list, or the key may not read it."""


@dataclass(kw_only=True, eq=False)
class ListCatchUp:
    """Of one list, in one process. Runs follow one another, whoever asks for them."""

    read_events: ReadEvents
    receive: Receive
    progress: Progress
    now: Callable[[], int]
    account: str
    livemode: bool
    passed_over: int = field(default=0, init=False)
    """How many wait to be tried again, as far as is known."""
    given_up: int = field(default=0, init=False)
    """How many were given up since the start of the process."""
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self, since: int | None = None, on_progress: OnProgress | None = None) -> Summary:
        """Read from `since`, or from where the last run got to, up to now; the first run of all has
        missed nothing. Raises `Failed` when Stripe cannot be asked and `OSError` when the log is
        not to be had; the next run begins where this one got to."""
        async with self._one_at_a_time:
            now, covered = self.now(), self._believed(await self.progress.load())
            summary = _planned(since, covered, now)
            if summary.out_of_reach:
                log.warning("events before %d are older than what Stripe lists", summary.from_)
            if covered is None and since is None:
                # If the first run of all fails, the next one must not begin when it begins.
                covered = Covered(summary.from_)
                summary.wanted_from = summary.from_
                await self.progress.save(covered)
            run = _Run(summary, covered, on_progress)
            await self._try_again(run)
            try:
                async with aclosing(self.read_events(summary.from_)) as events:
                    async for raw in events:
                        await self._take(raw, run)
                        if summary.seen % SAVE_EVERY == 0:
                            await self._save(run)
            except ListRefused:
                await self._begin_later(covered, now)
                raise
            await self._save(run, ended_at=now)
            return summary

    async def _begin_later(self, covered: Covered | None, now: int) -> None:
        """Nobody has missed what was before the first read of a list that was never to be had."""
        if covered is not None and covered.ended_at is None:
            await self.progress.save(Covered(now))

    async def begin(self) -> None:
        """Note that nothing may be missed from now on, if nothing is noted. Raises `OSError`."""
        async with self._one_at_a_time:
            if await self.progress.load() is None:
                await self.progress.save(Covered(self.now() - OVERLAP_SECONDS))

    async def complete_until(self) -> int | None:
        """Up to when all that the list holds is known to have been taken in; None before the first
        run has come to its end. Raises `OSError`."""
        covered = await self.progress.load()
        if covered is None or covered.ended_at is None:
            return None
        return min([covered.ended_at, *(one.hint.created for one in covered.passed_over)])

    def _believed(self, covered: Covered | None) -> Covered | None:
        """What was kept, unless a clock was ahead when it was: then everything is read again that
        Stripe lists, as nobody knows from where on it was skipped."""
        now = self.now()
        if covered is None or covered.until <= now + CLOCK_SECONDS_MAX:
            return covered
        log.warning(
            "catch-up was said to have come to %d, which is ahead of our clock (%d): a clock was "
            "wrong, so all that Stripe lists is read again",
            covered.until,
            now,
        )
        return Covered(now - REACH_SECONDS, covered.passed_over)

    async def _try_again(self, run: _Run) -> None:
        """Those that were passed over, as long as it is not in vain; and an end for those that are
        too old, by Stripe's time, as ours would give up what can still be had."""
        failures = 0
        for one in list(run.passed_over.values()):
            if failures >= FAILED_AGAIN_MAX:
                return
            hint = one.hint
            del run.passed_over[hint.event_id]
            if run.before is not None and hint.created < run.before.until - REACH_SECONDS:
                gone = "event %s (%s) is given up after %d tries: Stripe lists it no longer"
                log.error(gone, hint.event_id, hint.type, one.tries)
                run.summary.given_up += 1
                self.given_up += 1
                continue
            run.summary.seen += 1
            if await self._received(hint, run, tries=one.tries + 1) is not None:
                failures += 1

    async def _take(self, raw: Mapping[str, Any], run: _Run) -> None:
        """Take it in, or pass over it. Raises `Failed` where it is one of too many."""
        read = read_event(raw, account=self.account, livemode=self.livemode)
        if not isinstance(read, Hint):
            run.summary.ignored += 1
        elif read.event_id in run.passed_over:
            run.summary.failed += 1  # within the overlap, and tried already
        elif (failed := await self._received(read, run)) is not None:
            run.new_failures += 1
            if run.new_failures >= NEW_FAILURES_MAX:
                run.at(read.created)
                await self._save(run)
                raise failed
        run.seen(raw)

    async def _received(self, hint: Hint, run: _Run, tries: int = 1) -> Failed | None:
        """Why it is passed over, if it is. Raises `Failed` where there is no room for that."""
        try:
            entries = await self.receive(hint, EventOrigin.RECONCILED)
        except Failed as failed:
            log.warning("event %s cannot be taken in: %s", hint.event_id, failed.message)
            if len(run.passed_over) >= PASSED_OVER_MAX:
                await self._save(run)
                raise
            run.passed_over[hint.event_id] = PassedOver(hint, tries)
            run.summary.failed += 1
            return failed
        if entries:
            run.summary.taken += 1
        else:
            run.summary.known += 1
        return None

    async def _save(self, run: _Run, ended_at: int | None = None) -> None:
        """Note how far it has come: never backwards, and never over what was not read."""
        self.passed_over = len(run.passed_over)
        covered = run.covers(ended_at)
        if covered is not None:
            await self.progress.save(covered)


def _planned(since: int | None, covered: Covered | None, now: int) -> Summary:
    """From when to read. Out of reach is what was missed, not the overlap before it."""
    wanted_from = since if since is not None else now if covered is None else covered.until
    oldest = now - REACH_SECONDS
    overlap = OVERLAP_SECONDS if since is None else 0
    from_ = max(wanted_from - overlap, oldest)
    missed_from = wanted_from
    if since is None and covered is not None:
        missed_from = max(wanted_from, covered.ended_at or 0)
    return Summary(wanted_from, from_, now, out_of_reach=missed_from < oldest, at=from_)


class _Run:
    """One run under way. `before`: what earlier ones had noted."""

    def __init__(
        self, summary: Summary, before: Covered | None, on_progress: OnProgress | None
    ) -> None:
        self.summary = summary
        self.new_failures = 0
        self.passed_over = {one.hint.event_id: one for one in (before or Covered(0)).passed_over}
        self.before = before
        self._on_progress = on_progress
        self._newest: int | None = None

    def seen(self, raw: Mapping[str, Any]) -> None:
        created = created_at(raw)
        if created is not None:
            self.at(created)
        self.summary.seen += 1
        if self._on_progress is not None:
            self._on_progress(self.summary)

    def at(self, created: int) -> None:
        """An event was dealt with. Its time is Stripe's; one that our clock has yet to reach counts
        as now."""
        self._newest = max(self._newest or 0, min(created, self.summary.to))
        self.summary.at = max(self.summary.at, self._newest)

    def covers(self, ended_at: int | None) -> Covered | None:
        """What to note now; None where there is nothing to note. Only an event proves how far was
        read: our clock may be days ahead, and its time would hide what happens until then."""
        passed_over, before = tuple(self.passed_over.values()), self.before
        if before is None:
            newest = self._newest
            return None if newest is None else Covered(newest, passed_over, ended_at)
        covered = replace(before, passed_over=passed_over)
        if self.summary.wanted_from <= before.until:
            until = max(before.until, self._newest or 0)
            covered = Covered(until, passed_over, ended_at or before.ended_at)
        return None if covered == before else covered
