"""Runs operations for every transport with the same promises, and encodes their answers.

An unexpected exception becomes a masked answer, a mutation goes on when its client has gone, and
a stream is closed when nobody reads it. It knows the runner and no transport.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import orjson

from gateway.execution.operation import (
    Answer,
    OperationKind,
    OperationRequest,
    Prepared,
    Runner,
)
from gateway.web.drain import Drain
from gateway.web.masking import masked
from gateway.web.refusals import refused
from schema.ports import ErrorCode, Viewer


@dataclass(frozen=True, slots=True)
class Call:
    """One operation on its way: what was asked, by whom, under which id in log and answer."""

    request: OperationRequest
    viewer: Viewer
    request_id: str
    resume_after: str | None = None


class Operations:
    """The runner as the transports see it."""

    def __init__(self, runner: Runner, drain: Drain) -> None:
        self._runner = runner
        self._drain = drain

    async def prepare(self, call: Call) -> Prepared | Answer:
        """The operation ready to run, or the answer that refuses it."""
        work = self._runner.prepare(call.request, call.viewer)
        return await masked(work, request_id=call.request_id)

    async def execute(self, prepared: Prepared, call: Call) -> Answer:
        """The answer of a query, which ends with its caller, or of a mutation, which does not."""
        execution = self._execute(prepared, call)
        if prepared.kind is not OperationKind.MUTATION:
            return await execution
        if self._drain.full:
            execution.close()
            return refused(ErrorCode.RATE_LIMITED, "Too many mutations are under way; try again.")
        return await self._drain.carry_through(execution)

    async def answers(self, prepared: Prepared, call: Call) -> AsyncGenerator[Answer, None]:
        """The answers of an operation of any kind; the last may be a refusal.

        Whoever leaves early has to close the generator: that ends the subscription behind it.
        """
        if prepared.kind is not OperationKind.SUBSCRIPTION:
            yield await self.execute(prepared, call)
            return
        async with aclosing(self._subscribe(prepared, call)) as stream:
            while answer := await masked(anext(stream, None), request_id=call.request_id):
                yield answer
                if not answer.executed:
                    return

    async def _execute(self, prepared: Prepared, call: Call) -> Answer:
        work = self._runner.execute(prepared, call.request, call.viewer, call.request_id)
        return await masked(work, request_id=call.request_id)

    def _subscribe(self, prepared: Prepared, call: Call) -> AsyncGenerator[Answer, None]:
        stream = self._runner.subscribe(
            prepared, call.request, call.viewer, call.request_id, resume_after=call.resume_after
        )
        return cast(AsyncGenerator[Answer, None], stream)


class AnswerEncoder:
    """Answers as JSON.

    The last one is kept: a stream item that goes to many subscribers is one object, and comes
    past here for each of them in turn.
    """

    def __init__(self) -> None:
        self._last: tuple[Answer | None, bytes] = (None, b"")

    def encode(self, answer: Answer) -> bytes:
        last, encoded = self._last
        if answer is not last:
            encoded = orjson.dumps(answer.body)
            self._last = (answer, encoded)
        return encoded
