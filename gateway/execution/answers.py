"""The bodies of answers, and how errors look in them: each has a code, and none has a secret.

An error that carries a code of the closed list was meant for the client. Everything else is
masked here and goes whole to the log, under the request's id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from graphql import ExecutionResult, GraphQLError, ValueNode

from gateway.execution.documents import ERRORS_MAX
from gateway.execution.operation import Answer
from schema.ports import ErrorCode, Failed

log = logging.getLogger(__name__)

MESSAGE_LENGTH_MAX = 300
"""graphql-core repeats whole names and values of the document."""

_CODES = frozenset(code.value for code in ErrorCode)


def formatted(errors: Sequence[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """The `errors` of an answer, masked where need be.

    Every failed field of a partial answer is told, as each null needs its reason.
    """
    return [_formatted(error, request_id) for error in errors]


def bounded(errors: Sequence[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """The `errors` of a refused request."""
    return formatted(errors[:ERRORS_MAX], request_id)


def _formatted(error: GraphQLError, request_id: str) -> dict[str, Any]:
    if (error.extensions or {}).get("code") in _CODES:
        shown = error.formatted
        shown["message"] = cut(error.message)
        return dict(shown)
    if _is_about_input(error):
        shown = {**error.formatted, "message": cut(error.message)}
        return {**shown, "extensions": {"code": ErrorCode.BAD_USER_INPUT.value}}
    return _masked(error, request_id)


def _is_about_input(error: GraphQLError) -> bool:
    """Whether graphql-core points at a value of the document, which it does for nothing else.

    A variable with a default may stand where null may not, and may then be given as null: that is
    found while running.
    """
    found = error.original_error or error
    nodes = (found.nodes if isinstance(found, GraphQLError) else None) or ()
    return any(isinstance(node, ValueNode) for node in nodes)


def _masked(error: GraphQLError, request_id: str) -> dict[str, Any]:
    # An error without a cause is graphql-core's own, and its text would show the document.
    log.error(
        "request %s failed at %s: %s",
        request_id,
        error.path,
        "see below" if error.original_error else cut(error.message),
        exc_info=error.original_error,
    )
    shown: dict[str, Any] = {
        "message": "Internal error",
        "extensions": {
            "code": ErrorCode.INTERNAL_SERVER_ERROR.value,
            "requestId": request_id,
        },
    }
    if error.path is not None:
        shown["path"] = error.path
    if error.locations:
        shown["locations"] = [location.formatted for location in error.locations]
    return shown


def cut(message: str) -> str:
    return (
        message if len(message) <= MESSAGE_LENGTH_MAX else message[: MESSAGE_LENGTH_MAX - 1] + "…"
    )


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
