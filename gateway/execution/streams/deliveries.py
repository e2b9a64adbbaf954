"""Items of the log as a group is shown them: loaded once, shown once, encoded once.

Knows no subscriber. What was made is kept for a moment, for those who come to it later.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from contextvars import Context as Variables
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
from graphql import ExecutionResult

from gateway.execution.answers import answered, names_request
from gateway.execution.documents import PreparedOperation
from gateway.execution.graphql_core import executed_item
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.plans.plan import Run
from gateway.execution.plans.plans import Plans
from schema.context import Context, LinkedObjects
from schema.event_loading import load_event
from schema.ports import InvoicePaymentEvent, Loaded, StreamGap, StreamItem

KEPT_SECONDS = 10.0
"""Enough for readers that are not live yet, or slow; who comes later sees how things are then."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
"""Of all groups, by how long their JSON is; what it is made of takes some times that."""
BYTES_EACH = 1000
"""What an answer takes beside its JSON."""


@dataclass(frozen=True, slots=True)
class Told:
    """An item as GraphQL shows it, and its answer, if all are told the same: an error of ours names
    the request, and each subscription is one of its own."""

    result: ExecutionResult
    cursor: str
    shared: Answer | None

    def answer(self, request_id: str) -> Answer:
        return self.shared or answered(self.result, request_id, self.cursor)


def told(result: ExecutionResult, cursor: str) -> Told:
    if names_request(result):
        return Told(result, cursor, None)
    answer = answered(result, "", cursor)
    return Told(result, cursor, replace(answer, json=orjson.dumps(answer.body)))


@dataclass(frozen=True, slots=True)
class Projection:
    """How items are loaded and shown for one document, its variables, and some rights."""

    plans: Plans
    run: Run
    operation: PreparedOperation
    request: OperationRequest
    objects: LinkedObjects
    shows_key: bool
    """Whether an answer may depend on whose write it was."""
    variables: Variables = field(repr=False)
    """Of the tasks that do it: they belong to the process, and their lines to no request."""

    async def loaded(self, event: InvoicePaymentEvent, payer: str) -> tuple[Run, Loaded[Any]]:
        """The objects of an event. `payer` is whose share of budgets and turns is used."""
        context = self.run.context
        viewer = context.viewer
        mine = Context(
            viewer=viewer if viewer.tenant == payer else replace(viewer, tenant=payer),
            reads=context.reads,
            writes=context.writes,
            events=context.events,
            selection=context.selection,
            request_id=context.request_id,
            meter=context.meter,
            turn=context.turn,
        )
        root = await load_event(mine, event, self.objects)
        return Run(self.run.plan, mine, self.run.bound, self.run.needs), root

    async def shown(self, item: Any, run: Run | None = None) -> ExecutionResult:
        run = run or self.run
        judge = partial(executed_item, self.operation, self.request, run.context)
        return await self.plans.item(run, item, judge)


@dataclass(slots=True)
class Delivery:
    """One event with its objects, and what was shown of it: to everybody, and to its owner."""

    projection: Projection
    run: Run
    root: Loaded[Any]
    told: dict[str | None, Told] = field(default_factory=dict)

    async def of(self, event: InvoicePaymentEvent, key: str | None) -> Told:
        known = self.told.get(key)
        if known is None:
            shown = self.projection.objects.shown(event, self.root)
            known = told(await self.projection.shown(shown, self.run), event.cursor)
            self.told[key] = known
        return known


async def shown_plainly(projection: Projection, item: StreamItem) -> Told:
    """What needs no object: a checkpoint or a gap."""
    cursor = item.resumes_at if isinstance(item, StreamGap) else item.cursor
    return told(await projection.shown(item), cursor)


class RecentDeliveries:
    """What is being loaded, and what was of late, of all groups. One per process."""

    def __init__(self, *, seconds: float = KEPT_SECONDS, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._seconds = seconds
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def get(self, key: Hashable) -> Flight | None:
        found = self._kept.get(key)
        return None if found is None else found.flight

    def keep(self, key: Hashable, flight: Flight) -> None:
        """Keep it for a while, counted from now, which may be shorter than it takes."""
        now = asyncio.get_running_loop().time()
        self._kept[key] = _Kept(flight, now + self._seconds)
        self.weigh(key, BYTES_EACH)
        if self._timer is None and self._kept:
            self._forget_at(now + self._seconds)

    def weigh(self, key: Hashable, size: int) -> None:
        """It holds so many bytes more."""
        if (kept := self._kept.get(key)) is not None:
            kept.size += size
            self._bytes += size
            while self._bytes > self._bytes_max:
                self.drop(next(iter(self._kept)))

    def drop(self, key: Hashable) -> None:
        """Who comes now is to load it anew. Idempotent."""
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= kept.size

    def _forget_at(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._forget)

    def _forget(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.until > now:
                self._forget_at(oldest.until)
                return
            self.drop(key)


Flight = asyncio.Future[Delivery]


@dataclass(slots=True)
class _Kept:
    flight: Flight
    until: float
    size: int = 0
