"""The bodies of answers, and how errors look in them: each has a code, and none has a secret.

An error that carries a code of the closed list was meant for the client. Everything else is
masked here and goes whole to the log, under the request's id. Callers who may not introspect are
told nothing of the schema that they have not said.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    ValueNode,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
    is_specified_scalar_type,
)

from gateway.execution.operation import Answer
from schema.ports import ErrorCode, Failed

log = logging.getLogger(__name__)

ERRORS_MAX = 5
"""Errors of a refused request that are told; more of them help nobody."""
MESSAGE_LENGTH_MAX = 300
"""graphql-core repeats whole names and values of the document."""

_CODES = frozenset(code.value for code in ErrorCode)


def answered(result: ExecutionResult, request_id: str, cursor: str | None = None) -> Answer:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = formatted(result.errors, request_id)
    return Answer(body, executed=True, cursor=cursor)


def refused(errors: Sequence[GraphQLError], request_id: str = "") -> Answer:
    """A request error: nothing was executed."""
    return Answer({"errors": formatted(errors[:ERRORS_MAX], request_id)}, executed=False)


def failed(failure: Failed, request_id: str, *, has_begun: bool = True) -> Answer:
    """The answer of what failed as a whole; what had begun has data."""
    error = GraphQLError(failure.message, original_error=failure)
    refusal = refused([error], request_id)
    return Answer({"data": None, **refusal.body}, executed=True) if has_begun else refusal


def coded(code: ErrorCode, message: str) -> GraphQLError:
    """A refusal that is meant for the client."""
    return GraphQLError(message, extensions={"code": code.value})


def with_code(error: GraphQLError, code: ErrorCode) -> GraphQLError:
    """graphql-core's error, with this code unless it has one."""
    error.extensions = {"code": code.value, **(error.extensions or {})}
    return error


def formatted(errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """The `errors` of an answer, masked where need be.

    Every failed field of a partial answer is told, as each null needs its reason.
    """
    return [_formatted(error, request_id) for error in errors]


def names_request(result: ExecutionResult) -> bool:
    """Whether the answer depends on the request's id, as one of its errors is masked."""
    return any(not (_is_meant(one) or _is_about_input(one)) for one in result.errors or ())


def _is_meant(error: GraphQLError) -> bool:
    return (error.extensions or {}).get("code") in _CODES


def _formatted(error: GraphQLError, request_id: str) -> dict[str, Any]:
    is_meant = _is_meant(error)
    if not is_meant and not _is_about_input(error):
        return _masked(error, request_id)
    shown = {**error.formatted, "message": _cut(error.message)}
    if not is_meant:
        shown["extensions"] = {"code": ErrorCode.BAD_USER_INPUT.value}
    return shown


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
        "see below" if error.original_error else _cut(error.message),
        exc_info=error.original_error,
    )
    extensions = {"code": ErrorCode.INTERNAL_SERVER_ERROR.value, "requestId": request_id}
    where = {name: at for name, at in error.formatted.items() if name in ("path", "locations")}
    return {"message": "Internal error", "extensions": extensions, **where}


def _cut(message: str) -> str:
    if len(message) <= MESSAGE_LENGTH_MAX:
        return message
    return message[: MESSAGE_LENGTH_MAX - 1] + "…"


HIDDEN = "…"
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_SUGGESTION = re.compile(r" ?Did you mean [^?]*\?")
"""graphql-core keeps one, which repeats the field that was sent, though told to hide them."""
_OPENING = "'.[@("
"""What stands before a name that is meant as one. Plain words such as `type` are also prose."""
_PUBLIC = frozenset({"Query", "Mutation", "Subscription"})


class SchemaRedaction:
    """Takes the names of one schema out of messages.

    graphql-core can hide its suggestions, but its messages still name types, fields and arguments.
    A name that the caller has not sent is left out; prose is left alone.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._names = frozenset(_names_of(schema)) - _PUBLIC

    def applied(self, errors: Iterable[GraphQLError], *, sent: str) -> list[GraphQLError]:
        """The same errors with discreet messages. `sent` is all that the caller has said."""
        said = frozenset(_NAME.findall(sent))
        for error in errors:
            error.message = self._discreet(error.message, said)
        return [*errors]

    def _discreet(self, message: str, said: frozenset[str]) -> str:
        def shown(match: re.Match[str]) -> str:
            name = match[0]
            if name in said or name not in self._names:
                return name
            is_prose = name.islower() and message[match.start() - 1 : match.start()] not in _OPENING
            return name if is_prose else HIDDEN

        return _NAME.sub(shown, _SUGGESTION.sub("", message))


def _names_of(schema: GraphQLSchema) -> Iterator[str]:
    for kind in schema.type_map.values():
        if is_specified_scalar_type(kind) or kind.name.startswith("__"):
            continue
        yield kind.name
        if is_enum_type(kind):
            yield from kind.values
        elif is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind):
            for name, field in kind.fields.items():
                yield name
                yield from getattr(field, "args", ())
