"""Whoever comes first in which turn: subscribers of a group miss nothing and get nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.events.feed import Feed
from gateway.events.log import LogEntry
from schema.ports import GapReason, InvoicePaymentEvent, StreamCheckpoint, StreamGap, StreamItem
from tests.events.channel import turn
from tests.events.entries import at, entry
from tests.events.turns import BEAT, HandLoop, by_hand
from tests.events.unsteady_logs import Upgraded
from tests.events.walking import walked
from tests.execution.subscribers import Subscriber, channel
from tests.support.long_form import examples
from tests.support.running import Running

PAID = {"filter": {"types": ["PAID"]}}
CROWD = 3
TURNS_MAX = 400


class Scene:
    """Three subscribers who want PAID, and a writer.

    `w` tells what is wanted, `u` what is not; `a` appends what is wanted, and `p` publishes it,
    however late; `t` lets a heartbeat fall due; `.` gives everybody one turn; a digit stops that
    subscriber's peer from reading, or lets it read on; `x` cuts the first one off, which comes
    back with its last cursor.
    """

    def __init__(self, queue_max: int) -> None:
        self.running = Running(log=Upgraded())
        feed = Feed(self.running.log, queue_max=queue_max, heartbeat_seconds=BEAT)
        self.running.feed = self.running.runner._events = feed
        self.crowd: list[Subscriber] = []
        self.before: list[StreamItem] = []
        self.due: list[int] = []
        self._unpublished: list[LogEntry] = []

    async def begin(self) -> None:
        for _ in range(CROWD):
            self.crowd.append(await Subscriber(self.running, variables=dict(PAID)).begin())

    async def steps(self, steps: str) -> None:
        for step in steps:
            await self._step(step)

    async def _step(self, step: str) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HandLoop)
        if step in "wua":
            placed = await self.running.log.append(
                entry(type="OVERPAID" if step == "u" else "PAID")
            )
            assert placed is not None
            self.due += [placed.position] if step != "u" else []
            if step == "a":
                self._unpublished.append(placed)
            else:
                self.running.feed.publish(placed)
        elif step == "p" and self._unpublished:
            self.running.feed.publish(self._unpublished.pop(0))
        elif step == "t":
            loop.now += BEAT
        elif step == ".":
            await turn()
        elif step in "012":
            reads = self.crowd[int(step)].reads
            reads.clear() if reads.is_set() else reads.set()
        elif step == "x":
            await self._cut_off()

    async def _cut_off(self) -> None:
        first = self.crowd[0]
        await first.end()
        self.before += items_of(first)
        again = {**PAID, "after": first.answers[-1].cursor}
        self.crowd[0] = await Subscriber(self.running, variables=again).begin()

    async def rest(self) -> None:
        """Everybody reads, until everybody has the end or was told that it was too slow."""
        for _ in range(len(self._unpublished)):
            await self._step("p")
        for one in self.crowd:
            one.reads.set()
        for _ in range(TURNS_MAX):
            if all(self._is_through(one) for one in self.crowd):
                break
            await self.steps("...t")
        else:
            raise AssertionError("a subscriber that hangs")
        for one in self.crowd:
            await one.end()

    def _is_through(self, one: Subscriber) -> bool:
        last = list(items_of(one))[-1]
        return is_slow(last) or last == StreamCheckpoint(self.running.feed.position(), True)


def items_of(one: Subscriber) -> Iterator[StreamItem]:
    return map(item_of, one.told)


def item_of(told: dict[str, Any]) -> StreamItem:
    if told["__typename"] == "StreamCheckpoint":
        return StreamCheckpoint(told["cursor"], told["live"])
    if told["__typename"] == "StreamGap":
        return StreamGap(told["after"], told["resumesAt"], GapReason(told["reason"]))
    return InvoicePaymentEvent(told["cursor"], "PAID", "", "", 0, told["invoiceId"])


def is_slow(item: StreamItem) -> bool:
    return isinstance(item, StreamGap) and item.reason is GapReason.SLOW_CONSUMER


def test_who_has_read_what_is_not_published_yet_is_told_no_older_cursor() -> None:
    """2 is published and sends all to the log, which has 3 as well. A heartbeat that told 2 would
    have its reader get 3 once more."""

    async def scene() -> None:
        stage = Scene(queue_max=256)
        await stage.begin()
        await stage.steps("aua" + "......" + "t...")
        cursors = [at(one["cursor"]) for one in stage.crowd[0].told]
        await stage.steps("x...")

        assert cursors == [0, 1, 3, 3, 3]
        assert stage.crowd[0].positions == []

    by_hand(scene())


@given(steps=st.text("wuapt.012x", max_size=60), queue_max=st.integers(1, 3) | st.just(256))
@example(steps="auax.tx", queue_max=256)
@settings(print_blob=True, deadline=None, max_examples=examples(150))
def test_every_cursor_of_every_subscriber_is_true(steps: str, queue_max: int) -> None:
    """However slow some are, whoever comes back, and in whatever order things are published."""

    async def scene() -> None:
        stage = Scene(queue_max)
        await stage.begin()
        await stage.steps(steps)

        await stage.rest()

        end = channel(stage.running).feed.index.published
        for number, one in enumerate(stage.crowd):
            found = [*(stage.before if number == 0 else []), *items_of(one)]
            assert walked(found, 0, stage.due) == end or is_slow(found[-1])

    by_hand(scene())
