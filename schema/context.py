"""What every resolver can reach: who asks, what supplies the answer, and where the log stands.

And what is read beside a record that holds ids: an event, an outcome or a refusal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from strawberry.types.info import Info as StrawberryInfo

from schema.planner import Selection
from schema.ports import (
    ById,
    Command,
    EventStream,
    Link,
    Loaded,
    Meter,
    Need,
    Needs,
    Outcome,
    Reads,
    Telling,
    Viewer,
    Writes,
    root_needs,
)


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
    planned: Needs | None = None
    """The needs below the root field of a stream, where a plan has them."""
    done: dict[str | int, Any] = field(default_factory=dict)
    """Payloads of what was written already, by response key, or why there is none."""
    item_cursor: str | None = None
    """Where the stream stands after the item that is being delivered."""

    async def write(self, command: Command) -> Outcome:
        """Do it once. Raises `Refused`."""
        self.event_cursor = self.events.position()
        return await self.writes.write(self.viewer, command, self.meter)

    async def load(
        self, needs: Needs, after: Outcome | None = None, telling: Telling | None = None
    ) -> Loaded[Any]:
        """Answer needs with one call of the port; after a write with what its own answer held, and
        for an event by what it needs.

        That answer knows nothing of events since the write began, so the cursor stays where it was
        then.
        """
        known = None if after is None else after.known
        if known is None:
            known, self.event_cursor = telling, self.events.position()
        if self.turn is None:
            return await self.reads.load(self.viewer, needs, self.meter, known)
        await self.turn(self.viewer.tenant)
        loaded = await self.reads.load(self.viewer, needs, self.meter, known)
        await self.turn(self.viewer.tenant)
        return loaded


Info = StrawberryInfo[Context, Any]


def field_needs(info: Info) -> Needs:
    """The needs below the root field that is being resolved."""
    if info.context.planned is not None:
        return info.context.planned
    raw = info._raw_info
    return info.context.selection.of_root(raw.parent_type, str(raw.path.key))


KINDS: Mapping[str, str] = {
    "invoice": "Invoice",
    "from_invoice": "Invoice",
    "to_invoice": "Invoice",
    "invoice_payment": "InvoicePayment",
    "new_default_payment": "InvoicePayment",
    "payment_intent": "PaymentIntent",
    "credit_note": "CreditNote",
}
"""What links lead to; the id of `invoice` is `invoice_id`."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class LinkedObjects:
    """What is wanted behind the links of records. `quiet`: what is gone is null, and no error."""

    links: Mapping[Need, Needs]
    quiet: bool = False

    def needs(self, records: Iterable[object]) -> Needs:
        """All that these records lead to."""
        return root_needs(
            (target, self.links[link])
            for record in records
            for link, target in self._targets(record).items()
        )

    def shown(self, record: R, root: Loaded[Any]) -> Loaded[R]:
        """The record with what was loaded for its links."""
        children: dict[Need, Any] = dict.fromkeys(self.links)
        for link, target in self._targets(record).items():
            children[link] = root.children[target]
        return Loaded(record, children)

    def _targets(self, record: object) -> dict[Need, ById]:
        targets: dict[Need, ById] = {}
        for link in self.links:
            assert isinstance(link, Link)
            object_id = getattr(record, f"{link.name}_id")
            if object_id is not None:
                kind = KINDS[link.name]
                # A payment that was just attached may be detached again, and is then plainly gone.
                targets[link] = ById(kind, object_id, self.quiet or kind == "InvoicePayment")
        return targets
