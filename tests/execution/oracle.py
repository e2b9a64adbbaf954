"""Two runners over one account: the one that compiles plans, and graphql-core alone, its judge."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from gateway.backends.memory.backend import MemoryBackend
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from gateway.web.operations import encoded
from schema import records
from schema.ports import (
    Deleted,
    ErrorCode,
    Failed,
    Loaded,
    LoadedPage,
    Meter,
    Needs,
    Viewer,
)
from tests.support.running import SCHEMA
from tests.support.stage import Stage

OPERATOR = Viewer("operator")
ROOMY = Limits(
    tokens_max=20_000, fields_max=10_000, cost_max=10**9, aliases_max=500, root_fields_max=100
)


@dataclass(frozen=True, slots=True)
class Odd:
    """What stands in place of a field's own value in all records of a kind."""

    kind: type[Any]
    field: str
    value: Any


NUMBERED = Odd(records.Invoice, "number", 7)


class Failing(MemoryBackend):
    """Lets some of what was loaded have failed, by a seed: the same for both runners."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.twin, keeps_trees=False)
        self.seed: int | None = None
        self.odd: Odd | None = None

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> None:
        """Nothing: every read is to be seen."""

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        root = await super().load(viewer, needs, meter, known)
        if self.seed is not None:
            self._break(root, random.Random(self.seed))
        if self.odd is not None:
            self._plant(root, self.odd)
        return root

    def _plant(self, loaded: Loaded[Any], odd: Odd) -> None:
        if type(loaded.record) is odd.kind:
            loaded.record = replace(loaded.record, **{odd.field: odd.value})
        for child in loaded.children.values():
            below = child.items if isinstance(child, LoadedPage) else [child]
            for one in below:
                if isinstance(one, Loaded):
                    self._plant(one, odd)

    def _break(self, loaded: Loaded[Any], chance: random.Random) -> None:
        for need in sorted(loaded.children, key=repr):
            child = loaded.children[need]
            drawn = chance.random()
            if drawn < 0.1:
                loaded.children[need] = Failed(ErrorCode.UPSTREAM_TIMEOUT, "upstream is slow")
            elif drawn < 0.15:
                loaded.children[need] = Deleted("Customer", "cus_gone")
            elif isinstance(child, Loaded):
                self._break(child, chance)
            elif isinstance(child, LoadedPage):
                for item in child.items:
                    self._break(item, chance)


@dataclass(slots=True)
class Oracle:
    """Asks both, and says where they differ."""

    stage: Stage = field(default_factory=Stage.empty)
    fallbacks: list[str] = field(default_factory=list)
    log: MemoryEventLog = field(default_factory=lambda: MemoryEventLog("test"))
    feed: Feed = field(init=False)
    backend: Failing = field(init=False)
    planned: GraphQLRunner = field(init=False)
    judge: GraphQLRunner = field(init=False)

    def __post_init__(self) -> None:
        self.backend = Failing(self.stage)
        self.feed = Feed(self.log)
        both = (SCHEMA, self.backend, self.backend, self.feed)
        self.planned = GraphQLRunner(
            *both, limits=ROOMY, text_cost_min=0, on_fallback=self.fallbacks.append
        )
        self.judge = GraphQLRunner(*both, limits=ROOMY, compiled_plans=False)

    async def both(
        self, query: str, viewer: Viewer = OPERATOR, **variables: Any
    ) -> tuple[bytes, bytes]:
        """The two answers in canonical JSON: the plan's, then graphql-core's. The plan gives its
        own twice, of which the second is made as JSON at once, and the same to the byte."""
        planned, judged = [
            await answered(one, query, viewer, variables) for one in (self.planned, self.judge)
        ]
        told = len(self.fallbacks)
        again = await answered(self.planned, query, viewer, variables)
        del self.fallbacks[told:]
        assert again == planned
        return canonical(planned), canonical(judged)


async def ask(
    runner: GraphQLRunner, query: str, viewer: Viewer, variables: dict[str, Any]
) -> bytes:
    """The answer in canonical JSON."""
    return canonical(await answered(runner, query, viewer, variables))


def canonical(text: bytes) -> bytes:
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


async def answered(
    runner: GraphQLRunner, query: str, viewer: Viewer, variables: dict[str, Any]
) -> bytes:
    request = OperationRequest(query, variables)
    prepared = await runner.prepare(request, viewer)
    answer = prepared
    if not isinstance(prepared, Answer):
        answer = await runner.execute(prepared, request, viewer, "req_test")
    assert isinstance(answer, Answer)
    return encoded(answer)
