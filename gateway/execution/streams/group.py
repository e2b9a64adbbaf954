"""Subscriptions that are shown the same: each event is loaded, shown and encoded once for them.

One pass hands it to all who are quiet, without a task between. Who cannot take more for now leaves
the pass with what waits for it, and comes back when it has caught up: nobody waits for another.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.execution.operation import Batch, Take
from gateway.execution.streams.deliveries import (
    Delivery,
    Flight,
    Projection,
    RecentDeliveries,
    Told,
    shown_plainly,
)
from schema.ports import (
    EventFilter,
    InvoicePaymentEvent,
    LiveEvents,
    LiveItem,
    StreamItem,
)

GATHERED_FROM = 50
GATHER_SECONDS_EACH = 0.000_005
GATHER_SECONDS_MAX = 0.005
"""From so many members on a pass waits, for about as long as it takes for each of them."""

AHEAD_MAX = 32
"""Events of one group that are loaded side by side, and handed out together."""

AT_ONCE_MAX = 500
"""Subscribers that are handed an event before the loop does something else: a few milliseconds."""

SHARED = "shared streams"
"""Whose share of budgets and turns is used for several tenants; none has a name with spaces."""

GONE = sys.maxsize
"""Where who has left stands: behind everything that is still to be handed out."""


class Member(Protocol):
    """A subscription while it leaves what comes to its group.

    `seen` is the position up to which it has everything, `told_at` when it was told something.
    """

    tenant: str
    request_id: str
    seen: int
    told_at: float
    take: Take

    def released(self, live: LiveEvents, failure: Exception | None) -> None:
        """Go on alone behind `seen`, or end with this failure."""
        ...


@dataclass(frozen=True, slots=True)
class _Both:
    """An item as everybody is shown it, and as those are whose write it was."""

    item: LiveItem
    told: Told
    own: Told


def _batch(passed: Sequence[Told]) -> Batch | None:
    """What is the same for all; None if something is each one's own."""
    shared = [one.shared for one in passed if one.shared is not None]
    return Batch(shared) if len(shared) == len(passed) else None


def _batch_for(member: Member, passed: Sequence[_Both]) -> Batch:
    """Of what was passed, what this one has not seen, as it is shown it."""
    return Batch(
        [
            (one.own if member.tenant == one.item.owner else one.told).answer(member.request_id)
            for one in passed
            if one.item.position > member.seen
        ]
    )


class Group:
    """Those who share. `forget` is called when the last one has left."""

    __slots__ = (
        "_context",
        "_forget",
        "_live",
        "_members",
        "_pass",
        "_passed_at",
        "_payer",
        "_projection",
        "_recent",
        "_shows_key",
        "_streams",
        "_tasks",
        "_timer",
        "where",
    )

    def __init__(
        self,
        projection: Projection,
        where: EventFilter,
        recent: RecentDeliveries,
        forget: Callable[[], None],
    ) -> None:
        self._projection = projection
        self._context = projection.run.context
        self._shows_key = projection.shows_key
        self._recent = recent
        self._forget = forget
        self._streams = 0
        self._payer = ""
        self._tasks: set[asyncio.Task[None]] | None = None
        self._members: dict[Member, None] = {}
        self._live: LiveEvents | None = None
        self._pass: asyncio.Task[None] | None = None
        self._passed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.where = where

    def enter(self, tenant: str) -> None:
        """One subscription more; each that enters has to leave."""
        self._payer = tenant if self._streams == 0 or tenant == self._payer else SHARED
        self._streams += 1

    def leave(self) -> None:
        self._streams -= 1
        if self._streams:
            return
        self._forget()
        for task in (self._pass, *(self._tasks or ())):
            if task is not None:
                task.cancel()

    async def told(self, item: StreamItem) -> Told:
        """An item as everybody here is shown it. Whoever asks may be cancelled: what others may
        wait for as well goes on. Raises what the loading of it has raised."""
        if not isinstance(item, InvoicePaymentEvent):
            return await shown_plainly(self._projection, item)
        flight = self._recent.get((self, item.cursor)) or self._flight(item)
        return await self._of(await asyncio.shield(flight), item)

    async def _of(self, delivery: Delivery, event: InvoicePaymentEvent) -> Told:
        key = event.idempotency_key if self._shows_key else None
        if (known := delivery.told.get(key)) is not None:
            return known
        told = await delivery.of(event, key)
        if told.result.errors or told.shared is None:
            self._recent.drop((self, event.cursor))
        else:
            self._recent.weigh((self, event.cursor), len(told.shared.json or b""))
        return told

    def _flight(self, event: InvoicePaymentEvent) -> Flight:
        """The event on its way, in a task of the group's."""
        flight: Flight = asyncio.get_running_loop().create_future()
        self._recent.keep((self, event.cursor), flight)
        self._start(self._load(event, flight))
        return flight

    async def _load(self, event: InvoicePaymentEvent, flight: Flight) -> None:
        try:
            run, root = await self._projection.loaded(event, self._payer)
            flight.set_result(Delivery(self._projection, run, root))
        except Exception as failure:  # noqa: BLE001  # Told to everybody who waits for it.
            self._recent.drop((self, event.cursor))
            flight.set_exception(failure)
            flight.exception()  # Nobody may be left who waits.
        finally:
            if flight.cancel():
                self._recent.drop((self, event.cursor))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        tasks = self._tasks = self._tasks or set()
        task = asyncio.get_running_loop().create_task(work, context=self._projection.variables)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def takes_members(self) -> bool:
        """Whether nothing that comes is missing for who becomes a member now."""
        return self._live is None or not self._live.is_over

    def join(self, member: Member) -> None:
        """Hand out to it what comes behind `seen`, until it is released or leaves."""
        if self._live is None:
            context = self._context
            self._live = context.events.live(context.viewer, self.where, self._wake)
        member.told_at = _now()
        self._members[member] = None
        self._await_beat()

    def part(self, member: Member) -> None:
        """It wants nothing more, as its client is gone. Idempotent."""
        if member in self._members:
            del self._members[member]
            member.seen = GONE
            self._close_if_empty()

    def _release(self, member: Member, failure: Exception | None = None) -> None:
        live = self._live
        if live is None or member not in self._members:
            return
        del self._members[member]
        member.released(live, failure)
        member.seen = GONE
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self._members or self._live is None:
            return
        self._live.close()
        self._live = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._pass is None:
            # Whoever published has nothing to do with what is done here.
            self._pass = asyncio.get_running_loop().create_task(
                self._hand_out(), context=self._projection.variables
            )

    async def _hand_out(self) -> None:
        """Everything that waits, in its order; then the members that were told nothing for long."""
        ahead: dict[int, Flight] = {}
        try:
            await self._gather()
            while (live := self._live) is not None:
                if items := live.waiting(AHEAD_MAX):
                    live.done(await self._first_of(items, ahead))
                elif live.is_over:
                    for member in list(self._members):
                        self._release(member)
                elif not await self._beat(live):
                    break
        finally:
            self._pass = None
        if self._live is not None:
            self._await_beat()

    async def _gather(self) -> None:
        """Wait for about as long as a pass takes: what comes meanwhile goes out with it."""
        if len(self._members) >= GATHERED_FROM:
            seconds = len(self._members) * GATHER_SECONDS_EACH
            await asyncio.sleep(min(seconds, GATHER_SECONDS_MAX))

    async def _first_of(self, items: list[LiveItem], ahead: dict[int, Flight]) -> int:
        """Hand out the first of what waits, with those behind it that are loaded by then. How
        many they are."""
        self._look_ahead(items, ahead)
        passed: list[_Both] = []
        failure: Exception | None = None
        for item in items:
            flight = ahead.get(item.position)
            if passed and flight is not None and not flight.done():
                break
            try:
                passed.append(await self._both(item, flight))
            except Exception as error:  # noqa: BLE001  # Each tells its own client.
                failure = error
                break
            ahead.pop(item.position, None)
        await self._pass_on(passed)
        if failure is None:
            return len(passed)
        for member in list(self._members):
            if member.seen < items[len(passed)].position:
                self._release(member, failure)
        return len(passed) + 1

    def _look_ahead(self, items: list[LiveItem], ahead: dict[int, Flight]) -> None:
        """Have everything loaded side by side; a single one needs no task of its own."""
        if len(items) == 1 and not ahead:
            return
        for item in items:
            if isinstance(item.item, InvoicePaymentEvent) and item.position not in ahead:
                known = self._recent.get((self, item.item.cursor))
                ahead[item.position] = known or self._flight(item.item)

    async def _both(self, item: LiveItem, flight: Flight | None) -> _Both:
        event, own = item.item, item.own
        if not isinstance(event, InvoicePaymentEvent):
            told = await shown_plainly(self._projection, event)
            return _Both(item, told, told)
        flight = flight or self._recent.get((self, event.cursor))
        if flight is None:
            flight = asyncio.get_running_loop().create_future()
            self._recent.keep((self, event.cursor), flight)
            await self._load(event, flight)
        delivery = flight.result() if flight.done() else await asyncio.shield(flight)
        told = await self._of(delivery, event)
        return _Both(item, told, await self._of(delivery, own) if own and self._shows_key else told)

    async def _pass_on(self, passed: list[_Both]) -> None:
        if not passed:
            return
        self._passed_at = _now()
        last = passed[-1].item.position
        before = passed[0].item.position - 1
        everybody = _batch([one.told for one in passed])
        of_owners = {one.item.owner for one in passed if one.own is not one.told}
        members = list(self._members)
        for begin in range(0, len(members), AT_ONCE_MAX):
            if begin:
                await asyncio.sleep(0)
            for member in members[begin : begin + AT_ONCE_MAX]:
                seen, batch = member.seen, everybody
                if seen >= last:
                    continue
                if seen > before or batch is None or member.tenant in of_owners:
                    batch = _batch_for(member, passed)
                member.seen = last
                if not member.take(batch):
                    self._release(member)

    async def _beat(self, live: LiveEvents) -> bool:
        """Tell those that it is time for up to where they have everything; false if there are
        none. What comes in the same moment counts as come before it."""
        now, due = _now(), []
        for member in self._members:
            if self._beat_at(member, live) > now:
                break
            due.append(member)
        if not due:
            return False
        told = await shown_plainly(self._projection, live.checkpoint())
        batch = _batch([told])
        for member in due:
            if member in self._members:
                del self._members[member]
                self._members[member] = None  # Behind all whose time comes earlier.
                member.told_at = now
                if not member.take(batch or Batch([told.answer(member.request_id)])):
                    self._release(member)
        return True

    def _beat_at(self, member: Member, live: LiveEvents) -> float:
        return max(member.told_at, self._passed_at) + live.heartbeat_seconds

    def _await_beat(self) -> None:
        """Members stand in the order in which they were told something last."""
        live, loop = self._live, asyncio.get_running_loop()
        if self._timer is None and live is not None:
            first = next(iter(self._members))
            self._timer = loop.call_at(self._beat_at(first, live), self._beat_is_due)

    def _beat_is_due(self) -> None:
        self._timer = None
        self._wake()


def _now() -> float:
    return asyncio.get_running_loop().time()
