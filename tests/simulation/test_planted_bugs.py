"""Bugs that are planted in the journal, the feed and the cache: the simulation must find each.

A simulation that finds nothing may be one that looks at nothing. Each bug is a small change of the
kind that a review lets through.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gateway.backends.caching.reads import CachingReads
from gateway.backends.caching.renewal import Renewal, Renewals
from gateway.backends.caching.tokens import SharedTokens
from gateway.backends.journal.attempt import Try
from gateway.backends.journal.open_writes import Settling
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import Move, State, WriteRecord
from gateway.composition.stores import Stores
from gateway.events import fact_names
from gateway.events.fact_names import event_name
from gateway.events.feed import Feed
from gateway.events.gathering import Batch, Gathering
from gateway.events.log import LogEntry, decode_position, encode_position
from gateway.events.places import Places
from tests.simulation.planning import plan_of
from tests.simulation.runs import breaks
from tests.simulation.shrinking import promises_of
from tests.simulation.world import Twist

HISTORIES_MAX = 400
FOUND_BY = (0, 1, 7, 16, 52, 91)
"""Seeds that have found one of them; they are played first."""
SEEDS = (*FOUND_BY, *(seed for seed in range(HISTORIES_MAX) if seed not in FOUND_BY))

Plant = Callable[[pytest.MonkeyPatch], Twist]


class ForgetsDoubt:
    """A journal that has lost what it had written last of a write in doubt."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        known: WriteRecord | None = await self._inner.begin(record)
        if known is not None and known.state is State.IN_DOUBT:
            await self._inner.swap(
                replace(record, version=known.version + 1), version=known.version
            )
            return None
        return known


class ComparesNothing(ForgetsDoubt):
    """A journal in which the last word wins, whoever says it."""

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        known: WriteRecord | None = await self._inner.begin(record)
        return known

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        present = await self._inner.swap(record, version=version)
        while present is not None:
            present = await self._inner.swap(record, version=present.version)
        return None


def _with_journal(made: Callable[[JournalStore], Any]) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> Twist:
        def wrapped(stores: Stores) -> Stores:
            return replace(stores, journal=made(stores.journal))

        return Twist(stores=wrapped)

    return plant


def doubt_is_a_refusal(patch: pytest.MonkeyPatch) -> Twist:
    ended = Try.ended

    async def surely(self: Try, move: Move, *given: Any) -> None:
        await ended(self, Move.REFUSE if move is Move.DOUBT else move, *given)

    patch.setattr(Try, "ended", surely)
    return Twist()


def old_keys_are_sent(patch: pytest.MonkeyPatch) -> Twist:
    patch.setattr(Try, "may_send", True)
    return Twist()


def nothing_is_settled(patch: pytest.MonkeyPatch) -> Twist:
    async def settle(self: Settling) -> None:
        """Everything stays as it was left."""

    patch.setattr(Settling, "settle", settle)
    return Twist()


def the_feed_skips_one(patch: pytest.MonkeyPatch) -> Twist:
    publish, turns = Feed.publish, count(1)

    def skipping(self: Feed, entry: LogEntry) -> None:
        if next(turns) % 11 == 0:
            self.index.published = max(self.index.published, entry.position)
        else:
            publish(self, entry)

    patch.setattr(Feed, "publish", skipping)
    return Twist()


def the_feed_resumes_one_too_late(patch: pytest.MonkeyPatch) -> Twist:
    return _resuming(patch, off_by=1)


def the_feed_repeats_one(patch: pytest.MonkeyPatch) -> Twist:
    return _resuming(patch, off_by=-1)


def _resuming(patch: pytest.MonkeyPatch, *, off_by: int) -> Twist:
    subscribe = Feed.subscribe

    def shifted(self: Feed, viewer: Any, *, after: str | None, where: Any) -> Any:
        if after is not None:
            epoch, position = decode_position(after)
            _, last = decode_position(self.position())
            after = encode_position(epoch, max(0, min(position + off_by, last)))
        return subscribe(self, viewer, after=after, where=where)

    patch.setattr(Feed, "subscribe", shifted)
    return Twist()


def events_drop_nothing(patch: pytest.MonkeyPatch) -> Twist:
    async def drop(self: CachingReads, *names: str | None) -> None:
        """What is cached stays."""

    @asynccontextmanager
    async def renewing(self: Renewals, *given: Any) -> AsyncIterator[Renewal]:
        yield Renewal(self._tokens, self._keys, self._keep, None)

    patch.setattr(CachingReads, "drop", drop)
    patch.setattr(Renewals, "renewing", renewing)
    return Twist()


def events_join_a_read_that_has_begun(patch: pytest.MonkeyPatch) -> Twist:
    def close(self: Batch[Any]) -> None:
        """Who comes later is still let in."""

    async def joined(self: Gathering[Any], invoice_id: str, arrival: Any) -> Any:
        outcomes = await whole(self, invoice_id, arrival)
        return defaultdict(int, outcomes)

    whole = Gathering.joined
    patch.setattr(Batch, "close", close)
    patch.setattr(Gathering, "joined", joined)
    return Twist()


def late_reads_are_kept(patch: pytest.MonkeyPatch) -> Twist:
    unchanged = SharedTokens.unchanged

    async def late(self: SharedTokens, names: Any, before: Any) -> Mapping[str, Any]:
        return await unchanged(self, names, await self.before())

    patch.setattr(SharedTokens, "unchanged", late)
    return Twist()


def thin_events_name_no_snapshot(patch: pytest.MonkeyPatch) -> Twist:
    patch.setattr(fact_names, "event_names", lambda hint: (event_name(hint.event_id),))
    return Twist()


def an_attach_elsewhere_is_passed_over(patch: pytest.MonkeyPatch) -> Twist:
    patch.setattr(Places, "is_default", lambda self, payment_id: True)
    return Twist()


PLANTS: list[tuple[str, Plant]] = [
    ("the journal forgets a doubt", _with_journal(ForgetsDoubt)),
    ("the journal compares nothing", _with_journal(ComparesNothing)),
    ("a doubt is a refusal", doubt_is_a_refusal),
    ("old keys are sent", old_keys_are_sent),
    ("nothing is settled", nothing_is_settled),
    ("the feed skips one", the_feed_skips_one),
    ("the feed resumes one too late", the_feed_resumes_one_too_late),
    ("the feed repeats one", the_feed_repeats_one),
    ("events drop nothing", events_drop_nothing),
    ("late reads are kept", late_reads_are_kept),
    ("thin events name no snapshot", thin_events_name_no_snapshot),
    ("an attach elsewhere is passed over", an_attach_elsewhere_is_passed_over),
    ("events join a read that has begun", events_join_a_read_that_has_begun),
]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("plant", [one for _, one in PLANTS], ids=[name for name, _ in PLANTS])
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few hundred histories, by a promise that it breaks and not by falling over."""
    twist = plant(monkeypatch)

    seed, found = next(
        ((seed, how) for seed in SEEDS if (how := breaks(plan_of(seed), twist))),
        (None, []),
    )

    print(f"found by seed {seed}: {found}")  # noqa: T201
    assert promises_of(found) - {"trouble"}
