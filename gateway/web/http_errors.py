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

STATUS_OF_CODE = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
}
"""Refusals of whole requests that proxies and clients must see whatever type they accept."""

_CODE_OF_STATUS = {
    **{status: code for code, status in STATUS_OF_CODE.items()},
    404: ErrorCode.NOT_FOUND,
    408: ErrorCode.TIMEOUT,
    503: ErrorCode.RATE_LIMITED,
}

CLOSE = {"Connection": "close"}
"""For who is refused while the rest of the request is still on its way."""


class HttpRefusal(Exception):
    """A request that is answered with `status` and one GraphQL error, whose code follows from the
    status unless it is given."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        code: ErrorCode | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.code = code or _CODE_OF_STATUS.get(status, ErrorCode.BAD_USER_INPUT)

    def response(self) -> web.Response:
        response = json_response(error_body(self.code, self.message), self.status, self.headers)
        if self.headers.get("Connection") == "close":
            # The header alone is a promise that aiohttp does not keep.
            response.force_close()
        return response


class InvalidRequest(HttpRefusal):
    """What was sent is not one GraphQL request; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def error_body(code: ErrorCode, message: str, **details: Any) -> dict[str, Any]:
    """The body of a GraphQL response that consists of one error."""
    error = {
        "message": message[:MESSAGE_CHARACTERS_MAX],
        "extensions": {"code": code.value, **details},
    }
    return {"errors": [error]}


def refused(code: ErrorCode, message: str, **details: Any) -> Answer:
    """An answer for an operation that never ran."""
    return Answer(error_body(code, message, **details), executed=False)


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
        code = ErrorCode.INTERNAL_SERVER_ERROR
        return refused(code, "Internal error", requestId=request_id)
