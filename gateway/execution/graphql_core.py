"""graphql-core executes what plans leave to it, and is the judge of what they show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution import (
    Executor,
    create_source_event_stream,
    execute_subscription_event,
    map_source_to_response_event,
)
from graphql.pyutils import AwaitableOrValue

from gateway.execution.documents import PreparedOperation
from gateway.execution.operation import OperationRequest
from schema.context import Context


async def executed(
    operation: PreparedOperation, request: OperationRequest, context: Context, root: object
) -> ExecutionResult:
    """A query on what was loaded for it, or a mutation."""
    outcome = execute(
        operation.selection.schema,
        operation.document.node,
        root_value=root,
        context_value=context,
        variable_values=request.variables,
        operation_name=request.operation_name,
        hide_suggestions=not operation.may_introspect,
    )
    return await outcome if isinstance(outcome, Awaitable) else outcome


def _executor_of(
    operation: PreparedOperation, request: OperationRequest, context: Context
) -> Executor[Any] | list[GraphQLError]:
    """What executes the items of a stream."""
    return Executor.build(
        operation.selection.schema,
        operation.document.node,
        context_value=context,
        raw_variable_values=request.variables,
        operation_name=request.operation_name,
        hide_suggestions=not operation.may_introspect,
    )


async def streamed(
    operation: PreparedOperation, request: OperationRequest, context: Context
) -> AsyncIterator[ExecutionResult] | list[GraphQLError]:
    """The stream of a subscription, or why there is none. Its iterator is a generator."""
    executor = _executor_of(operation, request, context)
    if isinstance(executor, list):
        return executor
    outcome = create_source_event_stream(executor)
    source = await outcome if isinstance(outcome, Awaitable) else outcome
    if isinstance(source, ExecutionResult):
        return source.errors or []
    return map_source_to_response_event(executor, source, execute_event)


async def executed_item(
    operation: PreparedOperation, request: OperationRequest, context: Context, item: object
) -> ExecutionResult:
    """One item of a stream by itself."""
    executor = _executor_of(operation, request, context)
    assert not isinstance(executor, list), "the variables have been coerced before"
    outcome = execute_event(executor.build_per_event_executor(item))
    return await outcome if isinstance(outcome, Awaitable) else outcome


def execute_event(executor: Executor[Any]) -> AwaitableOrValue[ExecutionResult]:
    """Execute one item of a stream with a memory of its own.

    graphql-core 3.3.2 shares the memo of collected fields between the items of a stream, and keys
    it by lists that are made anew for each: a long stream would keep every one of them for ever.
    """
    executor._relevant_sub_fields = {}
    return execute_subscription_event(executor)
