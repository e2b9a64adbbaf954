"""Answers that were given before, kept for as long as all that they were made of is so.

Kept by everything that decides about an answer: document, operation, variables, and the caller's
rights. An answer with an error is never kept, nor one with what is no part of the objects: a
secret, the event log, the gateway's own state. Where it shows the cursor up to which it holds, that
of now is filled in, as it holds up to now.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.execution.documents import Document
from gateway.execution.operation import Answer, OperationRequest
from schema.ports import Basis, Viewer

BYTES_MAX = 32 * 1024 * 1024
"""Of all kept answers together, as JSON."""
ANSWER_BYTES_MAX = 1024 * 1024
"""A longer one is not kept."""
VARIABLES_BYTES_MAX = 1000
"""Longer ones do not come twice."""
OVERHEAD_BYTES = 1000
"""Of an answer, besides its JSON."""

CURSOR = f"cursor-{secrets.token_hex(16)}"
"""Stands in a kept answer where the cursor belongs. Nobody outside can know it, so that no text of
an object is taken for it."""


@dataclass(frozen=True, slots=True)
class WarmAnswer:
    """The `data` of an answer as JSON, in the parts between which the cursor stands. The document
    stays with it, as another could get its place in memory."""

    document: Document
    basis: Basis
    cost: int
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, document: Document, basis: Basis, cost: int, data: Any) -> WarmAnswer:
        """Of data in which `CURSOR` stands for the cursor."""
        return cls(document, basis, cost, tuple(orjson.dumps(data).split(CURSOR.encode())))

    @property
    def size(self) -> int:
        return OVERHEAD_BYTES + sum(map(len, self.parts))

    def answer(self, cursor: str) -> Answer:
        """Its `data` is for orjson alone. The cursor was taken before it was known that the basis
        holds."""
        data = orjson.Fragment(cursor.encode().join(self.parts))
        return Answer({"data": data}, executed=True)


class WarmAnswers:
    """One per process. Bounded; what was used least recently goes first."""

    def __init__(self, *, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Hashable, WarmAnswer] = OrderedDict()

    def get(self, key: Hashable) -> WarmAnswer | None:
        """Whether its basis holds has to be asked."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, answer: WarmAnswer) -> None:
        self.forget(key)
        if answer.size <= ANSWER_BYTES_MAX:
            self._kept[key] = answer
            self._bytes += answer.size
            while self._bytes > self._bytes_max:
                self.forget(next(iter(self._kept)))

    def forget(self, key: Hashable) -> None:
        """Its basis holds no longer."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= found.size


def key_of(document: Document, request: OperationRequest, viewer: Viewer) -> Hashable | None:
    """Everything that decides about an answer; None where it is not to be kept."""
    variables = b""
    if request.variables:
        try:
            variables = orjson.dumps(request.variables, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            return None
        if len(variables) > VARIABLES_BYTES_MAX:
            return None
    rights = (viewer.customers, viewer.scopes)
    return (id(document), request.operation_name, variables, *rights)
