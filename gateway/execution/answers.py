"""The bodies of answers: what was executed, what was refused before, and what took too long."""

from __future__ import annotations

from typing import Any

from graphql import ExecutionResult, GraphQLError

from gateway.execution.errors import bounded, formatted
from gateway.execution.operation import Answer
from schema.ports import ErrorCode, Failed


def answer(result: ExecutionResult, request_id: str, cursor: str | None = None) -> Answer:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = formatted(result.errors, request_id)
    return Answer(body, executed=True, cursor=cursor)


def given_up(request_id: str) -> Answer:
    """The answer of what took too long; as it had begun, it has data."""
    late = Failed(ErrorCode.TIMEOUT, "the operation took too long and was given up")
    errors = formatted([GraphQLError(late.message, original_error=late)], request_id)
    return Answer({"data": None, "errors": errors}, executed=True)


def refused(errors: list[GraphQLError], request_id: str = "") -> Answer:
    """A request error: nothing was executed."""
    return Answer({"errors": bounded(errors, request_id)}, executed=False)
