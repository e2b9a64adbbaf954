"""Runs operations for every transport with the same promises, and encodes their answers.

Each operation is told once, in log and counts: neither its document nor its variables, as both may
hold anything, and of its name only what GraphQL allows in one. It knows no transport.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from gateway.callers.registry import Callers
from gateway.execution.operation import (
    Answer,
    Answers,
    Batch,
    OperationKind,
    OperationRequest,
    Prepared,
    Runner,
)
from gateway.logs import tell_from_here
from gateway.settings import WebSettings
from gateway.web.authentication import Authenticator
from gateway.web.connections import Shutdown
from gateway.web.http_errors import error_boundary, refused
from gateway.web.metrics import Metrics
from gateway.web.origins import Origins
from schema.ports import ErrorCode, Viewer

_OK = "OK"
_CLIENT_GONE = "CLIENT_GONE"
"""A query that was given up because nobody waited for it any more."""

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,79}", re.ASCII)
_KNOWN_CODES = frozenset(code.value for code in ErrorCode)
_Codes = dict[str, None]
"""The codes of errors in their order, each once."""

_log = logging.getLogger("gateway.operations")


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Call:
    """One operation on its way: what was asked, by whom, under which id in log and answer.
    `arrived_at` is by the event loop's clock."""

    request: OperationRequest
    viewer: Viewer
    request_id: str
    resume_after: str | None = None
    arrived_at: float = field(default_factory=_loop_time)

    def forget_document(self) -> None:
        """Once it is prepared; a quiet stream is not to hold its text for days."""
        self.request = OperationRequest("", operation_name=self.request.operation_name)


@dataclass(frozen=True, slots=True)
class Services:
    """What the transports of one process share. `new_id` makes an id for one request."""

    settings: WebSettings
    authenticator: Authenticator
    operations: Operations
    origins: Origins
    callers: Callers
    shutdown: Shutdown
    metrics: Metrics
    new_id: Callable[[], str]


class Sink(Protocol):
    """The way of one operation's answers to its client."""

    def take(self, batch: Batch) -> bool:
        """Send answers at once. False if the client is gone, or has to take first what it was
        sent: then `ready` is to be awaited. Never raises."""
        ...

    async def ready(self) -> bool:
        """Wait until the client has taken enough of what it was sent; false if it is gone."""
        ...


class Operations:
    """The runner as the transports see it: an unexpected exception becomes a masked answer."""

    def __init__(self, runner: Runner, shutdown: Shutdown, metrics: Metrics) -> None:
        self._runner = runner
        self._shutdown = shutdown
        self._metrics = metrics

    def at_once(self, call: Call) -> bytes | None:
        """The answer of a query as JSON, if nothing has to be waited for and it was executed; None:
        prepare and execute it."""
        try:
            answer = self._runner.at_once(call.request, call.viewer, call.request_id)
        except Exception:  # noqa: BLE001  # Whatever it is, the long way tells of it.
            _log.exception("what could not be answered at once is tried again")
            return None
        if answer is None:
            return None
        self._told_of(call)
        body = encoded(answer)
        self._tell(call, OperationKind.QUERY, _codes_of(answer), answer)
        return body

    @staticmethod
    def _told_of(call: Call) -> None:
        """From here on every line of this task carries the request's id and the caller."""
        viewer = call.viewer
        caller = viewer.caller or viewer.tenant
        tell_from_here(request_id=call.request_id, tenant=viewer.tenant, caller=caller)

    async def prepare(self, call: Call) -> Prepared | Answer:
        """The operation ready to run, or the answer that refuses it."""
        self._told_of(call)
        work = self._runner.prepare(call.request, call.viewer)
        prepared = await error_boundary(work, request_id=call.request_id)
        if isinstance(prepared, Answer):
            self._tell(call, None, _codes_of(prepared), prepared)
        return prepared

    async def execute(self, prepared: Prepared | Answer, call: Call) -> Answer:
        """The answer of a query, which ends with its caller, or of a mutation, which does not."""
        if isinstance(prepared, Answer):
            return prepared
        if prepared.kind is not OperationKind.MUTATION:
            return await self._execute(prepared, call)
        if self._shutdown.full:
            text = "Too many mutations are under way; try again."
            answer = refused(ErrorCode.RATE_LIMITED, text)
            self._tell(call, prepared.kind, _codes_of(answer), answer)
            return answer
        return await self._shutdown.run_to_the_end(self._execute(prepared, call))

    async def deliver(
        self, call: Call, sink: Sink, prepared: Prepared | Answer | None = None
    ) -> Answer | None:
        """Send the answers of an operation of any kind until it ends or its client has gone.
        A refusal ends it and is the result."""
        prepared = prepared or await self.prepare(call)
        if isinstance(prepared, Answer) or prepared.kind is not OperationKind.SUBSCRIPTION:
            answer = await self.execute(prepared, call)
            if answer.executed:
                sink.take(Batch([answer]))
                await sink.ready()
            return None if answer.executed else answer
        answers = self._runner.subscribe(
            prepared, call.request, call.viewer, call.request_id, resume_after=call.resume_after
        )
        call.forget_document()
        del prepared
        codes: _Codes = {}

        def take(batch: Batch) -> bool:
            if batch.has_errors:
                for one in batch.answers:
                    codes.update(_codes_of(one))
            return sink.take(batch)

        # In one frame, as each of them is there for each quiet stream.
        try:
            async with aclosing(answers):
                while item := await error_boundary(_next_of(answers), request_id=call.request_id):
                    if not item.executed:
                        codes.update(_codes_of(item))
                        return item
                    take(Batch([item]))
                    del item  # It would be held until the next one comes.
                    if not await sink.ready():
                        break
                    await answers.hand_over(take)
                    if not await sink.ready():
                        break
            return None
        finally:
            self._tell(call, OperationKind.SUBSCRIPTION, codes)

    async def _execute(self, prepared: Prepared, call: Call) -> Answer:
        work = self._runner.execute(prepared, call.request, call.viewer, call.request_id)
        try:
            answer = await error_boundary(work, request_id=call.request_id)
        except asyncio.CancelledError:
            self._tell(call, prepared.kind, dict.fromkeys([_CLIENT_GONE]))
            raise
        self._tell(call, prepared.kind, _codes_of(answer), answer)
        return answer

    def _tell(
        self,
        call: Call,
        kind: OperationKind | None,
        codes: _Codes,
        answer: Answer | None = None,
    ) -> None:
        """Log and count one operation that has ended, or was refused before it had a kind.
        Request id and caller come from the log's context."""
        seconds = _loop_time() - call.arrived_at
        what = "unknown" if kind is None else kind.value
        name = call.request.operation_name
        extensions = {} if answer is None else answer.body.get("extensions") or {}
        facts = {
            "operation": name if name is not None and _NAME.fullmatch(name) else None,
            "kind": what,
            "codes": ",".join(codes) or _OK,
            "duration_ms": round(1000 * seconds, 1),
            "cost": _figure(extensions, "cost", "requested"),
            "upstream_calls": _figure(extensions, "upstream", "calls"),
        }
        _log.info("operation", extra={key: one for key, one in facts.items() if one is not None})
        # One word for what an answer with many errors was like: the first.
        self._metrics.operation_ended(what, next(iter(codes), _OK), seconds)


def encoded(answer: Answer) -> bytes:
    """The answer as JSON."""
    return orjson.dumps(answer.body) if answer.json is None else answer.json


async def _next_of(answers: Answers) -> Answer | None:
    return await anext(aiter(answers), None)


def _codes_of(answer: Answer) -> _Codes:
    if "errors" not in answer.body:
        return {}
    found = (error.get("extensions", {}).get("code") for error in answer.body.get("errors") or ())
    return dict.fromkeys(code for code in found if code in _KNOWN_CODES)


def _figure(extensions: dict[str, Any], group: str, name: str) -> int | None:
    """A number that the answer's extensions tell its client, such as `upstream.calls`."""
    found = extensions.get(group, {}).get(name)
    return found if isinstance(found, int) else None
