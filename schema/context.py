"""What every resolver can reach: who asks, what supplies the answer, and where the log stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strawberry.types.info import Info as StrawberryInfo

from schema.planner import Selection
from schema.ports import EventStream, InvoiceBackend, Loaded, Needs, Viewer


@dataclass(slots=True)
class Context:
    """One operation's surroundings; for a subscription, one item's.

    `event_cursor` is sampled before each load, so that every object on the way out has
    everything up to it folded in. Root fields of a mutation run one after the other, which is
    why one slot is enough.
    """

    viewer: Viewer
    backend: InvoiceBackend
    events: EventStream
    selection: Selection
    request_id: str
    event_cursor: str = ""
    resume_after: str | None = None
    """A cursor from outside the document, such as SSE's Last-Event-ID."""
    item_cursor: str | None = None
    """Where the stream stands after the item that is being delivered."""

    async def load(self, needs: Needs) -> Loaded[Any]:
        """Answer needs with one call of the port."""
        self.event_cursor = self.events.position()
        return await self.backend.load(self.viewer, needs)


Info = StrawberryInfo[Context, Any]
