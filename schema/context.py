"""What every resolver can reach: who asks, what supplies the answer, and where the log stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from strawberry.types.info import Info as StrawberryInfo

from schema.planner import Selection
from schema.ports import Command, EventStream, Loaded, Meter, Needs, Outcome, Reads, Viewer, Writes


@dataclass(slots=True)
class Context:
    """One operation's surroundings; for a subscription, one item's.

    `event_cursor` is sampled before each load, so that every object on the way out has
    everything up to it folded in. Root fields of a mutation run one after the other, which is
    why one slot is enough. `turn` is waited for before and after a load, if there is one.
    """

    viewer: Viewer
    reads: Reads
    writes: Writes
    events: EventStream
    selection: Selection
    request_id: str
    meter: Meter
    turn: Callable[[str], Awaitable[None]] | None = None
    event_cursor: str = ""
    resume_after: str | None = None
    """A cursor from outside the document, such as SSE's Last-Event-ID."""
    item_cursor: str | None = None
    """Where the stream stands after the item that is being delivered."""

    async def load(self, needs: Needs) -> Loaded[Any]:
        """Answer needs with one call of the port."""
        self.event_cursor = self.events.position()
        return await self._loaded(needs, None)

    async def write(self, command: Command) -> Outcome:
        """Do it once. Raises `Refused`."""
        self.event_cursor = self.events.position()
        return await self.writes.write(self.viewer, command, self.meter)

    async def load_after(self, done: Outcome, needs: Needs) -> Loaded[Any]:
        """Answer needs with what the write's own answer held, and the rest by one call of the port.

        That answer knows nothing of events since the write began, so the cursor stays where it was
        then.
        """
        if done.known is None:
            return await self.load(needs)
        return await self._loaded(needs, done.known)

    async def _loaded(self, needs: Needs, known: object) -> Loaded[Any]:
        if self.turn is None:
            return await self.reads.load(self.viewer, needs, self.meter, known)
        await self.turn(self.viewer.tenant)
        loaded = await self.reads.load(self.viewer, needs, self.meter, known)
        await self.turn(self.viewer.tenant)
        return loaded


Info = StrawberryInfo[Context, Any]


def field_needs(info: Info) -> Needs:
    """The needs below the root field that is being resolved."""
    raw = info._raw_info
    return info.context.selection.of_field(raw.parent_type, str(raw.path.key))
