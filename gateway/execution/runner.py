"""Runs operations: plan, load, project, once and in this order, for every kind of operation.

A query is planned and loaded as a whole, with one call of the port, before its first resolver
runs. A mutation's fields and a subscription's items plan and load for themselves. Knows no
transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
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

from gateway.execution.documents import Document, Documents
from gateway.execution.errors import bounded, formatted
from gateway.execution.operation import Answer, OperationKind, OperationRequest, Prepared
from schema.context import Context
from schema.event_loading import load_query
from schema.limits import Limits, cost_of, too_complex
from schema.needs import Loaded, Selection
from schema.ports import (
    METER,
    UPSTREAM_CALLS_MAX,
    BackendKind,
    ErrorCode,
    EventStream,
    Failed,
    InvoiceBackend,
    Meter,
    Viewer,
)

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

    @property
    def kind(self) -> OperationKind:
        return _KINDS[self.operation.operation]


class GraphQLRunner:
    """See `gateway.execution.operation.Runner`."""

    def __init__(
        self,
        schema: strawberry.Schema,
        backend: InvoiceBackend,
        events: EventStream,
        *,
        limits: Limits,
        operation_seconds_max: float = OPERATION_SECONDS_MAX,
        upstream_calls_max: int = UPSTREAM_CALLS_MAX,
    ) -> None:
        self._schema = schema._schema
        self._backend = backend
        self._events = events
        self._limits = limits
        self._operation_seconds_max = operation_seconds_max
        self._upstream_calls_max = upstream_calls_max
        self._documents = Documents(self._schema, limits)

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        document = self._documents.get(request.query, may_introspect=viewer.may_introspect)
        if isinstance(document, list):
            return refused(document)
        try:
            operation = document.operation(request.operation_name)
            variables = self._variables(operation, request)
            self._check_cost(document, operation, variables)
        except GraphQLError as error:
            return refused([error])
        except _VariablesRefused as wrong:
            return refused(wrong.errors)
        selection = Selection(self._schema, operation, document.fragments, variables)
        return PreparedOperation(document, operation, selection)

    def _variables(
        self, operation: OperationDefinitionNode, request: OperationRequest
    ) -> VariableValues:
        try:
            values = get_variable_values(
                self._schema, operation.variable_definitions or (), request.variables or {}
            )
        except RecursionError as error:
            raise _bad_input("variables are nested too deep") from error
        if isinstance(values, list):
            raise _VariablesRefused([_as_bad_input(error) for error in values])
        return values

    def _check_cost(
        self, document: Document, operation: OperationDefinitionNode, variables: VariableValues
    ) -> None:
        cost = cost_of(self._schema, document.node, operation, variables.coerced)
        if cost > self._limits.cost_max:
            raise too_complex(
                f"the operation may return {cost} objects; at most {self._limits.cost_max} are "
                "allowed: ask for smaller pages"
            )

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        operation = cast(PreparedOperation, prepared)
        context = self._context(operation, viewer, request_id)
        meter = Meter(calls_max=self._upstream_calls_max)
        METER.set(meter)
        told = await self._executed(operation, request, context)
        if self._backend.describe().kind is BackendKind.STRIPE and told.executed:
            upstream = {"calls": meter.calls, "cached": meter.cached}
            told.body["extensions"] = {"upstream": upstream}
        return told

    async def _executed(
        self, operation: PreparedOperation, request: OperationRequest, context: Context
    ) -> Answer:
        if operation.kind is OperationKind.MUTATION:
            return await self._project(operation, request, context, None)
        try:
            async with asyncio.timeout(self._operation_seconds_max):
                assert self._schema.query_type is not None
                needs = operation.selection.of_root(self._schema.query_type)
                root = await load_query(context, needs)
                return await self._project(operation, request, context, root)
        except TimeoutError:
            error = Failed(ErrorCode.TIMEOUT, "the operation took too long and was given up")
            return refused([GraphQLError(error.message, original_error=error)])

    def _context(
        self,
        operation: PreparedOperation,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Context:
        return Context(
            viewer=viewer,
            backend=self._backend,
            events=self._events,
            selection=operation.selection,
            request_id=request_id,
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


def answer(result: ExecutionResult, request_id: str, cursor: str | None = None) -> Answer:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = formatted(result.errors, request_id)
    return Answer(body, executed=True, cursor=cursor)


def refused(errors: list[GraphQLError], request_id: str = "") -> Answer:
    """A request error: nothing was executed."""
    return Answer({"errors": bounded(errors, request_id)}, executed=False)


class _VariablesRefused(Exception):
    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


def _bad_input(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": ErrorCode.BAD_USER_INPUT.value})


def _as_bad_input(error: GraphQLError) -> GraphQLError:
    error.extensions = {**(error.extensions or {}), "code": ErrorCode.BAD_USER_INPUT.value}
    return error
