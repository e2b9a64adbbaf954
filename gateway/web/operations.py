"""Runs operations for every transport with the same promises, and encodes their answers.

An unexpected exception becomes a masked answer, a mutation goes on when its client has gone, and a
stream is closed when nobody reads it. Each operation is told once, in log and counts. It knows the
runner and no transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

import orjson
from structlog.contextvars import bind_contextvars

from gateway.execution.operation import (
    Answer,
    OperationKind,
    OperationRequest,
    Prepared,
    Runner,
)
from gateway.web.http_errors import error_boundary, refused
from gateway.web.metrics import Metrics
from gateway.web.operation_log import (
    CLIENT_GONE,
    Outcome,
    codes_of,
    each_once,
    figure,
    log_outcome,
    tellable_name,
)
from gateway.web.shutdown import Shutdown
from schema.ports import ErrorCode, Viewer


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Call:
    """One operation on its way: what was asked, by whom, under which id in log and answer.

    `arrived_at` is by the event loop's clock.
    """

    request: OperationRequest
    viewer: Viewer
    request_id: str
    resume_after: str | None = None
    arrived_at: float = field(default_factory=_loop_time)


class Operations:
    """The runner as the transports see it."""

    def __init__(self, runner: Runner, shutdown: Shutdown, metrics: Metrics) -> None:
        self._runner = runner
        self._shutdown = shutdown
        self._metrics = metrics

    async def prepare(self, call: Call) -> Prepared | Answer:
        """The operation ready to run, or the answer that refuses it.

        From here on every line that the operation's task logs carries its request id and caller.
        """
        viewer = call.viewer
        caller = viewer.caller or viewer.tenant
        bind_contextvars(request_id=call.request_id, tenant=viewer.tenant, caller=caller)
        work = self._runner.prepare(call.request, viewer)
        prepared = await error_boundary(work, request_id=call.request_id)
        return self._told(call, None, prepared) if isinstance(prepared, Answer) else prepared

    async def execute(self, prepared: Prepared, call: Call) -> Answer:
        """The answer of a query, which ends with its caller, or of a mutation, which does not."""
        execution = self._execute(prepared, call)
        if prepared.kind is not OperationKind.MUTATION:
            return await execution
        if self._shutdown.full:
            execution.close()
            text = "Too many mutations are under way; try again."
            return self._told(call, prepared, refused(ErrorCode.RATE_LIMITED, text))
        return await self._shutdown.run_to_the_end(execution)

    async def answers(self, prepared: Prepared, call: Call) -> AsyncGenerator[Answer, None]:
        """The answers of an operation of any kind; the last may be a refusal.

        Whoever leaves early has to close the generator: that ends the subscription behind it.
        """
        if prepared.kind is not OperationKind.SUBSCRIPTION:
            yield await self.execute(prepared, call)
            return
        codes: list[str] = []
        try:
            async with aclosing(self._subscribe(prepared, call)) as stream:
                while answer := await error_boundary(
                    anext(stream, None), request_id=call.request_id
                ):
                    codes = each_once([*codes, *codes_of(answer)])
                    yield answer
                    if not answer.executed:
                        return
        finally:
            self._tell(call, prepared, codes)

    async def _execute(self, prepared: Prepared, call: Call) -> Answer:
        work = self._runner.execute(prepared, call.request, call.viewer, call.request_id)
        try:
            answer = await error_boundary(work, request_id=call.request_id)
        except asyncio.CancelledError:
            self._tell(call, prepared, [CLIENT_GONE])
            raise
        return self._told(call, prepared, answer)

    def _told(self, call: Call, prepared: Prepared | None, answer: Answer) -> Answer:
        """The answer, after it has been told of."""
        self._tell(
            call,
            prepared,
            codes_of(answer),
            cost=figure(answer, "cost", "requested"),
            upstream_calls=figure(answer, "upstream", "calls"),
        )
        return answer

    def _tell(
        self,
        call: Call,
        prepared: Prepared | None,
        codes: Iterable[str],
        *,
        cost: int | None = None,
        upstream_calls: int | None = None,
    ) -> None:
        outcome = Outcome(
            kind=None if prepared is None else prepared.kind,
            codes=tuple(codes),
            seconds=_loop_time() - call.arrived_at,
            name=tellable_name(call.request.operation_name),
            cost=cost,
            upstream_calls=upstream_calls,
        )
        log_outcome(outcome)
        self._metrics.operation_ended(outcome)

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
