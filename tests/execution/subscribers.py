"""Subscribers as a transport sees them: handed what comes, and now and then unable to take more."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from gateway.execution.operation import Answer, Batch, OperationRequest
from schema.ports import Viewer
from tests.events.channel import Channel, turn
from tests.events.entries import at
from tests.support.running import OPERATOR, Running

TURNS_MAX = 100
"""More than anything here needs; what needs more hangs."""

DOCUMENT = """subscription ($after: EventCursor, $filter: InvoicePaymentEventFilter) {
  told: invoicePaymentEvents(after: $after, filter: $filter) { __typename
    ... on InvoicePaymentEvent { cursor invoiceId invoice { id number } }
    ... on StreamCheckpoint { cursor live }
    ... on StreamGap { after resumesAt reason } } }"""
WITH_KEY = DOCUMENT.replace("invoiceId invoice", "idempotencyKey invoiceId invoice")


@dataclass(slots=True)
class Subscriber:
    """One subscription and its task. `reads` says whether its peer takes what it is sent."""

    running: Running
    viewer: Viewer = OPERATOR
    document: str = DOCUMENT
    variables: dict[str, Any] = field(default_factory=dict)
    request_id: str = "req_test"
    answers: list[Answer] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def begin(self) -> Subscriber:
        """Open it, and await its first answer."""
        self.reads.set()
        self.task = asyncio.create_task(self._run())
        await until(lambda: bool(self.answers))
        return self

    async def _run(self) -> None:
        runner, request = self.running.runner, OperationRequest(self.document, self.variables)
        prepared = await runner.prepare(request, self.viewer)
        assert not isinstance(prepared, Answer), prepared.body
        stream = runner.subscribe(prepared, request, self.viewer, self.request_id)
        async with aclosing(stream):
            async for answer in stream:
                self._take(Batch([answer]))
                await self.reads.wait()
                await stream.hand_over(self._take)
                await self.reads.wait()

    def _take(self, batch: Batch) -> bool:
        self.answers += batch.answers
        return self.reads.is_set()

    async def end(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait({self.task})

    @property
    def told(self) -> list[dict[str, Any]]:
        return [one.body["data"]["told"] for one in self.answers]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [one for one in self.told if one["__typename"] == "InvoicePaymentEvent"]

    @property
    def positions(self) -> list[int]:
        """Of the events it was told of."""
        return [at(one["cursor"]) for one in self.events]


async def until(condition: Any) -> None:
    """Give everybody turns until it holds."""
    for _ in range(TURNS_MAX):
        if condition():
            return
        await turn()
    raise AssertionError("it does not come about")


async def all_told(subscribers: list[Subscriber], count: int) -> None:
    """Until each of them was told of so many events."""
    await until(lambda: all(len(one.events) >= count for one in subscribers))


def channel(running: Running) -> Channel:
    return Channel(running.log, running.feed)
