"""Runs operations: plan, load, project, once and in this order, for every kind of operation.

A query is planned and loaded as a whole, with one call of the port, before its first resolver
runs. A mutation's fields and a subscription's items plan and load for themselves. Knows no
transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import strawberry
from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
)
from graphql.execution import (
    Executor,
    create_source_event_stream,
    execute_subscription_event,
    map_source_to_response_event,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import AwaitableOrValue

from gateway.execution.answers import answer, formatted, given_up, refused
from gateway.execution.document_limits import Excess, exceeded, input_depth
from gateway.execution.documents import ERRORS_MAX, Document, Documents, OnExceeded, nobody
from gateway.execution.fair_queue import FairQueue
from gateway.execution.operation import Answer, OperationKind, OperationRequest, Prepared
from gateway.execution.trusted_documents import TrustedDocuments, check_manifest
from gateway.settings import Limits
from schema.context import Context
from schema.cost import cost_of
from schema.event_loading import load_query
from schema.planner import Selection
from schema.ports import (
    UPSTREAM_CALLS_MAX,
    BackendKind,
    ErrorCode,
    EventStream,
    Failed,
    Loaded,
    Meter,
    Reads,
    Viewer,
    Writes,
)

log = logging.getLogger(__name__)

LONG_CHARACTERS = 1000
"""A longer document that is new takes milliseconds to be read, and waits for its turn."""

COSTLY = 50
"""From this cost on an operation waits for its turns: it takes the thread for about a
millisecond or more."""

OPERATION_SECONDS_MAX = 30.0
"""A query that takes longer is given up; a mutation never is, once it has begun."""

_KINDS = {
    OperationType.QUERY: OperationKind.QUERY,
    OperationType.MUTATION: OperationKind.MUTATION,
    OperationType.SUBSCRIPTION: OperationKind.SUBSCRIPTION,
}


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """A good document and the operation to run of it, with its variables coerced."""

    document: Document
    operation: OperationDefinitionNode
    selection: Selection
    cost: int
    may_introspect: bool

    @property
    def kind(self) -> OperationKind:
        return _KINDS[self.operation.operation]


class GraphQLRunner:
    """See `gateway.execution.operation.Runner`."""

    def __init__(
        self,
        schema: strawberry.Schema,
        reads: Reads,
        writes: Writes,
        events: EventStream,
        *,
        limits: Limits,
        operation_seconds_max: float = OPERATION_SECONDS_MAX,
        upstream_calls_max: int = UPSTREAM_CALLS_MAX,
        on_exceeded: OnExceeded = nobody,
        documents: Documents | None = None,
    ) -> None:
        self._schema = schema._schema
        self._reads = reads
        self._writes = writes
        self._events = events
        self._limits = limits
        self._operation_seconds_max = operation_seconds_max
        self._upstream_calls_max = upstream_calls_max
        self._on_exceeded = on_exceeded
        self._documents = documents or Documents(self._schema, limits, on_exceeded=on_exceeded)
        self._trusted = TrustedDocuments()
        self._fair_queue = FairQueue()

    def trust(self, manifest: Mapping[str, str], *, source: str) -> None:
        """Trust these documents, and no others, from now on.

        Raises `ManifestRefused`, and goes on as before, if one of them could not run. `source` is
        the name of the file that they come from.
        """
        check_manifest(manifest, self._documents, source=source)
        self._trusted.replace(manifest)

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        if self._takes_long_to_read(request.query or "", viewer):
            await self._fair_queue.turn(viewer.tenant)
        try:
            return self._prepared(request, viewer)
        except Refusals as refusals:
            return refused(refusals.errors)
        except GraphQLError as error:
            return refused([error])

    def _takes_long_to_read(self, text: str, viewer: Viewer) -> bool:
        known = self._documents.knows(text, may_introspect=viewer.may_introspect)
        return len(text) > LONG_CHARACTERS and not known

    def _prepared(self, request: OperationRequest, viewer: Viewer) -> PreparedOperation:
        text = self._trusted.text_for(request, viewer)
        document = self._documents.get(text, may_introspect=viewer.may_introspect)
        if isinstance(document, list):
            raise Refusals(document)
        operation = document.operation(request.operation_name)
        variables = self._variables(operation, request, text, viewer)
        cost = cost_of(self._schema, document.node, operation, variables.coerced)
        self._check_cost(cost)
        selection = Selection(self._schema, operation, document.fragments, variables)
        return PreparedOperation(document, operation, selection, cost, viewer.may_introspect)

    def _variables(
        self,
        operation: OperationDefinitionNode,
        request: OperationRequest,
        text: str,
        viewer: Viewer,
    ) -> VariableValues:
        given = request.variables or {}
        deep, ceiling = input_depth(*given.values()), self._limits.input_depth_max
        if deep > ceiling:
            noun = "levels of lists and objects"
            self._exceeds(exceeded("input_depth", "the variables have", deep, ceiling, noun))
        values = get_variable_values(
            self._schema,
            operation.variable_definitions or (),
            given,
            max_errors=ERRORS_MAX,
            hide_suggestions=not viewer.may_introspect,
        )
        if isinstance(values, list):
            redaction = self._documents.redaction
            sent = f"{text} {given}"
            told = values if viewer.may_introspect else redaction.applied(values, sent=sent)
            raise Refusals([_as_bad_input(error) for error in told])
        return values

    def _check_cost(self, cost: int) -> None:
        ceiling = self._limits.cost_max
        if cost > ceiling:
            sentence = (
                f"the operation may return {cost} objects; at most {ceiling} are allowed: ask for "
                "smaller pages"
            )
            self._exceeds(Excess("cost", sentence))

    def _exceeds(self, excess: Excess) -> None:
        """Tell, and raise a GraphQLError where the limit is enforced."""
        enforced = self._limits.refuses(excess.limit)
        self._on_exceeded(excess.limit, enforced)
        if enforced:
            raise excess.error
        log.warning("limit %s is exceeded, and only told: %s", excess.limit, excess.sentence)

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        operation = cast(PreparedOperation, prepared)
        context = self._context(operation, viewer, request_id)
        meter = context.meter
        told = await self._executed(operation, request, context)
        has_upstream = self._reads.describe().kind is BackendKind.STRIPE
        # From a call less one could tell that another's object exists and is cached.
        if has_upstream and told.executed and viewer.customers is None:
            upstream = {"calls": meter.calls, "cached": meter.cached}
            told.body["extensions"] = {"upstream": upstream}
        return told

    async def _executed(
        self, operation: PreparedOperation, request: OperationRequest, context: Context
    ) -> Answer:
        if operation.kind is OperationKind.MUTATION:
            return await self._project(operation, request, context, None)
        assert self._schema.query_type is not None
        try:
            needs = operation.selection.of_root(self._schema.query_type)
        except GraphQLError as wrong:  # Of a directive whose variable is null.
            return refused([wrong], context.request_id)
        try:
            async with asyncio.timeout(self._operation_seconds_max):
                root = await load_query(context, needs)
                return await self._project(operation, request, context, root)
        except TimeoutError:
            return given_up(context.request_id)

    def _context(
        self,
        operation: PreparedOperation,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Context:
        return Context(
            viewer=viewer,
            reads=self._reads,
            writes=self._writes,
            events=self._events,
            selection=operation.selection,
            request_id=request_id,
            meter=Meter(viewer.tenant, self._upstream_calls_max, request_id=request_id),
            turn=None if operation.cost < COSTLY else self._fair_queue.turn,
            resume_after=resume_after,
        )

    async def _project(
        self,
        operation: PreparedOperation,
        request: OperationRequest,
        context: Context,
        root: Loaded[Any] | None,
    ) -> Answer:
        outcome = execute(
            self._schema,
            operation.document.node,
            root_value=root,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            hide_suggestions=not operation.may_introspect,
        )
        result = await outcome if isinstance(outcome, Awaitable) else outcome
        return answer(result, context.request_id)

    async def subscribe(
        self,
        prepared: Prepared,
        request: OperationRequest,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> AsyncIterator[Answer]:
        operation = cast(PreparedOperation, prepared)
        context = self._context(operation, viewer, request_id, resume_after)
        built = Executor.build(
            self._schema,
            operation.document.node,
            context_value=context,
            raw_variable_values=request.variables,
            operation_name=request.operation_name,
            hide_suggestions=not operation.may_introspect,
        )
        if isinstance(built, list):
            yield refused(built, request_id)
            return
        outcome = create_source_event_stream(built)
        source = await outcome if isinstance(outcome, Awaitable) else outcome
        if isinstance(source, ExecutionResult):
            yield refused(source.errors or [], request_id)
            return
        has_begun = False
        stream = map_source_to_response_event(built, source, execute_event)
        try:
            async for result in stream:
                has_begun = True
                yield answer(result, request_id, context.item_cursor)
        except Failed as failed:
            errors = formatted([GraphQLError(failed.message, original_error=failed)], request_id)
            body = {"data": None, "errors": errors} if has_begun else {"errors": errors}
            yield Answer(body, executed=has_begun)
        finally:
            await stream.aclose()


def execute_event(executor: Executor[Any]) -> AwaitableOrValue[ExecutionResult]:
    """Execute one item of a stream with a memory of its own.

    graphql-core 3.3.2 shares the memo of collected fields between the items of a stream, and keys
    it by lists that are made anew for each: a long stream would keep every one of them for ever.
    """
    executor._relevant_sub_fields = {}
    return execute_subscription_event(executor)


class Refusals(Exception):
    """Why an operation is not run, where there are several reasons."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


def _as_bad_input(error: GraphQLError) -> GraphQLError:
    error.extensions = {**(error.extensions or {}), "code": ErrorCode.BAD_USER_INPUT.value}
    return error
