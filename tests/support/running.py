"""A runner over a stage, without a web: for tests of planning, loading and projection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
import strawberry

from gateway.backends.memory.backend import MemoryBackend
from gateway.events.feed import Feed
from gateway.events.log import EventLog, MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from schema.ports import ErrorCode, Failed, Loaded, Meter, Need, Needs, Viewer
from schema.root import make_schema
from tests.support.stage import Stage

SCHEMA = make_schema()
OPERATOR = Viewer("operator")


def as_sent(answer: Answer) -> dict[str, Any]:
    """The body as a client reads it; in the process a kept answer is text already."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(answer.body))
    return body


class WatchedBackend(MemoryBackend):
    """The memory backend, telling which needs it was asked for, and failing where told to."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.twin, keeps_trees=False)
        self.loads: list[Needs] = []
        self.broken: set[Need] = set()

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> None:
        """Nothing: every read is to be seen."""

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        self.loads.append(needs)
        root = await super().load(viewer, needs, meter, known)
        self._break(root)
        return root

    def _break(self, loaded: Loaded[Any]) -> None:
        for need, child in loaded.children.items():
            if need in self.broken:
                loaded.children[need] = Failed(ErrorCode.UPSTREAM_TIMEOUT, "upstream is slow")
            elif isinstance(child, Loaded):
                self._break(child)
            else:
                for item in getattr(child, "items", ()) or ():
                    self._break(item)


@dataclass(slots=True)
class Running:
    """A stage, its watched backend, and the runner over both."""

    stage: Stage = field(default_factory=Stage.empty)
    limits: Limits = field(default_factory=Limits)
    schema: strawberry.Schema = SCHEMA
    log: EventLog = field(default_factory=lambda: MemoryEventLog("test"))
    feed: Feed = field(init=False)
    backend: WatchedBackend = field(init=False)
    runner: GraphQLRunner = field(init=False)
    exceeded: list[tuple[str, bool]] = field(default_factory=list)
    fallen_back: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = WatchedBackend(self.stage)
        self.feed = Feed(self.log)
        self.runner = GraphQLRunner(
            self.schema,
            self.backend,
            self.backend,
            self.feed,
            limits=self.limits,
            on_exceeded=lambda *told: self.exceeded.append(told),
            on_fallback=self.fallen_back.append,
        )

    async def ask(self, query: str, viewer: Viewer = OPERATOR, **variables: Any) -> dict[str, Any]:
        """The body of the answer to one query or mutation."""
        request = OperationRequest(query, variables)
        prepared = await self.runner.prepare(request, viewer)
        if isinstance(prepared, Answer):
            return prepared.body
        return (await self.runner.execute(prepared, request, viewer, "req_test")).body
