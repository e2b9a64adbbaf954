"""What goes into and comes out of executing one GraphQL operation, whatever the transport.

The web layer translates HTTP, WebSocket and SSE to and from these shapes and knows nothing of
schemas, plans or backends. The runner supplies them and knows nothing of transports.
"""

from __future__ import annotations

import enum
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schema.ports import Viewer

_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


class OperationKind(enum.Enum):
    """The three kinds of GraphQL operation."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """One GraphQL request as a client sent it; its parts have the right JSON types already.

    Of `query` and `document_id`, which names a trusted document, at least one is not empty.
    """

    query: str = field(repr=False)
    variables: dict[str, Any] | None = field(default=None, repr=False)
    operation_name: str | None = None
    extensions: dict[str, Any] | None = field(default=None, repr=False)
    document_id: str | None = None


def normal_id(document_id: str) -> str:
    """A trusted document's id as manifests are keyed: a hash has its prefix, in lower case."""
    is_hash = _HASH.fullmatch(document_id)
    return f"sha256:{is_hash[1].lower()}" if is_hash else document_id


@dataclass(frozen=True, slots=True)
class Answer:
    """One GraphQL response: a whole answer, or one item of a stream.

    `executed` is false for a request error (the document never ran, there is no `data` key);
    `cursor` is the log position of a stream item, for SSE's `id:` line.
    """

    body: dict[str, Any] = field(repr=False)
    executed: bool
    cursor: str | None = None
    json: bytes | None = field(default=None, repr=False, compare=False)
    """The body encoded, where several clients are sent the same."""


class Batch:
    """Answers that several clients are handed together, in their order.

    `sent` is for transports: what was made of them for one client and is the same for others.
    """

    __slots__ = ("answers", "has_errors", "sent")

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = answers
        self.has_errors = any("errors" in one.body for one in answers)
        self.sent: dict[bytes, bytes] = {}


Take = Callable[[Batch], bool]
"""Takes answers at once. False if, having taken them, it wants no more for now. Must not raise."""


class Prepared(Protocol):
    """A parsed, validated and limited operation, ready to run."""

    @property
    def kind(self) -> OperationKind: ...

    @property
    def cost(self) -> int:
        """How many weighted objects the answer may hold at most, by the directives of the SDL.

        At least 1; for a subscription, of one item.
        """
        ...


class Answers(Protocol):
    """The answers of a subscription, taken one by one; to be closed by whoever leaves early."""

    def __aiter__(self) -> Answers: ...

    async def __anext__(self) -> Answer: ...

    async def aclose(self) -> None: ...

    async def hand_over(self, take: Take) -> None:
        """Have what comes handed to `take` at once, in its order, as long as nothing else is to do.

        Returns when the next answer has to be asked for, which may be at once.
        """
        ...


class OneByOne:
    """The answers of a generator, which are handed to nobody."""

    def __init__(self, answers: AsyncGenerator[Answer, None]) -> None:
        self._answers = answers

    def __aiter__(self) -> OneByOne:
        return self

    async def __anext__(self) -> Answer:
        return await anext(self._answers)

    async def aclose(self) -> None:
        await self._answers.aclose()

    async def hand_over(self, take: Take) -> None:
        """Every answer has to be asked for."""


class Runner(Protocol):
    """Runs operations. One per process; safe for any number of concurrent operations."""

    def at_once(self, request: OperationRequest, viewer: Viewer, request_id: str) -> Answer | None:
        """The answer of a query for which nothing has to be waited for; None: prepare and execute
        it. Never blocks for long, and never raises for what a client sent."""
        ...

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        """Parse, validate, limit and pick the operation. An `Answer` means it was refused."""
        ...

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        """Run a query or a mutation to its end. Never raises for what a client sent."""
        ...

    def subscribe(
        self,
        prepared: Prepared,
        request: OperationRequest,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Answers:
        """Run a subscription; it begins when its first answer is asked for.

        `resume_after` is a cursor from outside the document (SSE's Last-Event-ID); of it and an
        `after` argument the newer counts. If the first item has `executed` false, the operation
        was refused and nothing follows.
        """
        ...
