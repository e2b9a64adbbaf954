"""Requests that are turned away before any operation runs, and the boundary for our own errors.

Each transport's refusal is a GraphQL error with a code of the closed list, so that clients have
one way of reading errors. `error_boundary` is the one place of the web layer where an unexpected
exception ends: the client is told a request id, the log has the rest under it. Refusals of
operations come from the runner and not from here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import orjson
from aiohttp import web

from gateway.execution.operation import Answer
from schema.ports import ErrorCode

MESSAGE_CHARACTERS_MAX = 300
"""Some messages quote what was sent: nobody gets a long text of his own back."""


class HttpRefusal(Exception):
    """A request that is answered with `status` and one GraphQL error."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> web.Response:
        response = json_response(error_body(self.code, self.message), self.status, self.headers)
        if self.headers.get("Connection") == "close":
            # The header alone is a promise that aiohttp does not keep.
            response.force_close()
        return response


def bad_request(message: str) -> HttpRefusal:
    """A request that breaks GraphQL over HTTP: the client has to change it."""
    return HttpRefusal(400, ErrorCode.BAD_USER_INPUT, message)


def error_body(code: ErrorCode, message: str, **details: Any) -> dict[str, Any]:
    """The body of a GraphQL response that consists of one error."""
    error = {
        "message": message[:MESSAGE_CHARACTERS_MAX],
        "extensions": {"code": code.value, **details},
    }
    return {"errors": [error]}


def refused(code: ErrorCode, message: str) -> Answer:
    """An answer for an operation that never ran."""
    return Answer(body=error_body(code, message), executed=False)


def internal_error(request_id: str) -> Answer:
    """What a client learns of our own mistake; the log has the rest under this id."""
    code = ErrorCode.INTERNAL_SERVER_ERROR
    return Answer(body=error_body(code, "Internal error", requestId=request_id), executed=False)


def json_response(
    body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response of the gateway itself, not of an operation."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


_Outcome = TypeVar("_Outcome")

_log = logging.getLogger("gateway.web")


async def error_boundary(work: Awaitable[_Outcome], *, request_id: str) -> _Outcome | Answer:
    """The outcome of `work`, or the answer for an internal error if it raised."""
    try:
        return await work
    except Exception:  # noqa: BLE001 - the one outer edge; the story goes to the log.
        _log.exception("Request %s failed unexpectedly", request_id)
        return internal_error(request_id)
