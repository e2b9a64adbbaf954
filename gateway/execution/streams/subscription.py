"""One live subscription: its answers one by one, or handed over as its group makes them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.execution.answers import failed
from gateway.execution.operation import Answer, Batch, Take
from gateway.execution.streams.group import Group
from gateway.execution.streams.groups import Groups, Opening
from schema.event_loading import listening
from schema.ports import EventReader, Failed, LiveEvents


class Subscription:
    """See `gateway.execution.operation.Answers`. Its first answer tells the price."""

    __slots__ = (
        "_failure",
        "_group",
        "_groups",
        "_has_begun",
        "_opening",
        "_reader",
        "_released",
        "_story",
        "request_id",
        "seen",
        "take",
        "tenant",
        "told_at",
    )

    def __init__(self, groups: Groups, opening: Opening) -> None:
        context = opening.run.context
        self.tenant = context.viewer.tenant
        self.request_id = context.request_id
        self.seen = 0
        self.told_at = 0.0
        self.take: Take = _nobody_takes
        self._groups = groups
        self._opening: Opening | None = opening
        self._group: Group | None = None
        self._reader: EventReader | None = None
        self._released: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._has_begun = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Answer:
        try:
            return await self._next()
        except Failed as failure:
            await self.aclose()
            return failed(failure, self.request_id, has_begun=self._has_begun)
        except BaseException:
            await self.aclose()
            raise

    async def _next(self) -> Answer:
        failure, self._failure = self._failure, None
        if failure is not None:
            # It is raised in many tasks, each of which would add to its story.
            raise failure.with_traceback(self._story)
        opening, self._opening = self._opening, None
        if opening is not None:
            await self._begin(opening)
        if self._reader is None or self._group is None:
            raise StopAsyncIteration
        item = await anext(self._reader)
        answer = (await self._group.told(item)).answer(self.request_id)
        self._has_begun = True
        if opening is None or opening.operation.price is None:
            return answer
        extensions = {**answer.body.get("extensions", {}), "cost": opening.operation.price}
        return replace(answer, body={**answer.body, "extensions": extensions}, json=None)

    async def _begin(self, opening: Opening) -> None:
        """Raises `Failed`."""
        (root,) = opening.run.plan.fields
        needs, arguments = root.branch.needs(opening.run.bound), opening.run.bound[root.slot]
        context = opening.run.context
        listened = await listening(context, needs, **arguments)
        self._group = self._groups.of(opening, listened)
        self._group.enter(self.tenant)
        self._reader = context.events.subscribe(
            context.viewer, after=listened.start, where=self._group.where
        )

    async def aclose(self) -> None:
        group, self._group, self._opening = self._group, None, None
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.aclose()
        if group is not None:
            group.part(self)
            group.leave()

    async def hand_over(self, take: Take) -> None:
        group, reader = self._group, self._reader
        if group is None or reader is None or not reader.is_quiet or not group.takes_members():
            return
        self.take = take
        self._released = asyncio.get_running_loop().create_future()
        self.seen = reader.rest()
        group.join(self)
        try:
            await self._released
        finally:
            group.part(self)
            self.take, self._released = _nobody_takes, None

    def released(self, live: LiveEvents, failure: Exception | None) -> None:
        assert self._reader is not None
        assert self._released is not None
        if failure is not None:
            self._failure, self._story = failure, failure.__traceback__
        self._reader.resume(live, self.seen)
        if not self._released.done():
            self._released.set_result(None)


def _nobody_takes(batch: Batch) -> bool:
    return False
