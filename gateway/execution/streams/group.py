"""Subscriptions that are shown the same: each event is loaded, shown and encoded once for them.

One pass hands it to all who are quiet, without a task between. Who cannot take more for now leaves
the pass with what waits for it, and comes back when it has caught up: nobody waits for another.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context as Variables
from typing import Protocol

from gateway.execution.operation import Answer
from gateway.execution.streams.deliveries import (
    Delivery,
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
    take: Callable[[Answer], bool]
    """Takes an answer at once; False means no more for now. Must not raise."""

    def released(self, live: LiveEvents, failure: Exception | None) -> None:
        """Go on alone behind `seen`, or end with this failure."""
        ...


class Group:
    """Those who share. `forget` is called when the last one has left."""

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
        self._flights: dict[str, asyncio.Future[Delivery]] | None = None
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
        return await self._of(await self._delivery(item), item)

    async def _of(self, delivery: Delivery, event: InvoicePaymentEvent) -> Told:
        told = await delivery.of(event, event.idempotency_key if self._shows_key else None)
        if not told.result.errors and told.shared is not None:
            self._recent.keep((self, event.cursor), delivery, len(told.shared.json or b""))
        return told

    async def _delivery(self, event: InvoicePaymentEvent, *, in_pass: bool = False) -> Delivery:
        return self._recent.get((self, event.cursor)) or await self._loaded(event, in_pass)

    async def _loaded(self, event: InvoicePaymentEvent, in_pass: bool) -> Delivery:
        if self._flights is None:
            self._flights = {}
        flight = self._flights.get(event.cursor)
        if flight is None:
            flight = self._flights[event.cursor] = asyncio.get_running_loop().create_future()
            work = self._load(event, flight)
            if in_pass:
                await work
            else:
                self._start(work)
        return await asyncio.shield(flight)

    async def _load(self, event: InvoicePaymentEvent, flight: asyncio.Future[Delivery]) -> None:
        try:
            run, root = await self._projection.loaded(event, self._payer)
            flight.set_result(Delivery(self._projection, run, root))
        except Exception as failure:  # noqa: BLE001  # Told to everybody who waits for it.
            flight.set_exception(failure)
            flight.exception()  # Nobody may be left who waits.
        finally:
            flight.cancel()
            assert self._flights is not None
            del self._flights[event.cursor]
            if not self._flights:
                self._flights = None

    def _start(self, work: Coroutine[None, None, None]) -> None:
        tasks = self._tasks = self._tasks or set()
        task = asyncio.get_running_loop().create_task(work, context=Variables())
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
                self._hand_out(), context=Variables()
            )

    async def _hand_out(self) -> None:
        """Everything that waits, one by one; then the members that were told nothing for long."""
        try:
            while (live := self._live) is not None:
                if (item := live.first()) is not None:
                    await self._one(item)
                    live.done()
                elif live.is_over:
                    for member in list(self._members):
                        self._release(member)
                elif not await self._beat(live):
                    break
        finally:
            self._pass = None
        if self._live is not None:
            self._await_beat()

    async def _one(self, item: LiveItem) -> None:
        try:
            told, own = await self._both(item)
        except Exception as failure:  # noqa: BLE001  # Each of them tells its own client.
            for member in list(self._members):
                if member.seen < item.position:
                    self._release(member, failure)
            return
        self._passed_at = _now()
        members = list(self._members)
        for begin in range(0, len(members), AT_ONCE_MAX):
            if begin:
                await asyncio.sleep(0)
            for member in members[begin : begin + AT_ONCE_MAX]:
                if member.seen < item.position:
                    member.seen = item.position
                    self._give(member, own if member.tenant == item.owner else told)

    async def _both(self, item: LiveItem) -> tuple[Told, Told]:
        """For everybody, and for those whose write it was."""
        event, own = item.item, item.own
        if not isinstance(event, InvoicePaymentEvent):
            told = await shown_plainly(self._projection, event)
            return told, told
        delivery = await self._delivery(event, in_pass=True)
        told = await self._of(delivery, event)
        return told, await self._of(delivery, own) if own and self._shows_key else told

    def _give(self, member: Member, told: Told) -> None:
        if not member.take(told.shared or told.answer(member.request_id)):
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
        for member in due:
            if member in self._members:
                del self._members[member]
                self._members[member] = None  # Behind all whose time comes earlier.
                member.told_at = now
                self._give(member, told)
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
