"""The outer edge: every request gets an id, every failure a JSON body, every response its headers.

The id stands in the log, in error bodies and in a response header. Nothing else lets an exception
out of the web layer. It knows no route.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.execution.operation import Answer
from gateway.logs import tell_from_here
from gateway.web.http_errors import HttpRefusal, error_boundary, json_response
from gateway.web.origins import Origins
from gateway.web.request_body import refuse_doubtful_framing
from schema.ports import ErrorCode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CountRefusal = Callable[[int, str], None]
"""Counts a request that was turned away, by its status and code."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_HEADER = "X-Request-Id"
_HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID = web.RequestKey("request_id", str)

_log = logging.getLogger("gateway.web")


def request_id_of(request: web.Request) -> str:
    return request[_REQUEST_ID]


def error_middleware(
    ids: Callable[[], str], count_refusal: CountRefusal = lambda status, code: None
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Outermost: what it gets out of the rest is always a response. The client's id is kept where
    it is harmless in a log."""

    @web.middleware
    async def answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
        theirs = request.headers.get(_HEADER, "")
        request_id = theirs if _HARMLESS_ID.fullmatch(theirs) else ids()
        request[_REQUEST_ID] = request_id
        # A connection's requests share one task, and with it the context of the last one.
        tell_from_here(request_id=request_id)
        outcome = await error_boundary(_answered(request, handler, tell), request_id=request_id)
        if isinstance(outcome, Answer):
            tell(500, ErrorCode.INTERNAL_SERVER_ERROR)
            return json_response(outcome.body, 500)
        return outcome

    def tell(status: int, code: ErrorCode) -> None:
        # Counted for everybody, told to who looks closely: a flood must not fill the log.
        _log.debug("request refused", extra={"status": status, "code": code.value})
        count_refusal(status, code.value)

    return answer_failures


async def _answered(
    request: web.Request, handler: Handler, tell: Callable[[int, ErrorCode], None]
) -> web.StreamResponse:
    try:
        refuse_doubtful_framing(request)
        return await handler(request)
    except HttpRefusal as refusal:
        tell(refusal.status, refusal.code)
        return refusal.response()
    except web.HTTPException as error:
        # aiohttp's own, as for an unknown path, in the form of all others.
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        refused = HttpRefusal(error.status, f"{error.reason}.", headers)
        tell(refused.status, refused.code)
        return refused.response()


async def add_headers(origins: Origins, request: web.Request, response: web.StreamResponse) -> None:
    """For the signal `on_response_prepare`, which streams and socket handshakes pass as well."""
    response.headers.popall("Server", None)
    # There is none where aiohttp refused before the middleware ran.
    if (request_id := request.get(_REQUEST_ID)) is not None:
        response.headers[_HEADER] = request_id
    response.headers["Vary"] = "Accept, Origin"
    response.headers.update(origins.cors_headers(request))
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
